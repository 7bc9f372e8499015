#include "dense_ranks.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace linescan {
namespace {

// Values are sorted by their place between the smallest and the largest, in two passes of 11 bits,
// and then put right where several fell into one of the 4 million places.
constexpr int kDigitBits = 11;
constexpr uint32_t kBins = 1u << kDigitBits;
constexpr uint32_t kDigitMask = kBins - 1;
constexpr int kOrderBits = 16;
constexpr int64_t kMostMovesPerValue = 8;
// Floats do where nothing can overflow; a little less than the scale keeps rounding inside.
constexpr double kLeastFloatScale = 1e-30;
constexpr double kMostFloatScale = 1e30;
constexpr double kBelowOne = 1 - 1e-6;

struct Memory {
  uint32_t* places;
  uint32_t* half_sorted;  // Upper digit of the place, and which value it is.
  uint16_t* order;
  uint32_t* low_bins;
  uint32_t* high_bins;
};

Memory carve(uint8_t* scratch, int64_t count) {
  auto* places = reinterpret_cast<uint32_t*>(scratch);
  uint32_t* bins = places + 2 * count;
  return {places, places + count, reinterpret_cast<uint16_t*>(bins + 2 * kBins), bins,
          bins + kBins};
}

// Monotone in any precision: rounding keeps the order.
template <class Real>
void find_places(const float* values, int64_t count, Real smallest, Real scale, uint32_t* places) {
  for (int64_t at = 0; at < count; ++at) {
    const auto place = static_cast<int32_t>((static_cast<Real>(values[at]) - smallest) * scale);
    // What is not finite, and refused by the callers, must do no harm either.
    places[at] = std::min(static_cast<uint32_t>(place), kBins * kBins - 1);
  }
}

struct Extremes {
  float smallest;
  float largest;
};

// In lanes of its own: the compiler may not reorder what it does not know to be free of NaN.
Extremes find_extremes(const float* values, int64_t count) {
  constexpr int kLanes = 16;
  float low[kLanes];
  float high[kLanes];
  std::fill_n(low, kLanes, values[0]);
  std::fill_n(high, kLanes, values[0]);
  for (int64_t start = 0; start < count; start += kLanes) {
    const int64_t first = std::min(start, std::max<int64_t>(0, count - kLanes));
    const int64_t lanes = std::min<int64_t>(kLanes, count);
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const float value = values[first + lane];
      low[lane] = value < low[lane] ? value : low[lane];
      high[lane] = value > high[lane] ? value : high[lane];
    }
  }
  return {*std::min_element(low, low + kLanes), *std::max_element(high, high + kLanes)};
}

void start_bins(uint32_t* bins) {
  uint32_t start = 0;
  for (uint32_t bin = 0; bin < kBins; ++bin) start += std::exchange(bins[bin], start);
}

void sort_places(Memory& memory, int64_t count) {
  std::memset(memory.low_bins, 0, 2 * kBins * sizeof(uint32_t));
  for (int64_t at = 0; at < count; ++at) {
    ++memory.low_bins[memory.places[at] & kDigitMask];
    ++memory.high_bins[memory.places[at] >> kDigitBits];
  }
  start_bins(memory.low_bins);
  start_bins(memory.high_bins);
  for (int64_t at = 0; at < count; ++at) {
    const uint32_t place = memory.places[at];
    memory.half_sorted[memory.low_bins[place & kDigitMask]++] =
        place >> kDigitBits << kOrderBits | static_cast<uint32_t>(at);
  }
  for (int64_t at = 0; at < count; ++at) {
    const uint32_t entry = memory.half_sorted[at];
    memory.order[memory.high_bins[entry >> kOrderBits]++] = static_cast<uint16_t>(entry);
  }
}

// An integer in the order of the values, also where one is no number.
int32_t ordered_bits(float value) {
  value += 0.0f;  // -0 becomes 0.
  int32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits < 0 ? INT32_MIN - bits : bits;
}

// Sorts what is almost sorted by insertion, and anything else by comparison.
void put_right(const float* values, int64_t count, uint16_t* order) {
  int64_t moves = 0;
  for (int64_t at = 1; at < count; ++at) {
    const uint16_t own = order[at];
    int64_t to = at;
    for (; to > 0 && values[own] < values[order[to - 1]]; --to) order[to] = order[to - 1];
    order[to] = own;
    moves += at - to;
    if (moves > kMostMovesPerValue * count) {
      std::sort(order, order + count, [values](uint16_t a, uint16_t b) {
        return ordered_bits(values[a]) < ordered_bits(values[b]);
      });
      return;
    }
  }
}

}  // namespace

size_t dense_ranks_bytes(int64_t count) {
  return static_cast<size_t>(2 * count + 2 * kBins) * sizeof(uint32_t) +
         static_cast<size_t>(count) * sizeof(uint16_t);
}

void dense_ranks(const float* values, int64_t count, uint8_t* scratch, uint16_t* ranks) {
  const auto [smallest, largest] = find_extremes(values, count);
  std::memset(ranks, 0, static_cast<size_t>(count) * sizeof(uint16_t));
  if (smallest == largest) return;
  Memory memory = carve(scratch, count);
  const double range = static_cast<double>(largest) - static_cast<double>(smallest);
  const double scale = (kBins * kBins - 1) / range;
  if (scale > kLeastFloatScale && scale < kMostFloatScale) {
    const auto narrow = static_cast<float>(scale * kBelowOne);
    find_places(values, count, smallest, narrow, memory.places);
  } else {
    find_places(values, count, static_cast<double>(smallest), scale, memory.places);
  }
  sort_places(memory, count);
  put_right(values, count, memory.order);
  uint16_t rank = 0;
  for (int64_t at = 1; at < count; ++at) {
    rank = static_cast<uint16_t>(rank + (values[memory.order[at]] > values[memory.order[at - 1]]));
    ranks[memory.order[at]] = rank;
  }
}

}  // namespace linescan
