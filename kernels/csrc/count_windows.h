// Histograms of the counts of windows and their medians, over several threads; knows no Python.
#pragma once

#include <cstdint>
#include <string>

#include "count_task.h"

namespace linescan {

// Unsigned items of 1, 2 or 4 bytes.
struct Items {
  void* first;
  int bytes;
};

// Adds the windows to `task.histogram`. Throws std::invalid_argument for a task that no kernel fits
// or a path that this CPU does not have.
void count_windows(const CountTask& task, const std::string& path, int threads);

// Two histograms (bands, channels, levels_count - 1, side * side + 1) that are read as their sum,
// and the windows of each band in it; `reference` (bands, channels, side * side) is written. Any
// content is safe to read.
struct CountedMedians {
  Items closed;
  Items open;
  const int64_t* windows;
  uint8_t* reference;
  int64_t bands;
  int64_t channels;
  int levels_count;
  int side;
};

// Throws std::invalid_argument for items of another size.
void counted_medians(const CountedMedians& task, int threads);

// totals += entering - leaving, then leaving = 0; `entering` and `leaving` may be the same items.
// Throws std::invalid_argument for items of another size.
void replace_counts(Items totals, Items entering, Items leaving, int64_t count);

}  // namespace linescan
