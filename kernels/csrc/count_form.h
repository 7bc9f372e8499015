// Histograms of the counts of windows, once for every instruction set; knows no platform.
//
// Per channel and level the values above the level are counted in every window: sums down the
// columns, kept from one row of windows to the next, then along the rows. The counts of a band are
// tallied in four small histograms in turn, so that equal neighbours do not wait for each other.
#pragma once

#include <cstring>

#include "count_task.h"
#include "planes.h"
#include "span_sums.h"

namespace {

using linescan::Channels;
using linescan::CountTask;

template <class Simd, int kSide>
class CountForm {
  using Bytes = typename Simd::Bytes;

  static constexpr int kLanes = sizeof(Bytes);
  static constexpr int kArea = kSide * kSide;
  static constexpr int kBins = kArea + 1;
  static constexpr int kTallies = 4;
  // A barred window is tallied where no bin is: none has so many values.
  static constexpr uint8_t kBarred = 0x7f;
  static constexpr int kPlaces = kBarred + 1;

 public:
  static size_t bytes(const CountTask& task) {
    return static_cast<size_t>(CountForm(task, nullptr).pieces_.used());
  }

  static void add(const CountTask& task, Channels channels, uint8_t* scratch) {
    CountForm form(task, scratch);
    form.prepare();
    for (int64_t channel = channels.first; channel < channels.last; ++channel) form.run(channel);
  }

 private:
  CountForm(const CountTask& task, uint8_t* scratch)
      : task_(task),
        pieces_(scratch),
        columns_(task.window_columns()),
        lanes_(divide_up(task.width, kLanes) * kLanes) {
    map_ = pieces_.take<uint8_t>(task.rows() * lanes_);
    sums_ = pieces_.take<uint8_t>(lanes_);
    counts_ = pieces_.take<uint8_t>(task.window_rows * lanes_);
    barred_ = pieces_.take<uint8_t>(task.window_rows * lanes_);
    tallies_ = pieces_.take<uint16_t>(kTallies * kPlaces);
  }

  void prepare() {
    std::memset(map_, 0, static_cast<size_t>(task_.rows() * lanes_));
    std::memset(tallies_, 0, kTallies * kPlaces * sizeof(uint16_t));
    std::memset(barred_, 0, static_cast<size_t>(task_.window_rows * lanes_));
    for (int64_t row = 0; task_.barred != nullptr && row < task_.window_rows; ++row) {
      const uint8_t* from = task_.barred + row * columns_;
      uint8_t* to = barred_ + row * lanes_;
      for (int64_t column = 0; column < columns_; ++column) {
        to[column * task_.stride_columns] = from[column] != 0 ? kBarred : 0;
      }
    }
  }

  void run(int64_t channel) {
    const uint8_t* from = task_.levels + (channel * task_.height + task_.first_row) * task_.width;
    for (int64_t row = 0; row < task_.rows(); ++row) {
      std::memcpy(map_ + row * lanes_, from + row * task_.width, static_cast<size_t>(task_.width));
    }
    for (int level = 0; level + 1 < task_.levels_count; ++level) {
      count_windows(level);
      for (int64_t band = 0; band < task_.bands; ++band) {
        const int64_t place = (band * task_.channels + channel) * (task_.levels_count - 1) + level;
        tally(band, place * kBins);
      }
    }
  }

  // The counts of a row lie as its columns do: those between two windows are of no interest.
  void count_windows(int level) {
    const Bytes limit = Simd::fill(static_cast<uint8_t>(level));
    for (int64_t row = 0; row < task_.window_rows; ++row) {
      count_row(row, limit, counts_ + row * lanes_);
    }
  }

  void count_row(int64_t row, Bytes limit, uint8_t* counts) {
    const uint8_t* top = map_ + row * task_.stride_rows * lanes_;
    const bool kept = row > 0 && 2 * task_.stride_rows < kSide;
    SpanSum<Simd, Bytes, kSide> span;
    for (int64_t lane = lanes_ - kLanes; lane >= 0; lane -= kLanes) {
      const Bytes above = kept ? moved_sum(top + lane, Simd::load(sums_ + lane), limit)
                               : whole_sum(top + lane, limit);
      Simd::store(sums_ + lane, above);
      const Bytes barred = Simd::load(barred_ + row * lanes_ + lane);
      Simd::store(counts + lane, span.push(above) | barred);
    }
  }

  // Values above the limit in the side rows from `first` on.
  Bytes whole_sum(const uint8_t* first, Bytes limit) const {
    Bytes above = {};
    for (int row = 0; row < kSide; ++row) {
      above = Simd::add_greater(above, Simd::load(first + row * lanes_), limit);
    }
    return above;
  }

  // The same from what it was `stride_rows` before.
  Bytes moved_sum(const uint8_t* first, Bytes above, Bytes limit) const {
    for (int64_t row = -task_.stride_rows; row < 0; ++row) {
      above = Simd::less_greater(above, Simd::load(first + row * lanes_), limit);
      above = Simd::add_greater(above, Simd::load(first + (row + kSide) * lanes_), limit);
    }
    return above;
  }

  void tally(int64_t band, int64_t place) {
    const int64_t first = task_.ranges[2 * band] * task_.stride_columns;
    const int64_t number = task_.ranges[2 * band + 1] - task_.ranges[2 * band];
    const int64_t rows_at_once = linescan::kMostWindowColumns / number;
    for (int64_t start = 0; start < task_.window_rows; start += rows_at_once) {
      const int64_t end = least(task_.window_rows, start + rows_at_once);
      for (int64_t row = start; row < end; ++row) tally_row(counts_ + row * lanes_ + first, number);
      empty_tallies(place);
    }
  }

  void tally_row(const uint8_t* counts, int64_t number) {
    const int64_t step = task_.stride_columns;
    uint16_t* const tallies = tallies_;
    int64_t left = number;
    for (; left >= kTallies; left -= kTallies) {
      ++tallies[counts[0]];
      ++tallies[kPlaces + counts[step]];
      ++tallies[2 * kPlaces + counts[2 * step]];
      ++tallies[3 * kPlaces + counts[3 * step]];
      counts += kTallies * step;
    }
    for (; left > 0; --left, counts += step) ++tallies[*counts];
  }

  void empty_tallies(int64_t place) {
    if (task_.item_bytes == 1) add_tallies(static_cast<uint8_t*>(task_.histogram) + place);
    if (task_.item_bytes == 2) add_tallies(static_cast<uint16_t*>(task_.histogram) + place);
    if (task_.item_bytes == 4) add_tallies(static_cast<uint32_t*>(task_.histogram) + place);
    std::memset(tallies_, 0, kTallies * kPlaces * sizeof(uint16_t));
  }

  template <class Item>
  void add_tallies(Item* __restrict bins) const {
    const uint16_t* __restrict tally = tallies_;
    for (int bin = 0; bin < kBins; ++bin) {
      const int more =
          tally[bin] + tally[kPlaces + bin] + tally[2 * kPlaces + bin] + tally[3 * kPlaces + bin];
      bins[bin] = static_cast<Item>(bins[bin] + static_cast<Item>(more));
    }
  }

  const CountTask& task_;
  Pieces pieces_;
  const int64_t columns_;
  const int64_t lanes_;
  uint8_t* map_;
  uint8_t* sums_;
  uint8_t* counts_;
  uint8_t* barred_;
  uint16_t* tallies_;
};

template <class Simd, int kSide>
linescan::CountKernel count_kernel_of() {
  return {&CountForm<Simd, kSide>::bytes, &CountForm<Simd, kSide>::add};
}

template <class Simd>
linescan::CountKernel count_kernel_for(int side) {
  switch (side) {
    case 3:
      return count_kernel_of<Simd, 3>();
    case 5:
      return count_kernel_of<Simd, 5>();
    case 7:
      return count_kernel_of<Simd, 7>();
    case 9:
      return count_kernel_of<Simd, 9>();
    case 11:
      return count_kernel_of<Simd, 11>();
    default:
      return {nullptr, nullptr};
  }
}

}  // namespace
