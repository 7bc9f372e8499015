// What the checks of the kernels draw, and how they fail.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace checks {

using Random = std::mt19937;

inline int64_t pick(Random& random, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random);
}

inline std::vector<uint8_t> random_levels(Random& random, int64_t count, int levels) {
  std::vector<uint8_t> values(static_cast<size_t>(count));
  for (uint8_t& value : values) value = static_cast<uint8_t>(pick(random, 0, levels - 1));
  return values;
}

[[noreturn]] inline void fail(const char* what, const std::string& path,
                              const std::vector<int64_t>& numbers) {
  std::printf("%s differs on %s:", what, path.c_str());
  for (const int64_t number : numbers) std::printf(" %lld", static_cast<long long>(number));
  std::printf("\n");
  std::exit(1);
}

void check_exact(Random& random);
void check_flat(Random& random);

}  // namespace checks
