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

// Mean of |value - r(k)| over first <= k < end: below `split` the reference is no larger.
inline float mean_error(const MeanTable& table, float value, int first, int end) {
  // As in vectors whose values are all alone: prefix sums are rounded, and the bits would depend on
  // how long the vectors are.
  if (end == first + 1) return std::fabs(table.reference[first] - value);
  const float* above = std::upper_bound(table.reference + first, table.reference + end, value);
  const auto split = static_cast<int>(above - table.reference);
  const double sum = table.sums[first] + table.sums[end] - 2 * table.sums[split] +
                     static_cast<double>(value) * (2 * split - first - end);
  return static_cast<float>(std::max(0.0, sum / (end - first)));
}

// Ranks that equal values take: first[lane] .. end[lane] - 1.
struct RankGroups {
  const uint8_t* first;
  const uint8_t* end;
};

template <int kLanes>
bool all_alone(const uint8_t* __restrict first, const uint8_t* __restrict end) {
  uint8_t alone = 1;
  for (int lane = 0; lane < kLanes; ++lane) alone &= end[lane] == first[lane] + 1;
  return alone != 0;
}

// Tables of the first band; others lie `step` tables further on.
struct MeanTables {
  const MeanTable* first;
  int64_t step;
  Segments at;
};

template <class Errors>
void add_groups(const MeanTables& tables, RankGroups ranks, const float* values, float* sums) {
  const Segments& at = tables.at;
  for (int64_t segment = 0; segment < at.count; ++segment) {
    const MeanTable& table = tables.first[at.bands[segment] * tables.step];
    for (int lane = 0; lane < Errors::kLanes; ++lane) {
      if (at.count > 1 && at.masks[segment * Errors::kLanes + lane] == 0) continue;
      const int slot = Errors::slot(lane);
      sums[slot] += mean_error(table, values[slot], ranks.first[lane], ranks.end[lane]);
    }
  }
}

template <class Errors, class Look>
void add_mean(const Look& look, const MeanTables& tables, Places places, RankGroups ranks,
              const typename Errors::Value* values, typename Errors::Sum* sums) {
  for (const int32_t* place = places.first; place != places.last; ++place) {
    const int64_t start = int64_t{*place} * Errors::kLanes;
    if (all_alone<Errors::kLanes>(ranks.first + start, ranks.end + start)) {
      Errors::add(look, {place, place + 1}, ranks.first, values, sums);
    } else {
      add_groups<Errors>(tables, {ranks.first + start, ranks.end + start}, values, sums + start);
    }
  }
}

}  // namespace
