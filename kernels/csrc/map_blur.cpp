#include "map_blur.h"

#include <algorithm>
#include <cstring>

namespace linescan {
namespace {

constexpr int64_t kHalf = kMapTaps / 2;

int64_t mirror(int64_t index, int64_t length) {
  const int64_t inside = index < 0 ? -index : index;
  return inside < length ? inside : 2 * (length - 1) - inside;
}

// Product and sum apart, tap by tap: the bits of a position do not depend on where it lies.
void add_tap(const float* __restrict from, float weight, int64_t count, float* __restrict to) {
  for (int64_t at = 0; at < count; ++at) to[at] += from[at] * weight;
}

void blur_column(const float* map, int64_t row, int64_t height, int64_t width, const float* taps,
                 float* to) {
  const float* first = map + mirror(row - kHalf, height) * width;
  for (int64_t at = 0; at < width; ++at) to[at] = first[at] * taps[0];
  for (int64_t tap = 1; tap < kMapTaps; ++tap) {
    add_tap(map + mirror(row + tap - kHalf, height) * width, taps[tap], width, to);
  }
}

float blurred(const float* row, int64_t column, int64_t width, const float* taps) {
  float total = row[mirror(column - kHalf, width)] * taps[0];
  for (int64_t tap = 1; tap < kMapTaps; ++tap) {
    total += row[mirror(column + tap - kHalf, width)] * taps[tap];
  }
  return total;
}

void blur_row(const float* __restrict row, int64_t width, const float* taps, float* __restrict to) {
  const int64_t edge = std::min(kHalf, width);
  for (int64_t column = 0; column < edge; ++column) to[column] = blurred(row, column, width, taps);
  for (int64_t column = std::max(edge, width - kHalf); column < width; ++column) {
    to[column] = blurred(row, column, width, taps);
  }
  const int64_t inside = width - 2 * kHalf;
  for (int64_t at = 0; at < inside; ++at) to[kHalf + at] = row[at] * taps[0];
  for (int64_t tap = 1; tap < kMapTaps && inside > 0; ++tap) {
    add_tap(row + tap, taps[tap], inside, to + kHalf);
  }
}

}  // namespace

void blur_map(float* map, float* spare, int64_t height, int64_t width, const float* taps) {
  for (int64_t row = 0; row < height; ++row) {
    blur_column(map, row, height, width, taps, spare + row * width);
  }
  for (int64_t row = 0; row < height; ++row) {
    blur_row(spare + row * width, width, taps, map + row * width);
  }
}

}  // namespace linescan
