// Holds the kernels of every path to plain loops on random maps, for the sanitizers to watch.
//
// Usage: check_kernels SECONDS [SEED]. Prints what it checked; exits with 1 at the first
// difference.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>
#include <vector>

#include "count_windows.h"
#include "fast_score.h"
#include "median_floats.h"
#include "median_reference.h"
#include "paths.h"
#include "plain_kernels.h"
#include "random_maps.h"

using checks::fail;
using checks::pick;
using checks::Random;
using checks::random_levels;
using linescan::CountTask;
using linescan::FastTask;
using linescan::MedianTask;

namespace {

void check_fast(Random& random) {
  FastTask task{};
  task.side = static_cast<int>(1 + 2 * pick(random, 1, 5));
  task.stride = static_cast<int>(pick(random, 1, std::min(4, task.side)));
  task.levels_count = static_cast<int>(pick(random, 4, 32));
  task.channels = pick(random, 1, 20);
  task.height = task.side + pick(random, 0, 20);
  task.width = task.side + pick(random, 0, 90);
  task.band_width = pick(random, 0, 1) * pick(random, 1, 12);
  task.first_column = pick(random, 0, 20);
  const int64_t area = int64_t{task.side} * task.side;
  const int64_t bands = task.band(task.width - 1) + 1;
  const std::vector<uint8_t> levels =
      random_levels(random, task.channels * task.height * task.width, task.levels_count);
  std::vector<uint8_t> reference =
      random_levels(random, bands * task.channels * area, task.levels_count);
  for (auto start = reference.begin(); start != reference.end(); start += area) {
    std::sort(start, start + area);
  }
  task.levels = levels.data();
  task.reference = reference.data();
  const std::vector<float> expected = plain::scores_of(task);
  for (const std::string& path : linescan::usable_paths()) {
    std::vector<float> scores(expected.size());
    linescan::fast_score(task, path, static_cast<int>(pick(random, 1, 3)), scores.data());
    if (scores == expected) continue;
    fail("fast_score", path,
         {task.side, task.stride, task.levels_count, task.channels, task.height, task.width,
          task.band_width, task.first_column});
  }
}

// Floats that are levels in disguise have the medians of the levels.
void check_float_medians(const MedianTask& levels, const std::vector<uint8_t>& expected,
                         int threads) {
  const auto disguise = [](uint8_t level) { return 0.37f * static_cast<float>(level) - 3; };
  std::vector<float> features;
  std::vector<float> wanted;
  const int64_t size = levels.channels * levels.height * levels.width;
  std::transform(levels.levels, levels.levels + size, std::back_inserter(features), disguise);
  std::transform(expected.begin(), expected.end(), std::back_inserter(wanted), disguise);
  for (const std::string& path : linescan::usable_paths()) {
    std::vector<float> reference(wanted.size());
    const linescan::FloatMedianTask task{
        features.data(), levels.ranges, reference.data(),   levels.channels,       levels.height,
        levels.width,    levels.bands,  levels.stride_rows, levels.stride_columns, levels.side};
    linescan::median_floats(task, path, threads);
    if (reference == wanted) continue;
    fail("median_floats", path,
         {levels.side, levels.stride_rows, levels.stride_columns, levels.levels_count,
          levels.channels, levels.height, levels.width, levels.bands});
  }
}

void check_medians(Random& random) {
  MedianTask task{};
  task.side = static_cast<int>(1 + 2 * pick(random, 1, 5));
  task.stride_rows = pick(random, 1, 12);
  task.stride_columns = pick(random, 1, 12);
  task.levels_count = static_cast<int>(pick(random, 1, 64));
  task.channels = pick(random, 1, 4);
  task.height = task.side + pick(random, 0, 70);
  task.width = task.side + pick(random, 0, 20);
  task.bands = pick(random, 1, 4);
  std::vector<int64_t> ranges;
  for (int64_t band = 0; band < task.bands; ++band) {
    ranges.push_back(pick(random, 0, task.window_columns() - 1));
    ranges.push_back(pick(random, ranges.back() + 1, task.window_columns()));
  }
  task.ranges = ranges.data();
  const std::vector<uint8_t> levels =
      random_levels(random, task.channels * task.height * task.width, task.levels_count);
  task.levels = levels.data();
  const std::vector<uint8_t> expected = plain::medians_of(task);
  for (const std::string& path : linescan::usable_paths()) {
    std::vector<uint8_t> reference(expected.size());
    task.reference = reference.data();
    linescan::median_reference(task, path, static_cast<int>(pick(random, 1, 3)));
    if (reference == expected) continue;
    fail("median_reference", path,
         {task.side, task.stride_rows, task.stride_columns, task.levels_count, task.channels,
          task.height, task.width, task.bands});
  }
  check_float_medians(task, expected, static_cast<int>(pick(random, 1, 3)));
}

std::vector<uint32_t> plain_histogram(const CountTask& task) {
  const int64_t area = int64_t{task.side} * task.side;
  const int64_t levels = task.levels_count - 1;
  std::vector<uint32_t> bins(static_cast<size_t>(task.bands * task.channels * levels * (area + 1)));
  const auto add = [&](int64_t band, int64_t channel, int64_t row, int64_t column) {
    const uint8_t* first =
        task.levels +
        (channel * task.height + task.first_row + row * task.stride_rows) * task.width +
        column * task.stride_columns;
    for (int64_t level = 0; level < levels; ++level) {
      int64_t above = 0;
      for (int64_t place = 0; place < area; ++place) {
        above += first[place / task.side * task.width + place % task.side] > level;
      }
      const int64_t bin = ((band * task.channels + channel) * levels + level) * (area + 1) + above;
      ++bins[static_cast<size_t>(bin)];
    }
  };
  for (int64_t band = 0; band < task.bands; ++band) {
    for (int64_t row = 0; row < task.window_rows; ++row) {
      for (int64_t column = task.ranges[2 * band]; column < task.ranges[2 * band + 1]; ++column) {
        if (task.barred != nullptr && task.barred[row * task.window_columns() + column]) continue;
        for (int64_t channel = 0; channel < task.channels; ++channel) {
          add(band, channel, row, column);
        }
      }
    }
  }
  return bins;
}

template <class Item>
bool counts_alike(CountTask task, const std::string& path, int threads,
                  const std::vector<uint32_t>& expected) {
  std::vector<Item> bins(expected.size());
  task.histogram = bins.data();
  task.item_bytes = sizeof(Item);
  linescan::count_windows(task, path, threads);
  return std::equal(bins.begin(), bins.end(), expected.begin(),
                    [](Item bin, uint32_t number) { return bin == static_cast<Item>(number); });
}

CountTask random_counts(Random& random, std::vector<int64_t>& ranges) {
  CountTask task{};
  task.side = static_cast<int>(1 + 2 * pick(random, 1, 5));
  task.stride_rows = pick(random, 1, 12);
  task.stride_columns = pick(random, 1, 12);
  task.levels_count = static_cast<int>(pick(random, 2, 33));
  task.channels = pick(random, 1, 4);
  task.first_row = pick(random, 0, 12);
  task.window_rows = pick(random, 1, 8);
  task.height = task.first_row + task.rows() + pick(random, 0, 3);
  task.width = task.side + pick(random, 0, 90);
  task.bands = pick(random, 1, 4);
  for (int64_t band = 0; band < task.bands; ++band) {
    ranges.push_back(pick(random, 0, task.window_columns() - 1));
    ranges.push_back(pick(random, ranges.back() + 1, task.window_columns()));
  }
  task.ranges = ranges.data();
  return task;
}

void check_counts(Random& random) {
  std::vector<int64_t> ranges;
  CountTask task = random_counts(random, ranges);
  const std::vector<uint8_t> levels =
      random_levels(random, task.channels * task.height * task.width, task.levels_count);
  std::vector<uint8_t> barred =
      random_levels(random, task.window_rows * task.window_columns(), 256);
  for (uint8_t& one : barred) one = one < 200 ? 0 : one;
  task.levels = levels.data();
  task.barred = pick(random, 0, 1) == 1 ? barred.data() : nullptr;
  const std::vector<uint32_t> expected = plain_histogram(task);
  for (const std::string& path : linescan::usable_paths()) {
    const int threads = static_cast<int>(pick(random, 1, 3));
    if (counts_alike<uint8_t>(task, path, threads, expected) &&
        counts_alike<uint16_t>(task, path, threads, expected) &&
        counts_alike<uint32_t>(task, path, threads, expected)) {
      continue;
    }
    fail("count_windows", path,
         {task.side, task.stride_rows, task.stride_columns, task.levels_count, task.channels,
          task.height, task.width, task.bands});
  }
}

// Of whole maps: totals and the newest counts against the medians of sorted windows.
void check_counted_medians(Random& random) {
  std::vector<int64_t> ranges;
  CountTask task = random_counts(random, ranges);
  task.height -= task.first_row;
  task.first_row = 0;
  const std::vector<uint8_t> levels =
      random_levels(random, task.channels * task.height * task.width, task.levels_count);
  task.levels = levels.data();
  const std::vector<uint32_t> bins = plain_histogram(task);
  std::vector<uint16_t> totals(bins.size(), 5);
  std::vector<uint16_t> entering(bins.begin(), bins.end());
  std::vector<uint16_t> leaving(bins.size(), 5);
  const auto count = static_cast<int64_t>(bins.size());
  linescan::replace_counts({totals.data(), 2}, {entering.data(), 2}, {leaving.data(), 2}, count);
  std::vector<int64_t> windows;
  for (int64_t band = 0; band < task.bands; ++band) {
    windows.push_back(task.window_rows * (ranges[static_cast<size_t>(2 * band + 1)] -
                                          ranges[static_cast<size_t>(2 * band)]));
  }
  // Lines below the last windows belong to none.
  std::vector<uint8_t> under;
  for (int64_t channel = 0; channel < task.channels; ++channel) {
    const auto first = levels.begin() + channel * task.height * task.width;
    under.insert(under.end(), first, first + task.rows() * task.width);
  }
  const MedianTask sorted{under.data(),        ranges.data(),     nullptr,    task.channels,
                          task.rows(),         task.width,        task.bands, task.stride_rows,
                          task.stride_columns, task.levels_count, task.side};
  const std::vector<uint8_t> expected = plain::medians_of(sorted);
  std::vector<uint8_t> reference(expected.size());
  std::vector<uint8_t> open(bins.size());
  linescan::counted_medians({{totals.data(), 2},
                             {open.data(), 1},
                             windows.data(),
                             reference.data(),
                             task.bands,
                             task.channels,
                             task.levels_count,
                             task.side},
                            static_cast<int>(pick(random, 1, 3)));
  if (reference == expected && leaving == std::vector<uint16_t>(bins.size())) return;
  fail("counted_medians", "every path",
       {task.side, task.stride_rows, task.stride_columns, task.levels_count, task.channels,
        task.height, task.width, task.bands});
}

// Histograms that no web has given: whatever they hold, nothing is written outside.
void check_senseless_medians(Random& random) {
  const int side = static_cast<int>(1 + 2 * pick(random, 1, 5));
  const int levels_count = static_cast<int>(pick(random, 2, 33));
  const int64_t bands = pick(random, 1, 3);
  const int64_t channels = pick(random, 1, 3);
  const int64_t ranks = int64_t{side} * side;
  const auto bins = static_cast<size_t>(bands * channels * (levels_count - 1) * (ranks + 1));
  std::vector<uint32_t> closed(bins);
  std::vector<uint8_t> open(bins);
  for (uint32_t& bin : closed) bin = pick(random, 0, 9) == 0 ? random() : 0;
  std::vector<int64_t> windows;
  for (int64_t band = 0; band < bands; ++band)
    windows.push_back(pick(random, -9, int64_t{1} << 35));
  std::vector<uint8_t> reference(static_cast<size_t>(bands * channels * ranks));
  linescan::counted_medians({{closed.data(), 4},
                             {open.data(), 1},
                             windows.data(),
                             reference.data(),
                             bands,
                             channels,
                             levels_count,
                             side},
                            1);
  const int highest = *std::max_element(reference.begin(), reference.end());
  if (highest < levels_count) return;
  fail("senseless counted_medians", "every path",
       {side, levels_count, bands, channels, highest, 0, 0, 0});
}

}  // namespace

int main(int count, char** arguments) {
  const double seconds = count > 1 ? std::atof(arguments[1]) : 1;
  const unsigned seed = count > 2 ? static_cast<unsigned>(std::atol(arguments[2])) : 0;
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  unsigned maps = 0;
  for (; elapsed() < seconds; ++maps) {
    Random random(seed + maps);
    checks::check_exact(random);
    checks::check_flat(random);
    check_fast(random);
    check_medians(random);
    check_counts(random);
    check_counted_medians(random);
    check_senseless_medians(random);
  }
  std::printf("%u random maps, seeds from %u, equal on:", maps, seed);
  for (const std::string& path : linescan::usable_paths()) std::printf(" %s", path.c_str());
  std::printf("\n");
}
