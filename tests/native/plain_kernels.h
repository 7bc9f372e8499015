// The kernels as plain loops that anybody can read: what every compiled path must equal to the bit.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "fast_task.h"
#include "median_task.h"

namespace plain {

using linescan::FastTask;
using linescan::MedianTask;

inline int64_t mirror(int64_t index, int64_t length) {
  if (index < 0) index = -index;
  return index < length ? index : 2 * (length - 1) - index;
}

// The cross-web band of a window; unsigned, so that no sum of two columns wraps.
inline int64_t band_of(const FastTask& task, int64_t column) {
  if (task.band_width == 0) return 0;
  const uint64_t place = static_cast<uint64_t>(task.first_column) + static_cast<uint64_t>(column);
  return static_cast<int64_t>(place / static_cast<uint64_t>(task.band_width));
}

// Errors of one channel of one window, by counting, added at the true positions.
inline void add_window(const FastTask& task, int64_t channel, int64_t row, int64_t column,
                       std::vector<int64_t>& totals) {
  const int64_t radius = task.side / 2;
  const int64_t area = int64_t{task.side} * task.side;
  const uint8_t* map = task.levels + channel * task.height * task.width;
  const uint8_t* expected =
      task.reference + (band_of(task, column) * task.channels + channel) * area;
  const auto value = [&](int64_t r, int64_t c) {
    return map[mirror(r, task.height) * task.width + mirror(c, task.width)];
  };
  int64_t up_to[33] = {};
  for (int64_t r = row - radius; r <= row + radius; ++r) {
    for (int64_t c = column - radius; c <= column + radius; ++c) ++up_to[value(r, c) + 1];
  }
  for (int level = 1; level <= task.levels_count; ++level) up_to[level] += up_to[level - 1];
  for (int64_t r = std::max<int64_t>(0, row - radius); r <= std::min(task.height - 1, row + radius);
       ++r) {
    for (int64_t c = std::max<int64_t>(0, column - radius);
         c <= std::min(task.width - 1, column + radius); ++c) {
      const int own = value(r, c);
      const int64_t rank = (up_to[own] + up_to[own + 1]) / 2;
      totals[static_cast<size_t>(r * task.width + c)] += std::abs(own - expected[rank]);
    }
  }
}

inline int64_t covering(const FastTask& task, int64_t position) {
  int64_t count = 0;
  const int64_t phase = position % task.stride;
  for (int64_t centre = -4 * task.side * task.stride; centre <= 4 * task.side * task.stride;
       centre += task.stride) {
    count += std::abs(phase - centre) <= task.side / 2;
  }
  return count;
}

inline std::vector<float> scores_of(const FastTask& task) {
  std::vector<int64_t> totals(static_cast<size_t>(task.height * task.width));
  for (int64_t channel = 0; channel < task.channels; ++channel) {
    for (int64_t row = 0; row < task.height; row += task.stride) {
      for (int64_t column = 0; column < task.width; column += task.stride) {
        add_window(task, channel, row, column, totals);
      }
    }
  }
  std::vector<float> scores(totals.size());
  for (size_t index = 0; index < totals.size(); ++index) {
    const auto at = static_cast<int64_t>(index);
    const int64_t windows = covering(task, at / task.width) * covering(task, at % task.width);
    const int64_t scale = task.channels * (task.levels_count - 1) * windows;
    scores[index] =
        static_cast<float>(static_cast<double>(totals[index]) / static_cast<double>(scale));
  }
  return scores;
}

inline std::vector<uint8_t> medians_of(const MedianTask& task) {
  const int64_t area = int64_t{task.side} * task.side;
  std::vector<uint8_t> reference(static_cast<size_t>(task.bands * task.channels * area));
  for (int64_t band = 0; band < task.bands; ++band) {
    for (int64_t channel = 0; channel < task.channels; ++channel) {
      std::vector<std::vector<uint8_t>> ranks(static_cast<size_t>(area));
      for (int64_t row = 0; row < task.window_rows(); ++row) {
        for (int64_t column = task.ranges[2 * band]; column < task.ranges[2 * band + 1]; ++column) {
          std::vector<uint8_t> window;
          for (int64_t place = 0; place < area; ++place) {
            const int64_t r = row * task.stride_rows + place / task.side;
            const int64_t c = column * task.stride_columns + place % task.side;
            window.push_back(task.levels[(channel * task.height + r) * task.width + c]);
          }
          std::sort(window.begin(), window.end());
          for (size_t rank = 0; rank < window.size(); ++rank) ranks[rank].push_back(window[rank]);
        }
      }
      for (size_t rank = 0; rank < ranks.size(); ++rank) {
        std::sort(ranks[rank].begin(), ranks[rank].end());
        reference[static_cast<size_t>((band * task.channels + channel) * area) + rank] =
            ranks[rank][(ranks[rank].size() - 1) / 2];
      }
    }
  }
  return reference;
}

}  // namespace plain
