// What a flat field is asked to do, and the entry point of each instruction set.
#pragma once

#include <cstdint>

namespace linescan {

constexpr int kGainBits = 13;   // of a gain behind its point: below 8, in steps of 1 / 8192
constexpr int kByteBits = 5;    // of an 8-bit level's product behind its point
constexpr int kShareBits = 12;  // of a fill's share behind its point

// A sample that holds no web: filled from the corrected levels of two that do, by their shares.
// Samples are counted from the start of the line.
struct SampleFill {
  int64_t sample;
  int64_t left;
  int64_t right;
  uint32_t right_share;  // at most 1 << kShareBits
};

// `samples` of each line, side by side, from the line's sample `first` on; all pointers are to that
// one. A step is the samples from one line to the next. A table has one entry per sample of the
// line. `corrected` lies apart from `raw`. `fills` are all within the part, what they are filled
// from lies anywhere in the line and is no fill itself.
template <class Level, class Offset>
struct LightField {
  const Level* raw;
  const uint16_t* gain;
  const Offset* offset;
  int64_t lines;
  int64_t samples;
  int64_t raw_step;
  Level* corrected;
  int64_t corrected_step;
  int64_t first;
  const SampleFill* fills;
  int64_t fill_count;
};

using ByteField = LightField<uint8_t, uint16_t>;
using WordField = LightField<uint16_t, uint32_t>;

struct FlatKernel {
  void (*bytes)(const ByteField&);
  void (*words)(const WordField&);
};

FlatKernel flat_kernel_portable();
FlatKernel flat_kernel_avx2();
FlatKernel flat_kernel_avx512();

}  // namespace linescan
