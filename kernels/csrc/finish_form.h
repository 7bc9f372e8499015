// Steps 6 and 7 of FCA: the errors of each window blurred, weighted and added up at the positions.
//
// Written as plain loops along a row of windows, which the compiler turns into vectors. Every sum
// runs in one fixed order, window by window from top left to bottom right of the map, so that
// neither the cut into rectangles nor the instruction set changes a bit.
#pragma once

#include <cstring>

#include "exact_task.h"
#include "planes.h"

namespace {

using linescan::ExactTask;
using linescan::Field;
using linescan::Rectangle;
using linescan::Strip;

constexpr int64_t kBlock64 = 64;  // Windows at a time.

template <int kSide>
class FinishForm {
  static constexpr int kArea = kSide * kSide;
  static constexpr int kRadius = kSide / 2;
  static constexpr int kHalfBlur = linescan::kBlurTaps / 2;

 public:
  static size_t bytes(const ExactTask&) { return 3 * kArea * kBlock64 * sizeof(float) + 256; }

  static void run(const Strip& strip, const Rectangle& rectangle, uint8_t* scratch, float* scores) {
    FinishForm(strip, rectangle, scratch, scores).run();
  }

 private:
  FinishForm(const Strip& strip, const Rectangle& rectangle, uint8_t* scratch, float* scores)
      : strip_(strip),
        task_(*strip.task),
        field_(*strip.field),
        rows_(rectangle.rows),
        columns_(rectangle.columns),
        scores_(scores) {
    Pieces pieces(scratch);
    best_ = pieces.take<float>(kArea * kBlock64);
    other_ = pieces.take<float>(kArea * kBlock64);
    blurred_ = pieces.take<float>(kArea * kBlock64);
  }

  void run() {
    for (int64_t row = 0; row < field_.window_rows; ++row) {
      const int64_t centre = field_.first_row + row * field_.stride;
      if (centre + kRadius < rows_.first || centre - kRadius >= rows_.last) continue;
      for (int64_t column = 0; column < field_.window_columns; column += kBlock64) {
        count_ = least(kBlock64, field_.window_columns - column);
        choose(row, column);
        scatter(centre, field_.first_column + column * field_.stride);
      }
    }
  }

  // The weighted errors of the reference with the smallest sum per window, the first on equality.
  void choose(int64_t row, int64_t column) {
    weigh(0, row, column, best_);
    if (task_.references == 1) return;
    float smallest[kBlock64];
    add_up(best_, smallest);
    for (int64_t reference = 1; reference < task_.references; ++reference) {
      weigh(reference, row, column, other_);
      float sum[kBlock64];
      add_up(other_, sum);
      for (int64_t lane = 0; lane < count_; ++lane) {
        if (!(sum[lane] < smallest[lane])) continue;
        smallest[lane] = sum[lane];
        for (int place = 0; place < kArea; ++place) {
          best_[place * kBlock64 + lane] = other_[place * kBlock64 + lane];
        }
      }
    }
  }

  void add_up(const float* errors, float* sums) const {
    std::memset(sums, 0, kBlock64 * sizeof(float));
    for (int place = 0; place < kArea; ++place) {
      for (int64_t lane = 0; lane < kBlock64; ++lane) sums[lane] += errors[place * kBlock64 + lane];
    }
  }

  void weigh(int64_t reference, int64_t row, int64_t column, float* errors) {
    load(reference, row, column, errors);
    if (task_.blur != nullptr) {
      blur<kSide, 1>(errors, blurred_);
      blur<1, kSide>(blurred_, errors);
    }
    for (int place = 0; place < kArea; ++place) {
      const float weight = task_.taps[place / kSide] * task_.taps[place % kSide];
      float* lanes = errors + place * kBlock64;
      for (int64_t lane = 0; lane < kBlock64; ++lane) lanes[lane] *= weight;
    }
  }

  void load(int64_t reference, int64_t row, int64_t column, float* errors) const {
    for (int place = 0; place < kArea; ++place) {
      const int64_t across = task_.turned() ? place / kSide : place % kSide;
      const int64_t down = task_.turned() ? place % kSide : place / kSide;
      const int64_t first = field_.lead - kRadius;
      const float* from = strip_.errors + (reference * kArea + place) * field_.positions() +
                          field_.row_part(first + row * field_.stride + down) +
                          field_.column_part(first + column * field_.stride + across);
      float* lanes = errors + place * kBlock64;
      std::memcpy(lanes, from, static_cast<size_t>(count_) * sizeof(float));
      std::memset(lanes + count_, 0, static_cast<size_t>(kBlock64 - count_) * sizeof(float));
    }
  }

  // Along the places of a window that lie kAlong apart; kAcross apart are the lines of them.
  template <int kAlong, int kAcross>
  void blur(const float* __restrict from, float* __restrict to) const {
    for (int line = 0; line < kSide; ++line) {
      for (int at = 0; at < kSide; ++at) {
        float* lanes = to + (line * kAcross + at * kAlong) * kBlock64;
        for (int tap = 0; tap < linescan::kBlurTaps; ++tap) {
          const auto source = static_cast<int>(mirror(at + tap - kHalfBlur, kSide));
          const float* values = from + (line * kAcross + source * kAlong) * kBlock64;
          add_tap(values, task_.blur[tap], tap == 0, lanes);
        }
      }
    }
  }

  static void add_tap(const float* __restrict values, float weight, bool first,
                      float* __restrict lanes) {
    if (first) {
      for (int64_t lane = 0; lane < kBlock64; ++lane) lanes[lane] = values[lane] * weight;
    } else {
      for (int64_t lane = 0; lane < kBlock64; ++lane) lanes[lane] += values[lane] * weight;
    }
  }

  void scatter(int64_t centre_row, int64_t centre_column) {
    for (int place = kArea - 1; place >= 0; --place) {
      const int64_t across = task_.turned() ? place / kSide : place % kSide;
      const int64_t down = task_.turned() ? place % kSide : place / kSide;
      const int64_t row = centre_row + down - kRadius;
      if (row < rows_.first || row >= rows_.last) continue;
      const int64_t column = centre_column + across - kRadius;
      const int64_t begin = column < columns_.first ? lanes_to(columns_.first - column) : 0;
      const int64_t end = least(count_, lanes_to(columns_.last - column));
      add_lanes(best_ + place * kBlock64, begin, end, scores_ + task_.place(row, column));
    }
  }

  int64_t lanes_to(int64_t columns) const { return divide_up(columns, field_.stride); }

  void add_lanes(const float* __restrict from, int64_t begin, int64_t end,
                 float* __restrict to) const {
    const int64_t step = field_.stride * (task_.place(0, 1) - task_.place(0, 0));
    if (step == 1) {
      for (int64_t lane = begin; lane < end; ++lane) to[lane] += from[lane];
    } else {
      for (int64_t lane = begin; lane < end; ++lane) to[lane * step] += from[lane];
    }
  }

  const Strip& strip_;
  const ExactTask& task_;
  const Field& field_;
  linescan::Range rows_;
  linescan::Range columns_;
  float* scores_;
  int64_t count_ = 0;
  float* best_;
  float* other_;
  float* blurred_;
};

}  // namespace
