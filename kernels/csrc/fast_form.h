// The fast form of FCA by running box sums, once for every instruction set; knows no platform.
//
// A row of the map is taken with `group` channels side by side, so that narrow maps fill the
// vectors too, and its columns are dealt out by phase (column modulo stride), so that every sum is
// one of neighbouring lanes. Per level the kernel keeps two running sums down the rows: how many
// values of a window column lie above the level, and the errors of the windows that cover a row.
#pragma once

#include <cstring>

#include "fast_task.h"
#include "look_up.h"
#include "planes.h"
#include "span_sums.h"

namespace {

using linescan::Channels;
using linescan::FastTask;

constexpr int kMaxGroup = 16;
constexpr uint8_t kNoLevel = 0xff;
// Bytes of running sums at a time. They are read in order, so that the second-level cache serves as
// well as the first; fewer wasted lanes matter more.
constexpr int64_t kStateBytes = 160 * 1024;

template <class Simd, int kSide, int kStride>
class FastForm {
  using Bytes = typename Simd::Bytes;
  using Words = typename Simd::Words;

  static constexpr int kLanes = sizeof(Bytes);
  static constexpr int kRadius = kSide / 2;
  static constexpr int kArea = kSide * kSide;
  // Of every phase a window holds kShared columns, of the first kExtra phases one more.
  static constexpr int kShared = kSide / kStride;
  static constexpr int kExtra = kSide % kStride;
  // Window lanes before the first, and window rows (or columns) that cover a position at most.
  static constexpr int kLead = kRadius / kStride;
  static constexpr int kHeld = (kSide + kStride - 1) / kStride;
  // When a window row is added, kStride rows of positions are complete: the first kWhole of them
  // are covered by kHeld window rows, the others by one less.
  static constexpr int kWhole = (kSide - 1) % kStride + 1;

  static constexpr int first_column(int phase) {
    return kLead - (kRadius - phase + kStride) / kStride + 1;
  }
  static constexpr int covering_columns(int phase) {
    const int before = (kRadius - phase + kStride) / kStride - 1;
    return before + (kRadius + phase) / kStride + 1;
  }

 public:
  static size_t bytes(const FastTask& task) {
    return static_cast<size_t>(FastForm(task, nullptr).pieces_.used());
  }

  static void add(const FastTask& task, Channels channels, uint8_t* scratch, int32_t* totals) {
    FastForm form(task, scratch);
    form.run(channels, totals);
  }

 private:
  FastForm(const FastTask& task, uint8_t* scratch)
      : task_(task),
        pieces_(scratch),
        rows_(task.rows()),
        columns_(task.columns()),
        levels_(task.levels_count),
        window_rows_(divide_up(rows_, kStride)),
        window_columns_(divide_up(columns_, kStride)),
        samples_(window_columns_ + kShared - 1 + (kExtra > 0)),
        pitch_(most(samples_, window_columns_ + most(kLead, divide_up(kRadius, kStride)))),
        group_(choose_group()),
        vectors_(vectors_of(group_)),
        lanes_(vectors_ * kLanes) {
    line_ = pieces_.take<uint8_t>(columns_ + kSide + kStride + kLanes);
    turned_ = pieces_.take<uint8_t>(task.transposed() ? group_ * rows_ * columns_ : 0);
    // One row of zeros follows: nothing lies above a level there.
    planes_ = pieces_.take<uint8_t>((rows_ + 1) * kStride * lanes_);
    counts_ = pieces_.take<uint8_t>(levels_ * kStride * lanes_);
    held_ = pieces_.take<uint8_t>(kHeld * levels_ * lanes_);
    sums_ = pieces_.take<uint8_t>(levels_ * lanes_);
    lower_ = pieces_.take<uint8_t>(lanes_);
    tables_ = pieces_.take<uint8_t>(group_ * levels_ * kTableSize);
    masks_ = pieces_.take<uint8_t>(group_ * lanes_);
    reach_ = pieces_.take<Reach>(vectors_);
    own_ = pieces_.take<uint16_t>(kStride * kStride * lanes_);
    found_ = pieces_.take<uint16_t>(rows_ * kStride * lanes_);
  }

  // Which channels of the group have windows in a vector: first..last.
  struct Reach {
    int32_t first;
    int32_t last;
  };

  int64_t vectors_of(int64_t group) const { return divide_up(kLead + group * pitch_, kLanes); }

  // The number of channels side by side that wastes the fewest lanes.
  int64_t choose_group() const {
    const int64_t state = levels_ * (kStride + kHeld + 1);
    const int64_t limit = least(kMaxGroup, task_.channels);
    int64_t best = 1;
    for (int64_t group = 2; group <= limit && vectors_of(group) * kLanes * state <= kStateBytes;
         ++group) {
      if (vectors_of(group) * best <= vectors_of(best) * group) best = group;
    }
    return best;
  }

  int largest_error() const { return levels_ - 1; }
  // Running sums of errors are bytes: larger errors are scored in two or more parts.
  int error_step() const { return static_cast<int>(least(largest_error(), 255 / kHeld)); }

  void run(Channels channels, int32_t* totals) {
    make_masks();
    clear_found();
    const int64_t largest = int64_t{kHeld} * kHeld * error_step();
    int64_t room = 65535 / largest;
    for (int64_t first = channels.first; first < channels.last; first += group_) {
      present_ = least(group_, channels.last - first);
      load_planes(first);
      for (int floor = 0; floor < largest_error(); floor += error_step()) {
        add_errors(first, floor);
        if (--room == 0) {
          collect(totals);
          room = 65535 / largest;
        }
      }
    }
    collect(totals);
  }

  void make_masks() {
    std::memset(masks_, 0, static_cast<size_t>(group_ * lanes_));
    for (int64_t channel = 0; channel < group_; ++channel) {
      std::memset(masks_ + channel * lanes_ + kLead + channel * pitch_, 0xff,
                  static_cast<size_t>(window_columns_));
    }
    for (int64_t vector = 0; vector < vectors_; ++vector) {
      reach_[vector] = reach_of(vector * kLanes, (vector + 1) * kLanes);
    }
  }

  Reach reach_of(int64_t begin, int64_t end) const {
    Reach reach{0, -1};
    for (int64_t channel = 0; channel < group_; ++channel) {
      const int64_t start = kLead + channel * pitch_;
      if (start >= end || start + window_columns_ <= begin) continue;
      if (reach.last < 0) reach.first = static_cast<int32_t>(channel);
      reach.last = static_cast<int32_t>(channel);
    }
    return reach;
  }

  void clear_found() {
    std::memset(found_, 0, static_cast<size_t>(rows_ * kStride * lanes_) * sizeof(uint16_t));
  }

  // Row `row` of channel `channel` of the group, in the orientation of the task.
  const uint8_t* source(int64_t first, int64_t channel, int64_t row) const {
    const uint8_t* base = task_.transposed() ? turned_ + channel * rows_ * columns_
                                             : task_.levels + (first + channel) * rows_ * columns_;
    return base + row * columns_;
  }

  void load_planes(int64_t first) {
    std::memset(planes_, 0, static_cast<size_t>((rows_ + 1) * kStride * lanes_));
    for (int64_t channel = 0; channel < present_; ++channel) {
      if (task_.transposed()) {
        transpose(task_.levels + (first + channel) * rows_ * columns_, rows_, columns_,
                  turned_ + channel * rows_ * columns_);
      }
      for (int64_t row = 0; row < rows_; ++row) {
        load_row(source(first, channel, row),
                 planes_ + row * kStride * lanes_ + kLead + channel * pitch_);
      }
    }
  }

  // One row mirrored at its ends and dealt out by phase.
  void load_row(const uint8_t* row, uint8_t* lanes) {
    std::memcpy(line_ + kRadius, row, static_cast<size_t>(columns_));
    for (int64_t out = 1; out <= kRadius; ++out) {
      line_[kRadius - out] = row[mirror(-out, columns_)];
      line_[kRadius + columns_ - 1 + out] = row[mirror(columns_ - 1 + out, columns_)];
    }
    for (int phase = 0; phase < kStride; ++phase) {
      deal<kStride>(line_ + phase, samples_, lanes + phase * lanes_);
    }
  }

  // Padded row of a window as a row of the planes.
  const uint8_t* plane(int64_t padded) const {
    return planes_ + mirror(padded - kRadius, rows_) * kStride * lanes_;
  }

  void add_errors(int64_t first, int floor) {
    std::memset(held_, 0, static_cast<size_t>(kHeld * levels_ * lanes_));
    std::memset(sums_, 0, static_cast<size_t>(levels_ * lanes_));
    start_counts();
    int64_t band = -1;
    const int64_t last = (rows_ - 1 + kRadius) / kStride;
    for (int64_t row = 0; row <= last; ++row) {
      const bool windows = row < window_rows_;
      if (windows && task_.band(row * kStride) != band) {
        band = task_.band(row * kStride);
        make_tables(first, band, floor);
      }
      load_own(row);
      add_window_row(row, windows);
    }
  }

  // What the first window row holds but for its last kStride rows.
  void start_counts() {
    std::memset(counts_, 0, static_cast<size_t>(levels_ * kStride * lanes_));
    for (int64_t padded = 0; padded < kSide - kStride; ++padded) {
      for (int level = 0; level + 1 < levels_; ++level) {
        uint8_t* counts = counts_ + level * kStride * lanes_;
        const Bytes limit = Simd::fill(static_cast<uint8_t>(level));
        for (int64_t lane = 0; lane < kStride * lanes_; lane += kLanes) {
          const Bytes values = Simd::load(plane(padded) + lane);
          Simd::store(counts + lane, Simd::add_greater(Simd::load(counts + lane), values, limit));
        }
      }
    }
  }

  // Per level and channel: error by the number of values above, counted twice and halved upwards,
  // less `floor` and no more than a byte's worth of running sums.
  void make_tables(int64_t first, int64_t band, int floor) {
    for (int64_t channel = 0; channel < present_; ++channel) {
      const uint8_t* reference =
          task_.reference + (band * task_.channels + first + channel) * kArea;
      uint8_t expected[kTableSize] = {};
      for (int above = 0; above <= kArea; ++above) {
        const int rank = kArea - above;
        expected[above] = reference[rank < kArea ? rank : kArea - 1];
      }
      for (int level = 0; level < levels_; ++level) {
        uint8_t* table = tables_ + (level * group_ + channel) * kTableSize;
        fill_table(expected, level, floor, table);
        Simd::prepare(table);
      }
    }
  }

  void fill_table(const uint8_t* __restrict expected, int level, int floor,
                  uint8_t* __restrict table) const {
    const auto own = static_cast<uint8_t>(level);
    const auto less = static_cast<uint8_t>(floor);
    const auto limit = static_cast<uint8_t>(error_step());
    for (int index = 0; index < kTableSize; ++index) {
      const uint8_t value = expected[index];
      const uint8_t error = value > own ? value - own : own - value;
      const uint8_t part = error > less ? error - less : 0;
      table[index] = part > limit ? limit : part;
    }
  }

  // Rows of positions that window row `row` completes, relative to the map.
  int64_t position_row(int64_t row, int turn) const { return row * kStride - kRadius + turn; }

  // The levels of those rows, by phase, as words of even and of odd lanes. They stand in the planes
  // already, behind what is mirrored.
  void load_own(int64_t row) {
    for (int turn = 0; turn < kStride; ++turn) {
      const int64_t position = position_row(row, turn);
      if (position < 0 || position >= rows_) continue;
      for (int phase = 0; phase < kStride; ++phase) {
        uint16_t* own = own_ + (turn * kStride + phase) * lanes_;
        // The upper half of the words holds the bytes until they are split.
        uint8_t* bytes = reinterpret_cast<uint8_t*>(own) + lanes_;
        std::memset(bytes, kNoLevel, static_cast<size_t>(lanes_));
        const int64_t count = divide_up(columns_ - phase, kStride);
        const uint8_t* dealt = planes_ +
                               (position * kStride + (phase + kRadius) % kStride) * lanes_ + kLead +
                               (phase + kRadius) / kStride;
        for (int64_t channel = 0; channel < present_; ++channel) {
          std::memcpy(bytes + channel * pitch_, dealt + channel * pitch_,
                      static_cast<size_t>(count));
        }
        split_row(bytes, own);
      }
    }
  }

  void split_row(const uint8_t* bytes, uint16_t* words) {
    for (int64_t lane = 0; lane < lanes_; lane += kLanes) {
      const Split<Simd> halves = split<Simd>(Simd::load(bytes + lane));
      Simd::store(words + lane, halves.even);
      Simd::store(words + lane + kLanes / 2, halves.odd);
    }
  }

  enum class Work { kCount, kTopLevel, kNoWindows };

  void add_window_row(int64_t row, bool windows) {
    const Bytes all = Simd::fill(kArea);
    for (int64_t lane = 0; lane < lanes_; lane += kLanes) Simd::store(lower_ + lane, all);
    const RowPointers pointers = row_pointers(row, windows);
    for (int level = 0; level < levels_; ++level) {
      if (!windows) {
        add_level<Work::kNoWindows>(level_row(pointers, level));
      } else if (level + 1 < levels_) {
        add_level<Work::kCount>(level_row(pointers, level));
      } else {
        add_level<Work::kTopLevel>(level_row(pointers, level));
      }
    }
  }

  struct RowPointers {
    const uint8_t* entering[kStride];  // Rows that the windows gain and lose.
    const uint8_t* leaving[kStride];
    uint16_t* found[kStride];  // Completed rows of positions, null outside the map.
    int64_t newest;            // Slots of `held_`.
    int64_t oldest;
  };

  RowPointers row_pointers(int64_t row, bool windows) const {
    RowPointers pointers{};
    for (int turn = 0; turn < kStride; ++turn) {
      if (windows) {
        pointers.entering[turn] = plane(row * kStride + kSide - kStride + turn);
        pointers.leaving[turn] =
            row == 0 ? planes_ + rows_ * kStride * lanes_ : plane((row - 1) * kStride + turn);
      }
      const int64_t position = position_row(row, turn);
      const bool inside = position >= 0 && position < rows_;
      pointers.found[turn] = inside ? found_ + position * kStride * lanes_ : nullptr;
    }
    pointers.newest = row % kHeld;
    pointers.oldest = (row + 1) % kHeld;
    return pointers;
  }

  // Running sums of the windows above a level, along the row.
  struct Above {
    SpanSum<Simd, Bytes, kShared> shared;
    Shifted<Simd, Bytes, kShared> extra;

    Bytes push(const Bytes* columns) {
      Bytes every = columns[0];
      for (int phase = 1; phase < kStride; ++phase) every += columns[phase];
      if constexpr (kExtra == 0) {
        return shared.push(every);
      } else {
        Bytes some = columns[0];
        for (int phase = 1; phase < kExtra; ++phase) some += columns[phase];
        return shared.push(every) + extra.push(some);
      }
    }
  };

  // Where one level of one window row finds its running sums; held in registers, because a store
  // of bytes might change any member of the object.
  struct LevelRow {
    RowPointers rows;
    uint8_t* counts;
    uint8_t* lower;
    uint8_t* newest;
    const uint8_t* oldest;
    uint8_t* sums;
    const uint8_t* tables;
    const uint8_t* masks;
    const Reach* reach;
    const uint16_t* own;
    int64_t lanes;
    int64_t vectors;
    int level;
  };

  LevelRow level_row(const RowPointers& rows, int level) const {
    return {rows,
            counts_ + level * kStride * lanes_,
            lower_,
            held_ + (rows.newest * levels_ + level) * lanes_,
            held_ + (rows.oldest * levels_ + level) * lanes_,
            sums_ + level * lanes_,
            tables_ + level * group_ * kTableSize,
            masks_,
            reach_,
            own_,
            lanes_,
            vectors_,
            level};
  }

  template <Work kWork>
  static void add_level(const LevelRow at) {
    const Words own_level = Simd::fill_words(static_cast<uint16_t>(at.level));
    Above above;
    Positions<0> whole;
    Positions<0> rest;
    for (int64_t lane = (at.vectors - 1) * kLanes; lane >= 0; lane -= kLanes) {
      Bytes errors = {};
      if constexpr (kWork != Work::kNoWindows) {
        Bytes over = {};
        if constexpr (kWork == Work::kCount) over = count(at, lane, above);
        errors = look_up(at, lane, over);
      }
      const Bytes held = Simd::load(at.sums + lane) + errors;
      Simd::store(at.newest + lane, errors);
      const Bytes kept = held - Simd::load(at.oldest + lane);
      Simd::store(at.sums + lane, kept);
      whole.template push<0, kWhole>(split<Simd>(held), own_level, at, lane);
      if constexpr (kWhole < kStride) {
        rest.template push<kWhole, kStride>(split<Simd>(kept), own_level, at, lane);
      }
    }
  }

  // Values above the level in each window.
  static Bytes count(const LevelRow& at, int64_t lane, Above& above) {
    const Bytes limit = Simd::fill(static_cast<uint8_t>(at.level));
    Bytes columns[kStride];
    for (int phase = 0; phase < kStride; ++phase) {
      const int64_t place = phase * at.lanes + lane;
      Bytes sum = Simd::load(at.counts + place);
      for (int turn = 0; turn < kStride; ++turn) {
        sum = Simd::add_greater(sum, Simd::load(at.rows.entering[turn] + place), limit);
        sum = Simd::less_greater(sum, Simd::load(at.rows.leaving[turn] + place), limit);
      }
      Simd::store(at.counts + place, sum);
      columns[phase] = sum;
    }
    return above.push(columns);
  }

  // Error of the level in each window: by its middle rank, from the table of the window's channel.
  static Bytes look_up(const LevelRow& at, int64_t lane, Bytes over) {
    const Bytes rank = Simd::average(Simd::load(at.lower + lane), over);
    Simd::store(at.lower + lane, over);
    const Reach reach = at.reach[lane / kLanes];
    Bytes errors = look_up_channel(at, lane, reach.first, rank);
    for (int channel = reach.first + 1; channel <= reach.last; ++channel) {
      errors |= look_up_channel(at, lane, channel, rank);
    }
    return errors;
  }

  static Bytes look_up_channel(const LevelRow& at, int64_t lane, int channel, Bytes rank) {
    return Simd::template look_up<kArea>(at.tables + channel * kTableSize, rank) &
           Simd::load(at.masks + channel * at.lanes + lane);
  }

  // Sums of errors along the row, phase by phase, given to the positions of the level.
  template <int kPhase, class Unused = void>
  struct Positions {
    ByteSums<Simd, first_column(kPhase), covering_columns(kPhase)> sums;
    Positions<kPhase + 1> others;

    template <int kFirst, int kLast>
    void push(Split<Simd> errors, Words level, const LevelRow& at, int64_t lane) {
      const Split<Simd> covering = sums.push(errors);
      for (int turn = kFirst; turn < kLast; ++turn) {
        if (at.rows.found[turn] == nullptr) continue;
        const uint16_t* own = at.own + (turn * kStride + kPhase) * at.lanes + lane;
        uint16_t* found = at.rows.found[turn] + kPhase * at.lanes + lane;
        give(found, own, level, covering.even);
        give(found + kLanes / 2, own + kLanes / 2, level, covering.odd);
      }
      others.template push<kFirst, kLast>(errors, level, at, lane);
    }

    static void give(uint16_t* found, const uint16_t* own, Words level, Words errors) {
      const Words sum =
          Simd::add_equal(Simd::load_words(found), Simd::load_words(own), level, errors);
      Simd::store(found, sum);
    }
  };

  template <class Unused>
  struct Positions<kStride, Unused> {
    template <int, int>
    void push(Split<Simd>, Words, const LevelRow&, int64_t) {}
  };

  // Empty the 16-bit sums into the totals, channel by channel.
  void collect(int32_t* totals) {
    for (int64_t row = 0; row < rows_; ++row) {
      for (int phase = 0; phase < kStride; ++phase) {
        const uint16_t* found = found_ + (row * kStride + phase) * lanes_;
        for (int64_t channel = 0; channel < group_; ++channel) {
          collect_row(found, channel * pitch_, phase, totals + row * columns_);
        }
      }
    }
    clear_found();
  }

  void collect_row(const uint16_t* found, int64_t start, int phase, int32_t* totals) const {
    int64_t lane = start;
    for (int64_t column = phase; column < columns_; column += kStride, ++lane) {
      const int64_t inside = lane % kLanes;
      const int64_t half = inside % 2 * (kLanes / 2) + inside / 2;
      totals[column] += found[lane - inside + half];
    }
  }

  const FastTask& task_;
  Pieces pieces_;
  const int64_t rows_;
  const int64_t columns_;
  const int levels_;
  const int64_t window_rows_;
  const int64_t window_columns_;
  const int64_t samples_;
  const int64_t pitch_;
  const int64_t group_;
  const int64_t vectors_;
  const int64_t lanes_;
  int64_t present_ = 0;
  uint8_t* line_;
  uint8_t* turned_;
  uint8_t* planes_;
  uint8_t* counts_;
  uint8_t* held_;
  uint8_t* sums_;
  uint8_t* lower_;
  uint8_t* tables_;
  uint8_t* masks_;
  Reach* reach_;
  uint16_t* own_;
  uint16_t* found_;
};

template <class Simd, int kSide, int kStride>
linescan::FastKernel kernel_of() {
  if constexpr (kStride <= kSide) {
    return {&FastForm<Simd, kSide, kStride>::bytes, &FastForm<Simd, kSide, kStride>::add};
  } else {
    return {nullptr, nullptr};
  }
}

template <class Simd, int kSide>
linescan::FastKernel kernel_for_stride(int stride) {
  switch (stride) {
    case 1:
      return kernel_of<Simd, kSide, 1>();
    case 2:
      return kernel_of<Simd, kSide, 2>();
    case 3:
      return kernel_of<Simd, kSide, 3>();
    case 4:
      return kernel_of<Simd, kSide, 4>();
    default:
      return {nullptr, nullptr};
  }
}

template <class Simd>
linescan::FastKernel kernel_for(int side, int stride) {
  switch (side) {
    case 3:
      return kernel_for_stride<Simd, 3>(stride);
    case 5:
      return kernel_for_stride<Simd, 5>(stride);
    case 7:
      return kernel_for_stride<Simd, 7>(stride);
    case 9:
      return kernel_for_stride<Simd, 9>(stride);
    case 11:
      return kernel_for_stride<Simd, 11>(stride);
    default:
      return {nullptr, nullptr};
  }
}

}  // namespace
