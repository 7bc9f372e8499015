// The blur of a finished map; knows nothing of scores.
#pragma once

#include <cstdint>

namespace linescan {

constexpr int kMapTaps = 5;

// Blurs (height, width) `map` down and then across with kMapTaps weights, mirrored at its ends;
// `spare` is of the same size. Heights and widths of 3 at least.
void blur_map(float* map, float* spare, int64_t height, int64_t width, const float* taps);

}  // namespace linescan
