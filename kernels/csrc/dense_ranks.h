// Replaces floats by their dense ranks, which compare alike and are shorter.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linescan {

constexpr int64_t kMostRanked = 65535;

// Scratch memory, in bytes, for `count` values.
size_t dense_ranks_bytes(int64_t count);

// ranks[i] is the number of different values below values[i] (finite, -0 equal to 0), at most
// kMostRanked of them. `scratch` is aligned to 64 bytes.
void dense_ranks(const float* values, int64_t count, uint8_t* scratch, uint16_t* ranks);

}  // namespace linescan
