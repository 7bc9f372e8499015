// What FCA with ranks of every position is asked to do, and the entry point of each instruction
// set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fast_task.h"

namespace linescan {

enum class Ties { kFirst, kMid, kMean };

// Maps are C-order: `features` (channels, height, width), `reference` (bands, references, channels,
// side * side), ascending. With bands the map is worked on transposed ("turned"), so that the band
// of a window is that of its row; rows and columns below are those of the map as worked on.
struct ExactTask {
  const float* features;
  const float* reference;
  const float* taps;  // Weights of a window's rows and columns, `side` of them.
  const float* blur;  // kBlurTaps weights, or null.
  int64_t channels;
  int64_t height;
  int64_t width;
  int64_t references;
  int64_t band_width;  // 0: one band.
  int64_t first_column;
  int side;
  int stride;
  Ties ties;
  bool bytes;  // Keys and reference are floor(255 * clip(f, 0, 1) + 0.5).

  bool turned() const { return band_width > 0; }
  int64_t rows() const { return turned() ? width : height; }
  int64_t columns() const { return turned() ? height : width; }
  int64_t area() const { return int64_t{side} * side; }
  int64_t place(int64_t row, int64_t column) const {
    return turned() ? column * width + row : row * width + column;
  }
  int64_t band(int64_t centre) const {
    return band_width > 0 ? (first_column + centre) / band_width : 0;
  }
};

constexpr int kBlurTaps = 5;

struct Range {
  int64_t first;
  int64_t last;
};

// Rows and columns of the map as worked on.
struct Rectangle {
  Range rows;
  Range columns;
};

// The positions that a rectangle of windows holds, dealt out by phase (row and column modulo
// stride): positions of a phase lie in a plane of `plane_rows` x `pitch`, one after the other, so
// that the vectors run on from row to row. Windows are counted from the first of the rectangle.
struct Field {
  int64_t first_row;  // Row and column of the map of the first window's centre.
  int64_t first_column;
  int64_t window_rows;
  int64_t window_columns;
  int64_t lead;  // Positions before the first centre: a multiple of the stride.
  int64_t plane_rows;
  int64_t pitch;
  int side;
  int stride;

  int64_t plane() const { return plane_rows * pitch; }
  int64_t planes() const { return int64_t{stride} * stride; }
  int64_t positions() const { return planes() * plane(); }
  // Index of the positions at `row`, `column` from the first.
  int64_t row_part(int64_t row) const {
    return row % stride * stride * plane() + row / stride * pitch;
  }
  int64_t column_part(int64_t column) const { return column % stride * plane() + column / stride; }
};

// A field with its keys: of each channel `key_step` of them, readable beyond both ends, and per
// position its place in the map.
struct Strip {
  const ExactTask* task;
  const Field* field;
  const void* keys;
  int64_t key_step;
  const int32_t* places;
  float* errors;  // (references, side * side, positions): M(o; x), mean over the channels.
};

// The work of one rectangle falls into `parts`; `add` does some of them and writes their errors.
// `finish` adds the blurred and weighted errors of all windows to the scores of a rectangle.
struct ExactKernel {
  int64_t (*parts)(const ExactTask& task, const Field& field);
  size_t (*add_bytes)(const ExactTask& task, const Field& field);
  void (*add)(const Strip& strip, int64_t part, uint8_t* scratch);
  size_t (*finish_bytes)(const ExactTask& task);
  void (*finish)(const Strip& strip, const Rectangle& rectangle, uint8_t* scratch, float* scores);
  uint16_t key_bias;
};

ExactKernel exact_kernel_portable(const ExactTask& task);
ExactKernel exact_kernel_avx2(const ExactTask& task);
ExactKernel exact_kernel_avx512(const ExactTask& task);

}  // namespace linescan
