// The flat field on random lines: each path held to plain loops, apart and in place.
#include <algorithm>
#include <limits>

#include "paths.h"
#include "random_maps.h"

namespace checks {
namespace {

// Now and then the ends of the range, where sums would wrap.
template <class Item>
std::vector<Item> draw(Random& random, int64_t count) {
  constexpr int64_t kMost = std::numeric_limits<Item>::max();
  std::vector<Item> items(static_cast<size_t>(count));
  for (Item& item : items) {
    const int64_t kind = pick(random, 0, 9);
    item = static_cast<Item>(kind == 0 ? 0 : kind == 1 ? kMost : pick(random, 0, kMost));
  }
  return items;
}

int64_t plain(int64_t level, int64_t gain, int64_t offset, int64_t point, int64_t most) {
  const int64_t product = (level * gain) >> (linescan::kGainBits - point);
  const int64_t left = std::max<int64_t>(product + (int64_t{1} << (point - 1)) - offset, 0);
  return std::min(left >> point, most);
}

template <class Field, class Level, class Offset>
void check(Random& random, int64_t point, void (*linescan::FlatKernel::*form)(const Field&)) {
  constexpr int64_t kMost = std::numeric_limits<Level>::max();
  const int64_t lines = pick(random, 0, 3);
  const int64_t samples = pick(random, 1, 2300);
  const std::vector<Level> raw = draw<Level>(random, lines * samples);
  const auto gain = draw<uint16_t>(random, samples);
  const auto offset = draw<Offset>(random, samples);
  std::vector<Level> expected(raw.size());
  for (size_t at = 0; at < raw.size(); ++at) {
    const size_t sample = at % static_cast<size_t>(samples);
    expected[at] = static_cast<Level>(plain(raw[at], gain[sample], offset[sample], point, kMost));
  }
  for (const std::string& path : linescan::usable_paths()) {
    const auto run = linescan::flat_kernel(path).*form;
    std::vector<Level> apart(raw.size());
    run({raw.data(), gain.data(), offset.data(), lines, samples, apart.data()});
    std::vector<Level> same = raw;
    run({same.data(), gain.data(), offset.data(), lines, samples, same.data()});
    if (apart != expected || same != expected) fail("flat_field", path, {point, lines, samples});
  }
}

}  // namespace

void check_flat(Random& random) {
  using linescan::ByteField;
  using linescan::FlatKernel;
  using linescan::WordField;
  check<ByteField, uint8_t, uint16_t>(random, linescan::kByteBits, &FlatKernel::bytes);
  check<WordField, uint16_t, uint32_t>(random, linescan::kGainBits, &FlatKernel::words);
}

}  // namespace checks
