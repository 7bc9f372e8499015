// What the fuzzed kernels read out of the bytes of libFuzzer, and how they fail.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "paths.h"

namespace fuzz {

using Input = FuzzedDataProvider;

constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();
constexpr int64_t kMostBands = 64;  // Of a reference that is made for a map.

// One time in sixteen; never once the bytes have run out, which then read as zeros.
inline bool seldom(Input& input) { return input.ConsumeIntegralInRange(0, 15) == 15; }

// Mostly low..high, now and then a little outside.
inline int64_t near(Input& input, int64_t low, int64_t high) {
  if (!seldom(input)) return input.ConsumeIntegralInRange(low, high);
  return input.ConsumeIntegralInRange(low - 3, high + 3);
}

// Now and then anything at all: for numbers that no array must have the size of.
inline int64_t any_near(Input& input, int64_t low, int64_t high) {
  if (!seldom(input)) return near(input, low, high);
  // Where sums wrap.
  if (input.ConsumeBool()) return kHighest - input.ConsumeIntegralInRange(0, 100);
  return input.ConsumeIntegralInRange(kLowest, kHighest);
}

inline int small(int64_t value) {
  const int64_t high = std::numeric_limits<int>::max();
  return static_cast<int>(std::min(high, std::max(-high, value)));
}

// Odd but for one in sixteen.
inline int side_of(Input& input) {
  const int64_t side = any_near(input, 3, 11);
  return small(seldom(input) ? side : side | 1);
}

inline std::string path_of(Input& input) {
  const std::vector<std::string> paths = linescan::usable_paths();
  const size_t last = paths.size() * 8;  // The one behind them is no path of this CPU.
  const size_t chosen = input.ConsumeIntegralInRange<size_t>(0, last);
  return chosen == last ? "sse9" : paths[chosen % paths.size()];
}

inline bool is_usable(const std::string& path) {
  for (const std::string& usable : linescan::usable_paths()) {
    if (usable == path) return true;
  }
  return false;
}

// The input's bytes modulo `limit`, as long as they last; what follows repeats none of them.
inline std::vector<uint8_t> content(Input& input, int64_t count, int limit) {
  const auto size = static_cast<size_t>(std::max<int64_t>(0, count));
  std::vector<uint8_t> values = input.ConsumeBytes<uint8_t>(size);
  std::mt19937 more(static_cast<unsigned>(values.size() + (values.empty() ? 0 : values[0])));
  while (values.size() < size) values.push_back(static_cast<uint8_t>(more()));
  for (uint8_t& value : values) value = static_cast<uint8_t>(value % limit);
  return values;
}

inline int64_t area_of(int side) { return side > 0 && side < 100 ? int64_t{side} * side : 0; }

// Whether `call` is refused in the way that the kernels refuse.
template <class Call>
inline bool refuses(const Call& call) {
  try {
    call();
  } catch (const std::invalid_argument&) {
    return true;
  }
  return false;
}

inline void expect(bool holds, const char* what, const std::string& path) {
  if (holds) return;
  std::fprintf(stderr, "%s on path %s\n", what, path.c_str());
  std::abort();
}

void fuzz_exact(Input& input);

}  // namespace fuzz
