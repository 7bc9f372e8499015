// FCA with the rank of every position in every window, once for every instruction set.
//
// A part of the field, some vectors of neighbouring positions, is worked on with a few channels at
// a time, so that their keys and the sums of the vectors stay in cache.
#pragma once

#include <cstring>

#include "error_form.h"
#include "exact_task.h"
#include "mean_form.h"
#include "part_form.h"
#include "planes.h"
#include "rank_form.h"
#include "vector_aim.h"

namespace {

using linescan::ExactTask;
using linescan::Field;
using linescan::Range;
using linescan::Strip;
using linescan::Ties;

constexpr int64_t kMostTableBytes = 1024 * 1024;

template <class Simd, class Keys, class Errors, int kSide, bool kMean>
class ExactForm {
  using Item = typename Keys::Item;
  using Bytes = typename Simd::Bytes;
  using Sum = typename Errors::Sum;

  static constexpr int kLanes = sizeof(Bytes);
  static constexpr int kKeys = sizeof(typename Keys::Lanes) / sizeof(Item);
  static constexpr int kReach = kSide - 1;
  static constexpr int kArea = kSide * kSide;
  static constexpr int kTableBytes = Errors::kPlanes * kTableSize;
  static constexpr bool kFusable = Errors::kPlanes == 1;  // Bytes all the way.
  using Parts = PartForm<kSide, kLanes>;
  using Aim = VectorAim<kSide, kLanes>;

 public:
  static int64_t parts(const ExactTask& task, const Field& field) {
    return Parts(task, field).count();
  }

  static size_t bytes(const ExactTask& task, const Field& field) {
    const Strip strip{&task, &field, nullptr, 0, nullptr, nullptr};
    return static_cast<size_t>(ExactForm(strip, nullptr).pieces_.used());
  }

  static void add(const Strip& strip, int64_t part, uint8_t* scratch) {
    ExactForm form(strip, scratch);
    form.run(form.parts_.vectors_of(part));
  }

 private:
  ExactForm(const Strip& strip, uint8_t* scratch)
      : strip_(strip),
        task_(*strip.task),
        field_(*strip.field),
        parts_(task_, field_),
        pieces_(scratch) {
    const int64_t most_bands = parts_.most_bands();
    const int64_t table_bytes = most_bands * task_.references * kTableBytes;
    group_ =
        most(1, least(Errors::kMostChannels, least(task_.channels, kMostTableBytes / table_bytes)));
    totals_ = pieces_.take<float>(parts_.most_vectors() * task_.references * kArea * kLanes);
    sums_ = pieces_.take<Sum>(task_.references * kArea * kLanes);
    ranks_ = pieces_.take<uint8_t>(kArea * kLanes);
    ends_ = pieces_.take<uint8_t>(kInPlace ? kArea * kLanes : 0);
    lowest_ = pieces_.take<uint8_t>(kMean ? kLanes : 0);
    values_ = pieces_.take<Value>(2 * kLanes);
    gathered_ = pieces_.take<Item>(
        field_.stride > 1 ? (2 * kReach + 1) * field_.stride * Aim::kPhasePitch : 0);
    tables_ = pieces_.take<uint8_t>(most_bands * task_.references * group_ * kTableBytes);
    means_ = pieces_.take<MeanTable>(kMean ? most_bands * task_.references * group_ : 0);
    bands_ = pieces_.take<int32_t>(kSide * kLanes);
    masks_ = pieces_.take<uint8_t>(most_bands > 1 ? kSide * kLanes * kLanes : 0);
  }

  using Value = typename Errors::Value;

  void run(Range range) {
    const int64_t size = (range.last - range.first) * task_.references * kArea * kLanes;
    std::memset(totals_, 0, static_cast<size_t>(size) * sizeof(float));
    const Range bands = parts_.bands_of(range);
    first_band_ = bands.first;
    bands_count_ = bands.last - bands.first;
    for (int64_t first = 0; first < task_.channels; first += group_) {
      const linescan::Channels channels{first, least(task_.channels, first + group_)};
      make_tables(channels);
      for (int64_t vector = range.first; vector < range.last; ++vector) {
        aim(vector);
        add_vector(channels, totals_ + (vector - range.first) * task_.references * kArea * kLanes);
      }
    }
    for (int64_t vector = range.first; vector < range.last; ++vector) {
      aim(vector);
      write(totals_ + (vector - range.first) * task_.references * kArea * kLanes);
    }
  }

  int64_t table_of(int64_t band, int64_t reference, int64_t channel) const {
    return (band * task_.references + reference) * group_ + channel;
  }

  void make_tables(linescan::Channels channels) {
    for (int64_t band = 0; band < bands_count_; ++band) {
      for (int64_t reference = 0; reference < task_.references; ++reference) {
        const float* from =
            task_.reference +
            ((first_band_ + band) * task_.references + reference) * task_.channels * kArea;
        for (int64_t channel = channels.first; channel < channels.last; ++channel) {
          const int64_t table = table_of(band, reference, channel - channels.first);
          Errors::make_table(from + channel * kArea, tables_ + table * kTableBytes);
          if (kMean) make_mean_table<kArea>(from + channel * kArea, means_[table]);
        }
      }
    }
  }

  // Everything that depends on where a vector lies.
  void aim(int64_t vector) {
    aim_.at(field_, vector / parts_.plane_vectors(), vector % parts_.plane_vectors() * kLanes,
            task_.turned());
    for (int first = 0; first < kSide; ++first) {
      counts_[first] = parts_.list_bands(
          aim_.plane, aim_.start, first,
          {first_band_, bands_ + first * kLanes, masks_ + first * kLanes * kLanes});
    }
  }

  void add_vector(linescan::Channels channels, float* totals) {
    for (int64_t begin = channels.first; begin < channels.last; begin += Errors::kMostChannels) {
      const int64_t end = least(channels.last, begin + Errors::kMostChannels);
      // Floats are added in place, integers flushed before they overflow.
      Sum* sums = open_sums(totals);
      int64_t channel = begin;
      if (paired()) {
        for (; channel + 1 < end; channel += 2) add_two(channel, channel - channels.first, sums);
      }
      for (; channel < end; ++channel) add_channel(channel, channel - channels.first, sums);
      flush(totals);
    }
  }

  static constexpr bool kInPlace = sizeof(Sum) == sizeof(float);

  Sum* open_sums([[maybe_unused]] float* totals) {
    if constexpr (kInPlace) {
      return totals;
    } else {
      std::memset(sums_, 0, static_cast<size_t>(task_.references * kArea * kLanes) * sizeof(Sum));
      return sums_;
    }
  }

  void flush([[maybe_unused]] float* totals) const {
    if constexpr (!kInPlace) {
      for (int64_t place = 0; place < task_.references * kArea; ++place) {
        Errors::flush(sums_ + place * kLanes, totals + place * kLanes);
      }
    }
  }

  bool paired() const { return kInPlace && !kMean && task_.references == 1 && bands_count_ == 1; }

  void add_two([[maybe_unused]] int64_t channel, [[maybe_unused]] int64_t table,
               [[maybe_unused]] Sum* sums) {
    if constexpr (kInPlace && !kMean) {
      for (int which = 0; which < 2; ++which) {
        const Item* keys = keys_of(channel + which);
        load_values(channel + which, keys, values_ + which * kLanes);
        count_ranks(gather(keys), which == 0 ? ranks_ : ends_);
      }
      using Look = OneBand<Simd, kArea, Errors::kPlanes>;
      const Look looks[2] = {Look(tables_ + table * kTableBytes),
                             Look(tables_ + (table + 1) * kTableBytes)};
      Errors::add_two(looks, {aim_.places, aim_.places + aim_.row_ends[kSide - 1]}, {ranks_, ends_},
                      {values_, values_ + kLanes}, sums);
    }
  }

  const Item* keys_of(int64_t channel) const {
    return static_cast<const Item*>(strip_.keys) + channel * strip_.key_step + aim_.offset +
           aim_.start;
  }

  void add_channel(int64_t channel, int64_t table, Sum* sums) {
    const Item* keys = keys_of(channel);
    load_values(channel, keys, values_);
    keys = gather(keys);
    if (fused()) return count_fused(keys, table, sums);
    count_ranks(keys, ranks_);
    for (int64_t reference = 0; reference < task_.references; ++reference) {
      add_reference(table_of(0, reference, table), sums + reference * kArea * kLanes);
    }
  }

  void count_ranks(const Item* keys, uint8_t* ranks) const {
    // Turned, the rows of the field are the columns of the windows.
    const int row_step = task_.turned() ? 1 : kSide;
    const int column_step = task_.turned() ? kSide : 1;
    for (int lane = 0; lane < kLanes; lane += kKeys) {
      const RankStore<Keys> store(ranks + lane, row_step, column_step, kLanes);
      if constexpr (kMean) {
        count<EveryRule<Relation::kBelow>>(keys + lane, store);
        const RankStore<Keys> ends(ends_ + lane, row_step, column_step, kLanes);
        count<EveryRule<Relation::kUpTo>>(keys + lane, ends);
      } else if (task_.ties == Ties::kMid) {
        count_middle(keys + lane, store);
      } else if (task_.turned()) {
        count<TurnedRule<kReach>>(keys + lane, store);
      } else {
        count<RasterRule<kReach>>(keys + lane, store);
      }
    }
  }

  template <class Sink>
  void count_middle(const Item* keys, const Sink& sink) const {
    if constexpr (!Keys::kAlwaysNext) {
      if (!Keys::has_next(Keys::load(keys))) {
        return count<EveryRule<Relation::kBothSlow>>(keys, sink);
      }
    }
    count<EveryRule<Relation::kBoth>>(keys, sink);
  }

  template <class Rule, class Sink>
  void count(const Item* keys, const Sink& sink) const {
    RankForm<Keys, kSide, Rule>::count(keys, aim_.around, sink);
  }

  bool fused() const {
    return kFusable && task_.references == 1 && bands_count_ == 1 && !task_.turned();
  }

  // Ranks become errors as they are counted.
  void count_fused([[maybe_unused]] const Item* keys, [[maybe_unused]] int64_t table,
                   [[maybe_unused]] Sum* sums) const {
    if constexpr (kFusable) {
      const typename Errors::Sink sink{Simd::open(tables_ + table * kTableBytes),
                                       Simd::load(values_), sums};
      if (task_.ties == Ties::kFirst) {
        count<RasterRule<kReach>>(keys, sink);
      } else {
        count_middle(keys, sink);
      }
    }
  }

  // The keys around a vector, those of each phase of a row together: with strides they are read
  // from a copy in which rows lie evenly.
  const Item* gather(const Item* keys) {
    if (field_.stride == 1) return keys;
    for (int row = 0; row <= 2 * kReach; ++row) {
      for (int phase = 0; phase < field_.stride; ++phase) {
        const int64_t apart = field_.column_part(phase) - field_.column_part(aim_.phase_column);
        std::memcpy(gathered_ + (row * field_.stride + phase) * Aim::kPhasePitch,
                    keys + aim_.row_distances[row] + apart - kReach,
                    static_cast<size_t>(kLanes + 2 * kReach) * sizeof(Item));
      }
    }
    return gathered_ + (kReach * field_.stride + aim_.phase_column) * Aim::kPhasePitch + kReach;
  }

  void load_values(int64_t channel, const Item* keys, Value* values) const {
    if constexpr (sizeof(Value) == 1) {
      for (int lane = 0; lane < kLanes; ++lane) values[lane] = keys[lane] ^ Keys::kBias;
    } else if constexpr (sizeof(Item) == 1) {
      for (int lane = 0; lane < kLanes; ++lane) {
        values[Errors::slot(lane)] = static_cast<float>(keys[lane] ^ Keys::kBias);
      }
    } else {
      const float* map = task_.features + channel * task_.height * task_.width;
      const int32_t* places = strip_.places + aim_.offset + aim_.start;
      for (int lane = 0; lane < kLanes; ++lane) values[Errors::slot(lane)] = map[places[lane]];
    }
  }

  void add_reference(int64_t table, Sum* sums) {
    const int64_t step = task_.references * group_;  // From a band's table to the next one's.
    if (bands_count_ == 1) {
      const OneBand<Simd, kArea, Errors::kPlanes> look(tables_ + table * kTableBytes);
      const Segments at{1, bands_, masks_};
      return add_places(look, {aim_.places, aim_.places + aim_.row_ends[kSide - 1]}, table, at,
                        sums);
    }
    int32_t begin = 0;
    for (int row = 0; row < kSide; ++row) {
      const Segments at{counts_[row], bands_ + row * kLanes, masks_ + row * kLanes * kLanes};
      const SeveralBands<Simd, kArea> look(tables_ + table * kTableBytes, step * kTableBytes, at);
      add_places(look, {aim_.places + begin, aim_.places + aim_.row_ends[row]}, table, at, sums);
      begin = aim_.row_ends[row];
    }
  }

  template <class Look>
  void add_places(const Look& look, Places places, [[maybe_unused]] int64_t table,
                  [[maybe_unused]] const Segments& at, Sum* sums) {
    if constexpr (kMean) {
      const MeanTables means{means_ + table, task_.references * group_, at};
      Errors::find_lowest(means, values_, lowest_);
      Errors::add(look, means, places, {ranks_, ends_}, values_, lowest_, sums);
    } else {
      Errors::add(look, places, ranks_, values_, sums);
    }
  }

  void write(float* totals) const {
    const int64_t count = least(kLanes, field_.plane() - aim_.start);
    const auto channels = static_cast<float>(task_.channels);
    for (int64_t at = 0; at < task_.references * kArea * kLanes; ++at) totals[at] /= channels;
    for (int64_t reference = 0; reference < task_.references; ++reference) {
      for (int32_t at = 0; at < aim_.row_ends[kSide - 1]; ++at) {
        const int64_t place = reference * kArea + aim_.places[at];
        float* errors = strip_.errors + place * field_.positions() + aim_.offset + aim_.start;
        for (int64_t lane = 0; lane < count; ++lane) {
          errors[lane] = totals[place * kLanes + Errors::slot(static_cast<int>(lane))];
        }
      }
    }
  }

  const Strip& strip_;
  const ExactTask& task_;
  const Field& field_;
  Parts parts_;
  Pieces pieces_;
  int64_t group_;
  int64_t first_band_ = 0;  // Of the part.
  int64_t bands_count_ = 1;
  Aim aim_;
  int64_t counts_[kSide] = {};  // Of bands.
  float* totals_;
  Sum* sums_;
  uint8_t* ranks_;
  uint8_t* ends_;  // Or the ranks of a second channel.
  uint8_t* lowest_;
  Value* values_;
  Item* gathered_;
  uint8_t* tables_;
  MeanTable* means_;
  int32_t* bands_;
  uint8_t* masks_;
};

}  // namespace
