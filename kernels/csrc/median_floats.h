// The median reference of float maps by counting, without sorting a window; knows nothing of
// Python.
#pragma once

#include <cstdint>
#include <string>

namespace linescan {

// As MedianTask, of floats: `reference` (bands, channels, side * side) is written, ascending. A
// channel holds at most kMostRanked values. Features must be finite.
struct FloatMedianTask {
  const float* features;
  const int64_t* ranges;
  float* reference;
  int64_t channels;
  int64_t height;
  int64_t width;
  int64_t bands;
  int64_t stride_rows;
  int64_t stride_columns;
  int side;
};

// Throws std::invalid_argument for a task that no kernel fits or a path this CPU does not have.
void median_floats(const FloatMedianTask& task, const std::string& path, int threads);

}  // namespace linescan
