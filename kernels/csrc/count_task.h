// What the counting of windows is made of, and the entry point of each instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fast_task.h"

namespace linescan {

// A place of a tally counts so many.
constexpr int64_t kMostWindowColumns = 0xffff;

// `levels` (channels, height, width) below `levels_count`; windows begin `stride_rows` apart from
// `first_row` on, and at columns divisible by `stride_columns`. `barred` (window_rows, columns of
// windows) is not 0 where a window does not count, or null. `ranges` (bands, 2) says which
// columns of windows a band has; `histogram` (bands, channels, levels_count - 1, side * side + 1)
// of unsigned items of `item_bytes` bytes is added to: how many windows have how many values above
// each level.
struct CountTask {
  const uint8_t* levels;
  const uint8_t* barred;
  const int64_t* ranges;
  void* histogram;
  int64_t channels;
  int64_t height;
  int64_t width;
  int64_t bands;
  int64_t first_row;
  int64_t window_rows;
  int64_t stride_rows;
  int64_t stride_columns;
  int levels_count;
  int side;
  int item_bytes;

  int64_t window_columns() const { return (width - side) / stride_columns + 1; }
  int64_t rows() const { return (window_rows - 1) * stride_rows + side; }
};

struct CountKernel {
  size_t (*bytes)(const CountTask& task);
  void (*add)(const CountTask& task, Channels channels, uint8_t* scratch);
};

CountKernel count_kernel_portable(int side);
CountKernel count_kernel_avx2(int side);
CountKernel count_kernel_avx512(int side);

}  // namespace linescan
