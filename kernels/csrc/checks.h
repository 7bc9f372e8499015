// Refuses what the kernels cannot hold, in the project's form of words.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace linescan {

inline void require(bool holds, const char* rule, int64_t value) {
  if (!holds) throw std::invalid_argument(std::string(rule) + ", got " + std::to_string(value));
}

}  // namespace linescan
