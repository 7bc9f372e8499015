// Errors averaged over the ranks that equal values share.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "error_form.h"

// Each instruction set compiles this for itself: the linker may share nothing of it.
namespace {

// A reference and its prefix sums: sums[k] is the sum of the first k values.
struct MeanTable {
  float reference[kTableSize];
  double sums[kTableSize + 1];
};

template <int kArea>
void make_mean_table(const float* reference, MeanTable& table) {
  table.sums[0] = 0;
  for (int rank = 0; rank < kArea; ++rank) {
    table.reference[rank] = reference[rank];
    table.sums[rank + 1] = table.sums[rank] + static_cast<double>(reference[rank]);
  }
}

constexpr int kFewRanks = 8;

// Mean of |value - r(k)| over first <= k < end: of a few ranks one by one, of many by the sums of
// those whose reference is no larger and of the others.
inline float mean_error(const MeanTable& table, float value, int first, int end) {
  double sum = 0;
  if (end - first <= kFewRanks) {
    for (int rank = first; rank < end; ++rank) {
      sum += static_cast<double>(std::fabs(table.reference[rank] - value));
    }
  } else {
    const float* above = std::upper_bound(table.reference + first, table.reference + end, value);
    const auto split = static_cast<int>(above - table.reference);
    sum = table.sums[first] + table.sums[end] - 2 * table.sums[split] +
          static_cast<double>(value) * (2 * split - first - end);
  }
  return static_cast<float>(std::max(0.0, sum / (end - first)));
}

// Ranks that equal values take: first[lane] .. end[lane] - 1.
struct RankGroups {
  const uint8_t* first;
  const uint8_t* end;
};

// Tables of the first band; others lie `step` tables further on.
struct MeanTables {
  const MeanTable* first;
  int64_t step;
  Segments at;
};

// Errors of floats averaged over the ranks of their group. Nearly all of them are half the sum of
// two distances to numbers that can be looked up: the references of the first and the last rank for
// a value that is alone or a pair (what mirrored edges make), and twice the mean of the references
// for the smallest value (the zeros of a rectified map), if no reference lies below it. The others
// are worked out one by one.
template <class Simd, int kSide>
struct MeanErrors : FloatErrors<Simd, kSide> {
  using Base = FloatErrors<Simd, kSide>;
  using Bytes = typename Base::Bytes;
  using Floats = typename Base::Floats;
  using Base::kLanes;

  static constexpr int kNumberPlanes = Base::kPlanes;
  static constexpr int kPlanes = 2 * kNumberPlanes;

  static void make_table(const float* reference, uint8_t* table) {
    Base::make_table(reference, table);
    float means[kSide * kSide + 1] = {};  // Of the first k references.
    double sum = 0;
    for (int rank = 0; rank < kSide * kSide; ++rank) {
      sum += static_cast<double>(reference[rank]);
      means[rank + 1] = static_cast<float>(sum / (rank + 1));
    }
    uint8_t* after = table + kNumberPlanes * kTableSize;
    Base::split(means, kSide * kSide + 1, after);
  }

  // Which positions have a value that no reference lies below.
  static void find_lowest(const MeanTables& tables, const float* values, uint8_t* lowest) {
    const Segments& at = tables.at;
    for (int64_t segment = 0; segment < at.count; ++segment) {
      const float least = tables.first[at.bands[segment] * tables.step].reference[0];
      for (int lane = 0; lane < kLanes; ++lane) {
        if (segment > 0 && at.masks[segment * kLanes + lane] == 0) continue;
        lowest[lane] = values[Base::slot(lane)] <= least ? 0xff : 0;
      }
    }
  }

  template <class Look>
  static void add(const Look& look, const MeanTables& tables, Places places, RankGroups ranks,
                  const float* values, const uint8_t* lowest, float* sums) {
    for (const int32_t* place = places.first; place != places.last; ++place) {
      const int64_t start = int64_t{*place} * kLanes;
      const Bytes first = Simd::load(ranks.first + start);
      const Bytes end = Simd::load(ranks.end + start);
      const auto few = (Bytes)(end - first <= 2);
      const Bytes smallest = (Bytes)(first == 0) & Simd::load(lowest) & ~few;
      Floats errors[4];
      find(look, {first, end}, smallest, values, errors);
      const Bytes done = few | smallest;
      work_out(tables, {ranks.first + start, ranks.end + start}, done, values, errors);
      Base::add_errors(errors, sums + start);
    }
  }

 private:
  struct Group {
    Bytes first;
    Bytes end;
  };

  template <class Look>
  static void find(const Look& look, Group ranks, Bytes smallest, const float* values,
                   Floats (&errors)[4]) {
    Bytes first[kNumberPlanes];
    Bytes last[kNumberPlanes];
    for (int plane = 0; plane < kNumberPlanes; ++plane) {
      const Bytes mean = look.look_up(kNumberPlanes + plane, ranks.end) & smallest;
      first[plane] = (look.look_up(plane, ranks.first) & ~smallest) | mean;
      last[plane] = (look.look_up(plane, ranks.end - 1) & ~smallest) | mean;
    }
    Floats others[4];
    Base::distances(first, values, errors);
    Base::distances(last, values, others);
    for (int part = 0; part < 4; ++part) errors[part] = (errors[part] + others[part]) * 0.5f;
  }

  static void work_out(const MeanTables& tables, RankGroups ranks, Bytes done, const float* values,
                       Floats (&errors)[4]) {
    constexpr int kWord = sizeof(uint64_t);
    uint64_t words[kLanes / kWord];
    std::memcpy(words, &done, sizeof(done));
    for (int word = 0; word < kLanes / kWord; ++word) {
      if (words[word] == ~uint64_t{0}) continue;
      for (int lane = word * kWord; lane < (word + 1) * kWord; ++lane) {
        if (done[lane] != 0) continue;
        const int slot = Base::slot(lane);
        errors[slot / (kLanes / 4)][slot % (kLanes / 4)] =
            mean_error(table_of(tables, lane), values[slot], ranks.first[lane], ranks.end[lane]);
      }
    }
  }

  static const MeanTable& table_of(const MeanTables& tables, int lane) {
    const Segments& at = tables.at;
    int64_t segment = at.count - 1;
    while (segment > 0 && at.masks[segment * kLanes + lane] == 0) --segment;
    return tables.first[at.bands[segment] * tables.step];
  }
};

}  // namespace
