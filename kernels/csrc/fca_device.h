// What the device kernels share. Compiled by nvcc and NVRTC, and by a C++ compiler for the tests:
// no torch, no standard library, no thread of its own.
#pragma once

#if defined(__CUDACC__)
#define FCA_HOST_DEVICE __host__ __device__ __forceinline__
#define FCA_UNROLL _Pragma("unroll")
#else
#include <cmath>
#define FCA_HOST_DEVICE inline
#define FCA_UNROLL
#endif

namespace fca {

// Place of a block in its grid.
struct Block {
  int x, y, z;
};

enum class Ties { first, mid, mean };

// Taps of a window's Gaussian by their distance from its centre; T = 11 has six of them.
constexpr int kLargestPatch = 11;
constexpr int kHalfTaps = kLargestPatch / 2 + 1;
struct Taps {
  float by_distance[kHalfTaps];
};

// The five taps of a blur by their distance from the centre.
constexpr int kBlurRadius = 2;
struct BlurTaps {
  float by_distance[kBlurRadius + 1];
};

FCA_HOST_DEVICE constexpr int smaller(int a, int b) { return a < b ? a : b; }

FCA_HOST_DEVICE constexpr int larger(int a, int b) { return a < b ? b : a; }

FCA_HOST_DEVICE constexpr int distance(int a, int b) { return a < b ? b - a : a - b; }

FCA_HOST_DEVICE constexpr int divide_up(int a, int b) { return (a + b - 1) / b; }

// Source of a position outside 0 .. length - 1, the edge sample not repeated. What lies farther
// out than a mirrored window reaches is read by no window that counts; it becomes any valid place.
FCA_HOST_DEVICE int mirror(int index, int length) {
  const int reflected = length - 1 - distance(length - 1, distance(index, 0));
  return larger(reflected, 0);
}

// First and last window along an axis that cover a position, without regard to the map's ends.
FCA_HOST_DEVICE int first_cover(int position, int radius, int stride) {
  return position <= radius ? 0 : divide_up(position - radius, stride);
}

FCA_HOST_DEVICE int last_cover(int position, int radius, int stride) {
  return (position + radius) / stride;
}

// One position of a blur of five taps along an axis of `length` values that lie `step` apart.
// Product and sum apart, tap by tap in order: the bits are those of the torch reference.
FCA_HOST_DEVICE float blur_at(const float* line, int step, int at, int length,
                              const BlurTaps& taps) {
  float total = line[mirror(at - kBlurRadius, length) * step] * taps.by_distance[kBlurRadius];
  FCA_UNROLL
  for (int tap = 1 - kBlurRadius; tap <= kBlurRadius; ++tap) {
    const float weight = taps.by_distance[distance(tap, 0)];
    total += line[mirror(at + tap, length) * step] * weight;
  }
  return total;
}

}  // namespace fca
