// What the fast form of FCA is asked to do, and the entry point of each instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linescan {

constexpr int kLargestSide = 11;
constexpr int kLargestStride = 4;

// Maps are C-order. `levels` (channels, rows, columns) below `levels_count`; `reference`
// (bands, channels, side * side), ascending. The band of a window is that of its *row* here:
// with bands the caller's map is read transposed, so that one table serves a whole vector.
struct FastTask {
  const uint8_t* levels;
  const uint8_t* reference;
  int64_t channels;
  int64_t height;
  int64_t width;
  int64_t band_width;  // 0: one band.
  int64_t first_column;
  int levels_count;
  int side;
  int stride;

  bool transposed() const { return band_width > 0; }
  int64_t rows() const { return transposed() ? width : height; }
  int64_t columns() const { return transposed() ? height : width; }
  int64_t band(int64_t centre) const {
    return band_width > 0 ? (first_column + centre) / band_width : 0;
  }
};

struct Channels {
  int64_t first;
  int64_t last;
};

// One kernel for one side and stride: `bytes` says how much scratch memory it needs, `add` adds the
// errors of some channels to `totals` (rows, columns). `scratch` is aligned to 64 bytes.
struct FastKernel {
  size_t (*bytes)(const FastTask& task);
  void (*add)(const FastTask& task, Channels channels, uint8_t* scratch, int32_t* totals);
};

FastKernel fast_kernel_portable(int side, int stride);
FastKernel fast_kernel_avx2(int side, int stride);
FastKernel fast_kernel_avx512(int side, int stride);

}  // namespace linescan
