// Refuses what the kernels cannot hold, in the project's form of words.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace linescan {

inline void require(bool holds, const char* rule, int64_t value) {
  if (!holds) throw std::invalid_argument(std::string(rule) + ", got " + std::to_string(value));
}

constexpr int64_t kLargestColumn = int64_t{1} << 53;  // So that no sum of two columns wraps.

inline void require_column(int64_t first_column) {
  require(first_column >= 0, "first_column must be >= 0", first_column);
  require(first_column <= kLargestColumn, "first_column must be <= 2 ** 53", first_column);
}

}  // namespace linescan
