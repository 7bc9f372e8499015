// FCA with the rank of every position, as plain loops in double: window by window, by sorting.
//
// The kernels add floats in one fixed order of their own; their scores are held to these within the
// rounding of that many non-negative terms.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "exact_task.h"
#include "plain_kernels.h"

namespace plain {

using linescan::ExactTask;
using linescan::Ties;

using Doubles = std::vector<double>;

// At most some 170 roundings of 2^-24 each: 20 channels, two blurs, weights, 121 windows.
constexpr double kRelative = 2e-5;
constexpr double kAbsolute = 1e-9;  // Of the largest magnitude: prefix sums of ties "mean" cancel.

// Where references are all but equally good, rounding may choose another one than double does: the
// scores then lie between those of the two.
struct Between {
  Doubles least;
  Doubles most;
};

inline int64_t band_of(const ExactTask& task, int64_t column) {
  if (task.band_width == 0) return 0;
  const uint64_t place = static_cast<uint64_t>(task.first_column) + static_cast<uint64_t>(column);
  return static_cast<int64_t>(place / static_cast<uint64_t>(task.band_width));
}

inline double value_of(const ExactTask& task, float feature) {
  if (!task.bytes) return feature;
  const float clipped = feature < 0.0f ? 0.0f : feature > 1.0f ? 1.0f : feature;
  return std::floor(255.0f * clipped + 0.5f);
}

// The values of one channel under a window, mirrored at the edges of the map.
inline Doubles window_of(const ExactTask& task, int64_t channel, int64_t row, int64_t column) {
  const float* map = task.features + channel * task.height * task.width;
  Doubles values;
  for (int64_t r = row - task.side / 2; r <= row + task.side / 2; ++r) {
    for (int64_t c = column - task.side / 2; c <= column + task.side / 2; ++c) {
      const int64_t place = mirror(r, task.height) * task.width + mirror(c, task.width);
      values.push_back(value_of(task, map[place]));
    }
  }
  return values;
}

// Ranks first .. end - 1 that each value takes: those that equal ones share, or its own.
struct Ranks {
  std::vector<size_t> first;
  std::vector<size_t> end;
};

inline Ranks ranks_of(const Doubles& values, Ties ties) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return values[a] < values[b]; });
  Ranks ranks{order, order};
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (size_t at = begin; at < end; ++at) {
      const size_t one = ties == Ties::kFirst ? at : (begin + end) / 2;
      ranks.first[order[at]] = ties == Ties::kMean ? begin : one;
      ranks.end[order[at]] = ties == Ties::kMean ? end : one + 1;
    }
    begin = end;
  }
  return ranks;
}

// Adds the errors of one channel of a window against one reference.
inline void add_errors(const Doubles& values, const Ranks& ranks, const float* reference,
                       Doubles& errors) {
  for (size_t place = 0; place < values.size(); ++place) {
    double sum = 0;
    for (size_t rank = ranks.first[place]; rank < ranks.end[place]; ++rank) {
      sum += std::abs(values[place] - static_cast<double>(reference[rank]));
    }
    errors[place] += sum / static_cast<double>(ranks.end[place] - ranks.first[place]);
  }
}

// Five taps across the rows and down the columns of a window, mirrored at its edges.
inline Doubles blurred(const ExactTask& task, const Doubles& errors) {
  if (task.blur == nullptr) return errors;
  Doubles result(errors.size());
  for (int place = 0; place < task.area(); ++place) {
    for (int tap = 0; tap < 25; ++tap) {
      const int64_t r = mirror(place / task.side + tap / 5 - 2, task.side);
      const int64_t c = mirror(place % task.side + tap % 5 - 2, task.side);
      result[static_cast<size_t>(place)] += static_cast<double>(task.blur[tap / 5]) *
                                            static_cast<double>(task.blur[tap % 5]) *
                                            errors[static_cast<size_t>(r * task.side + c)];
    }
  }
  return result;
}

// The weighted errors of a window against each of its references.
inline std::vector<Doubles> weighted_errors(const ExactTask& task, int64_t row, int64_t column) {
  std::vector<Doubles> errors(static_cast<size_t>(task.references),
                              Doubles(static_cast<size_t>(task.area())));
  const int64_t first = band_of(task, column) * task.references;
  for (int64_t channel = 0; channel < task.channels; ++channel) {
    const Doubles values = window_of(task, channel, row, column);
    const Ranks ranks = ranks_of(values, task.ties);
    for (int64_t which = 0; which < task.references; ++which) {
      const int64_t line = (first + which) * task.channels + channel;
      add_errors(values, ranks, task.reference + line * task.area(),
                 errors[static_cast<size_t>(which)]);
    }
  }
  for (Doubles& one : errors) {
    one = blurred(task, one);
    for (int64_t place = 0; place < task.area(); ++place) {
      const double weight = static_cast<double>(task.taps[place / task.side]) *
                            static_cast<double>(task.taps[place % task.side]);
      one[static_cast<size_t>(place)] *= weight / static_cast<double>(task.channels);
    }
  }
  return errors;
}

// Those of the best reference; of all that are as good but for rounding, the least and the most.
inline Between best_of(const std::vector<Doubles>& errors, double magnitude) {
  Doubles sums;
  for (const Doubles& one : errors) sums.push_back(std::accumulate(one.begin(), one.end(), 0.0));
  const double smallest = *std::min_element(sums.begin(), sums.end());
  const double close = smallest * (1 + 2 * kRelative) + 200 * kAbsolute * magnitude;
  Between best;
  for (size_t which = 0; which < errors.size(); ++which) {
    if (sums[which] > close) continue;
    if (best.least.empty()) best = {errors[which], errors[which]};
    for (size_t place = 0; place < errors[which].size(); ++place) {
      best.least[place] = std::min(best.least[place], errors[which][place]);
      best.most[place] = std::max(best.most[place], errors[which][place]);
    }
  }
  return best;
}

inline double largest(const float* numbers, size_t count) {
  double found = 0;
  for (size_t at = 0; at < count; ++at) {
    found = std::max(found, static_cast<double>(std::abs(numbers[at])));
  }
  return found;
}

// Largest magnitude of the features, of the bands of the reference that the map lies in, or of
// bytes.
inline double magnitude_of(const ExactTask& task) {
  if (task.bytes) return 255;
  const int64_t line = task.references * task.channels * task.area();
  const int64_t first = band_of(task, 0);
  const int64_t bands = band_of(task, task.width - 1) + 1 - first;
  return std::max(
      largest(task.features, static_cast<size_t>(task.channels * task.height * task.width)),
      largest(task.reference + first * line, static_cast<size_t>(bands * line)));
}

inline Between scores_of(const ExactTask& task) {
  const double magnitude = magnitude_of(task);
  const auto size = static_cast<size_t>(task.height * task.width);
  Between scores{Doubles(size), Doubles(size)};
  for (int64_t row = 0; row < task.height; row += task.stride) {
    for (int64_t column = 0; column < task.width; column += task.stride) {
      const Between best = best_of(weighted_errors(task, row, column), magnitude);
      for (int64_t place = 0; place < task.area(); ++place) {
        const int64_t r = row + place / task.side - task.side / 2;
        const int64_t c = column + place % task.side - task.side / 2;
        if (r < 0 || r >= task.height || c < 0 || c >= task.width) continue;
        scores.least[static_cast<size_t>(r * task.width + c)] +=
            best.least[static_cast<size_t>(place)];
        scores.most[static_cast<size_t>(r * task.width + c)] +=
            best.most[static_cast<size_t>(place)];
      }
    }
  }
  const double slack = kAbsolute * magnitude;
  for (double& least : scores.least) least = least * (1 - kRelative) - slack;
  for (double& most : scores.most) most = most * (1 + kRelative) + slack;
  return scores;
}

inline bool lies_between(const std::vector<float>& scores, const Between& limits) {
  for (size_t at = 0; at < scores.size(); ++at) {
    const double score = scores[at];
    if (!(score >= limits.least[at] && score <= limits.most[at])) return false;
  }
  return true;
}

}  // namespace plain
