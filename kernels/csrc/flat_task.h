// What a flat field is asked to do, and the entry point of each instruction set.
#pragma once

#include <cstdint>

namespace linescan {

constexpr int kGainBits = 13;  // of a gain behind its point: below 8, in steps of 1 / 8192
constexpr int kByteBits = 5;   // of an 8-bit level's product behind its point

// Lines of `samples` that lie side by side; a step is the samples from one line to the next. A
// table has one entry per sample of a line. `corrected` lies apart from `raw`.
struct ByteField {
  const uint8_t* raw;
  const uint16_t* gain;
  const uint16_t* offset;
  int64_t lines;
  int64_t samples;
  int64_t raw_step;
  uint8_t* corrected;
  int64_t corrected_step;
};

struct WordField {
  const uint16_t* raw;
  const uint16_t* gain;
  const uint32_t* offset;
  int64_t lines;
  int64_t samples;
  int64_t raw_step;
  uint16_t* corrected;
  int64_t corrected_step;
};

struct FlatKernel {
  void (*bytes)(const ByteField&);
  void (*words)(const WordField&);
};

FlatKernel flat_kernel_portable();
FlatKernel flat_kernel_avx2();
FlatKernel flat_kernel_avx512();

}  // namespace linescan
