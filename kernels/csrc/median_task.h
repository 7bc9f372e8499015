// What the median reference is made of, and the entry point of each instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fast_task.h"

namespace linescan {

// `levels` (channels, height, width) below `levels_count`; windows begin at rows and columns
// divisible by the strides and lie complete inside the map. `ranges` (bands, 2) says which columns
// of windows make the reference of a band; `reference` (bands, channels, side * side) is written.
struct MedianTask {
  const uint8_t* levels;
  const int64_t* ranges;
  uint8_t* reference;
  int64_t channels;
  int64_t height;
  int64_t width;
  int64_t bands;
  int64_t stride_rows;
  int64_t stride_columns;
  int levels_count;
  int side;

  static int64_t windows(int64_t length, int64_t side, int64_t stride) {
    return (length - side) / stride + 1;
  }
  int64_t window_rows() const { return windows(height, side, stride_rows); }
  int64_t window_columns() const { return windows(width, side, stride_columns); }
};

struct MedianKernel {
  size_t (*bytes)(const MedianTask& task);
  void (*find)(const MedianTask& task, Channels channels, uint8_t* scratch);
};

MedianKernel median_kernel_portable(int side);
MedianKernel median_kernel_avx2(int side);
MedianKernel median_kernel_avx512(int side);

}  // namespace linescan
