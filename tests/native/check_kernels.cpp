// Holds the kernels of every path to plain loops on random maps, for the sanitizers to watch.
//
// Usage: check_kernels SECONDS [SEED]. Prints what it checked; exits with 1 at the first
// difference.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "fast_score.h"
#include "median_reference.h"
#include "paths.h"
#include "plain_kernels.h"

using linescan::FastTask;
using linescan::MedianTask;

namespace {

using Random = std::mt19937;

int64_t pick(Random& random, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random);
}

std::vector<uint8_t> random_levels(Random& random, int64_t count, int levels) {
  std::vector<uint8_t> values(static_cast<size_t>(count));
  for (uint8_t& value : values) value = static_cast<uint8_t>(pick(random, 0, levels - 1));
  return values;
}

[[noreturn]] void fail(const char* what, const std::string& path, const int64_t (&numbers)[8]) {
  std::printf("%s differs on %s:", what, path.c_str());
  for (const int64_t number : numbers) std::printf(" %lld", static_cast<long long>(number));
  std::printf("\n");
  std::exit(1);
}

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
    check_fast(random);
    check_medians(random);
  }
  std::printf("%u random maps, seeds from %u, equal on:", maps, seed);
  for (const std::string& path : linescan::usable_paths()) std::printf(" %s", path.c_str());
  std::printf("\n");
}
