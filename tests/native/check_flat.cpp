// The flat field on random parts of lines: each path held to plain loops, and to its part.
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

// Some samples of a line, each mixed from two that are none of them.
std::vector<linescan::SampleFill> draw_fills(Random& random, int64_t samples) {
  std::vector<int64_t> good;
  std::vector<int64_t> filled;
  for (int64_t sample = 0; sample < samples; ++sample) {
    const bool bad = pick(random, 0, 19) == 0 && sample + 1 < samples;
    (bad ? filled : good).push_back(sample);
  }
  const auto source = [&] {
    return good[static_cast<size_t>(pick(random, 0, static_cast<int64_t>(good.size()) - 1))];
  };
  std::vector<linescan::SampleFill> fills;
  for (const int64_t sample : filled) {
    const int64_t left = source();
    const int64_t share = pick(random, 0, int64_t{1} << linescan::kShareBits);
    fills.push_back({sample, left, source(), static_cast<uint32_t>(share)});
  }
  return fills;
}

template <class Field, class Level, class Offset>
void check(Random& random, int64_t point, void (*linescan::FlatKernel::*form)(const Field&)) {
  constexpr int64_t kMost = std::numeric_limits<Level>::max();
  const int64_t lines = pick(random, 0, 3);
  const int64_t samples = pick(random, 1, 2300);
  const std::vector<Level> raw = draw<Level>(random, lines * samples);
  const auto gain = draw<uint16_t>(random, samples);
  const auto offset = draw<Offset>(random, samples);
  const auto fills = draw_fills(random, samples);
  const int64_t first = pick(random, 0, samples - 1);
  const int64_t count = pick(random, 1, samples - first);
  const int64_t step = count + pick(random, 0, 70);
  const std::vector<Level> before = draw<Level>(random, lines * step);
  std::vector<Level> expected = before;
  for (int64_t line = 0; line < lines; ++line) {
    std::vector<int64_t> whole;
    for (int64_t sample = 0; sample < samples; ++sample) {
      const auto here = static_cast<size_t>(sample);
      const int64_t level = raw[static_cast<size_t>(line * samples + sample)];
      whole.push_back(plain(level, gain[here], offset[here], point, kMost));
    }
    for (const auto& fill : fills) {
      const int64_t share = fill.right_share;
      const int64_t sum = whole[static_cast<size_t>(fill.left)] * (4096 - share) +
                          whole[static_cast<size_t>(fill.right)] * share;
      whole[static_cast<size_t>(fill.sample)] = (sum + 2048) / 4096;
    }
    for (int64_t at = 0; at < count; ++at) {
      expected[static_cast<size_t>(line * step + at)] =
          static_cast<Level>(whole[static_cast<size_t>(first + at)]);
    }
  }
  const auto is_before = [](const linescan::SampleFill& fill, int64_t sample) {
    return fill.sample < sample;
  };
  const auto begin = std::lower_bound(fills.begin(), fills.end(), first, is_before);
  const auto end = std::lower_bound(fills.begin(), fills.end(), first + count, is_before);
  for (const std::string& path : linescan::usable_paths()) {
    const auto run = linescan::flat_kernel(path).*form;
    std::vector<Level> corrected = before;
    run({raw.data() + first, gain.data() + first, offset.data() + first, lines, count, samples,
         corrected.data(), step, first, fills.data() + (begin - fills.begin()), end - begin});
    if (corrected != expected) fail("flat_field", path, {point, lines, samples});
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
