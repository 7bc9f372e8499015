// The median reference by counting, once for every instruction set; knows no platform.
//
// C(v) of a window is the number of its values above level v. The lower median over the windows of
// their k-th values is the first level that enough windows do not exceed too often: found by
// bisection on the counts, without sorting windows or values. The map is read transposed, so that
// the windows of a band of columns lie together.
#pragma once

#include <cstring>

#include "median_task.h"
#include "planes.h"
#include "span_sums.h"

namespace {

using linescan::Channels;
using linescan::MedianTask;

template <class Simd, int kSide>
class MedianForm {
  using Bytes = typename Simd::Bytes;

  static constexpr int kLanes = sizeof(Bytes);
  static constexpr int kArea = kSide * kSide;
  static constexpr int kMostLevels = 64;
  // A byte counts so many vectors before it might wrap.
  static constexpr int64_t kMostVectors = 255;

 public:
  static size_t bytes(const MedianTask& task) {
    return static_cast<size_t>(MedianForm(task, nullptr).pieces_.used());
  }

  static void find(const MedianTask& task, Channels channels, uint8_t* scratch) {
    MedianForm form(task, scratch);
    for (int64_t channel = channels.first; channel < channels.last; ++channel) form.run(channel);
  }

 private:
  MedianForm(const MedianTask& task, uint8_t* scratch)
      : task_(task),
        pieces_(scratch),
        rows_(task.window_rows()),
        columns_(task.window_columns()),
        lanes_(divide_up(task.height, kLanes) * kLanes) {
    turned_ = pieces_.take<uint8_t>(task.width * task.height + kLanes);
    line_ = pieces_.take<uint8_t>(lanes_);
    counts_ = pieces_.take<uint8_t>(rows_ * columns_);
    chosen_ = pieces_.take<uint8_t>(rows_ * columns_ + kLanes);
    medians_ = pieces_.take<int32_t>(task.bands * kMostLevels);
  }

  void run(int64_t channel) {
    const int64_t size = task_.height * task_.width;
    transpose(task_.levels + channel * size, task_.width, task_.height, turned_);
    std::memset(turned_ + size, 0, kLanes);
    for (int level = 0; level + 1 < task_.levels_count; ++level) {
      count_windows(level);
      find_medians(level);
    }
    for (int64_t band = 0; band < task_.bands; ++band) {
      write(medians_ + band * kMostLevels,
            task_.reference + (band * task_.channels + channel) * kArea);
    }
  }

  // Values above the level, window by window, the windows of a column together.
  void count_windows(int level) {
    const Bytes limit = Simd::fill(static_cast<uint8_t>(level));
    for (int64_t column = 0; column < columns_; ++column) {
      count_column(turned_ + column * task_.stride_columns * task_.height, limit);
      uint8_t* counts = counts_ + column * rows_;
      if (task_.stride_rows == 1) {
        std::memcpy(counts, line_, static_cast<size_t>(rows_));
      } else {
        for (int64_t row = 0; row < rows_; ++row) counts[row] = line_[row * task_.stride_rows];
      }
    }
  }

  // The same at every row, from the columns of the map under the windows.
  void count_column(const uint8_t* first, Bytes limit) {
    SpanSum<Simd, Bytes, kSide> span;
    for (int64_t lane = lanes_ - kLanes; lane >= 0; lane -= kLanes) {
      // What is read past a column's end is counted by no complete window.
      Bytes above = {};
      for (int column = 0; column < kSide; ++column) {
        above = Simd::add_greater(above, Simd::load(first + column * task_.height + lane), limit);
      }
      Simd::store(line_ + lane, span.push(above));
    }
  }

  void find_medians(int level) {
    int64_t first = -1;
    int64_t last = -1;
    for (int64_t band = 0; band < task_.bands; ++band) {
      int32_t* median = medians_ + band * kMostLevels + level;
      const bool known = first == task_.ranges[2 * band] && last == task_.ranges[2 * band + 1];
      first = task_.ranges[2 * band];
      last = task_.ranges[2 * band + 1];
      *median = known ? *(median - kMostLevels) : median_of(first, last);
    }
  }

  // How many values up to the level the windows hold that are neither the few nor the many.
  int32_t median_of(int64_t first, int64_t last) {
    const int64_t number = (last - first) * rows_;
    const int64_t padded = divide_up(number, kLanes) * kLanes;
    std::memcpy(chosen_, counts_ + first * rows_, static_cast<size_t>(number));
    std::memset(chosen_ + number, 0, static_cast<size_t>(padded - number));
    // Values above are counted: the windows with few values up to the level have many above.
    const int64_t fewer = (number - 1) / 2;
    int low = 0;
    int high = kArea;
    while (low < high) {
      const int middle = (low + high) / 2;
      if (more_than(middle, padded) <= number - 1 - fewer) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return kArea - low;
  }

  // Number of chosen counts above `limit`.
  int64_t more_than(int limit, int64_t padded) const {
    const Bytes bound = Simd::fill(static_cast<uint8_t>(limit));
    int64_t number = 0;
    for (int64_t start = 0; start < padded; start += kMostVectors * kLanes) {
      const int64_t end = least(padded, start + kMostVectors * kLanes);
      Bytes above = {};
      for (int64_t lane = start; lane < end; lane += kLanes) {
        above = Simd::add_greater(above, Simd::load(chosen_ + lane), bound);
      }
      number += total(above);
    }
    return number;
  }

  static int64_t total(Bytes counts) {
    uint8_t lanes[kLanes];
    Simd::store(lanes, counts);
    int32_t sum = 0;
    for (int lane = 0; lane < kLanes; ++lane) sum += lanes[lane];
    return sum;
  }

  // The k-th median is the first level with more than k values up to it. A higher level has no
  // fewer, so that each level takes the ranks that the lower ones left.
  void write(const int32_t* medians, uint8_t* reference) const {
    int32_t done = 0;
    for (int level = 0; level < task_.levels_count; ++level) {
      const int32_t end = level + 1 < task_.levels_count ? medians[level] : kArea;
      std::memset(reference + done, level, static_cast<size_t>(end - done));
      done = end;
    }
  }

  const MedianTask& task_;
  Pieces pieces_;
  const int64_t rows_;
  const int64_t columns_;
  const int64_t lanes_;
  uint8_t* turned_;
  uint8_t* line_;
  uint8_t* counts_;
  uint8_t* chosen_;
  int32_t* medians_;
};

template <class Simd, int kSide>
linescan::MedianKernel median_kernel_of() {
  return {&MedianForm<Simd, kSide>::bytes, &MedianForm<Simd, kSide>::find};
}

template <class Simd>
linescan::MedianKernel median_kernel_for(int side) {
  switch (side) {
    case 3:
      return median_kernel_of<Simd, 3>();
    case 5:
      return median_kernel_of<Simd, 5>();
    case 7:
      return median_kernel_of<Simd, 7>();
    case 9:
      return median_kernel_of<Simd, 9>();
    case 11:
      return median_kernel_of<Simd, 11>();
    default:
      return {nullptr, nullptr};
  }
}

}  // namespace
