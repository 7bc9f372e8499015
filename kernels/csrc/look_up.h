// The tables that the vectors look bytes up in.
#pragma once

#include <cstdint>

// Each instruction set compiles this for itself: the linker may share nothing of it.
namespace {

constexpr int kTableSize = 128;  // Entries by rank or count: 0..121, padded.

}  // namespace
