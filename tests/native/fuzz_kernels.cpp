// The compiled kernels under libFuzzer: its bytes decide what is asked for, and with which map.
//
// What a kernel can hold must equal the plain loops on every path of this CPU, what it cannot hold
// must be refused with std::invalid_argument, and nothing may touch memory that is not its own. One
// function per kernel, listed in `kKernels`.
#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "fast_score.h"
#include "fuzz_input.h"
#include "median_reference.h"
#include "plain_kernels.h"

using fuzz::any_near;
using fuzz::area_of;
using fuzz::content;
using fuzz::expect;
using fuzz::Input;
using fuzz::is_usable;
using fuzz::kMostBands;
using fuzz::near;
using fuzz::path_of;
using fuzz::refuses;
using fuzz::seldom;
using fuzz::side_of;
using fuzz::small;
using linescan::FastTask;
using linescan::MedianTask;

namespace {

bool holds(const FastTask& task, int threads) {
  return task.side % 2 == 1 && task.side >= 3 && task.side <= 11 && task.stride >= 1 &&
         task.stride <= std::min(4, task.side) && task.levels_count >= 4 &&
         task.levels_count <= 32 && task.channels >= 1 && task.height >= task.side &&
         task.width >= task.side && task.band_width >= 0 && task.first_column >= 0 &&
         task.first_column <= int64_t{1} << 53 && threads >= 1;
}

FastTask fast_task(Input& input) {
  FastTask task{};
  task.side = side_of(input);
  task.stride = small(any_near(input, 1, 4));
  task.levels_count = small(any_near(input, 4, 32));
  const int64_t least = std::min(13, std::max(0, task.side));
  task.channels = near(input, 1, 18);
  task.height = near(input, least, least + 12);
  task.width = near(input, least, least + 80);
  task.band_width = input.ConsumeBool() ? any_near(input, 1, 12) : 0;
  task.first_column = any_near(input, 0, 20);
  return task;
}

void fuzz_fast(Input& input) {
  FastTask task = fast_task(input);
  const std::string path = path_of(input);
  const int threads = small(any_near(input, 1, 3));
  const bool held = holds(task, threads) && is_usable(path);
  const int64_t bands = held ? plain::band_of(task, task.width - 1) + 1 : 1;
  if (bands < 1 || bands > kMostBands)
    return;  // The caller's array is checked before the kernel is asked.
  // A map of other bytes than levels has no score to compare, but must do no harm either.
  const bool levels_only = !seldom(input);
  const int limit = levels_only && held ? task.levels_count : 256;
  std::vector<uint8_t> reference =
      content(input, bands * task.channels * area_of(task.side), limit);
  if (levels_only && held) {
    const int64_t area = area_of(task.side);
    for (auto at = reference.begin(); at != reference.end(); at += area) std::sort(at, at + area);
  }
  const std::vector<uint8_t> levels =
      content(input, task.channels * task.height * task.width, limit);
  std::vector<float> scores(static_cast<size_t>(std::max<int64_t>(0, task.height * task.width)));
  task.levels = levels.data();
  task.reference = reference.data();
  const bool refused = refuses([&] { linescan::fast_score(task, path, threads, scores.data()); });
  expect(refused != held, held ? "fast_score refuses a good task" : "fast_score takes a bad task",
         path);
  if (held && levels_only) {
    expect(scores == plain::scores_of(task), "fast_score differs from the plain loops", path);
  }
}

bool holds(const MedianTask& task, int threads) {
  const bool sized = task.side % 2 == 1 && task.side >= 3 && task.side <= 11 &&
                     task.levels_count >= 1 && task.levels_count <= 64 && task.channels >= 1 &&
                     task.height >= task.side && task.width >= task.side && task.stride_rows >= 1 &&
                     task.stride_columns >= 1 && threads >= 1;
  if (!sized) return false;
  for (int64_t band = 0; band < task.bands; ++band) {
    const int64_t first = task.ranges[2 * band];
    const int64_t last = task.ranges[2 * band + 1];
    if (first < 0 || first >= last || last > task.window_columns()) return false;
  }
  return true;
}

MedianTask median_task(Input& input) {
  MedianTask task{};
  task.side = side_of(input);
  task.stride_rows = any_near(input, 1, 12);
  task.stride_columns = any_near(input, 1, 12);
  task.levels_count = small(any_near(input, 1, 64));
  const int64_t least = std::min(13, std::max(0, task.side));
  task.channels = near(input, 1, 4);
  task.height = near(input, least, least + 70);
  task.width = near(input, least, least + 20);
  task.bands = input.ConsumeIntegralInRange(0, 4);
  return task;
}

std::vector<int64_t> ranges_of(Input& input, const MedianTask& task) {
  const bool windows = task.stride_columns >= 1 && task.width >= task.side;
  const int64_t columns = windows ? task.window_columns() : 1;
  std::vector<int64_t> ranges;
  for (int64_t band = 0; band < task.bands; ++band) {
    const int64_t first = input.ConsumeIntegralInRange<int64_t>(0, columns - 1);
    const int64_t last = input.ConsumeIntegralInRange<int64_t>(first + 1, columns);
    ranges.push_back(any_near(input, first, first));
    ranges.push_back(any_near(input, last, last));
  }
  return ranges;
}

void fuzz_medians(Input& input) {
  MedianTask task = median_task(input);
  const std::string path = path_of(input);
  const int threads = small(any_near(input, 1, 3));
  const std::vector<int64_t> ranges = ranges_of(input, task);
  task.ranges = ranges.data();
  const bool held = holds(task, threads) && is_usable(path);
  const bool levels_only = !seldom(input);
  const std::vector<uint8_t> levels = content(input, task.channels * task.height * task.width,
                                              levels_only && held ? task.levels_count : 256);
  const int64_t size = task.bands * task.channels * area_of(task.side);
  std::vector<uint8_t> reference(static_cast<size_t>(std::max<int64_t>(0, size)));
  task.levels = levels.data();
  task.reference = reference.data();
  const bool refused = refuses([&] { linescan::median_reference(task, path, threads); });
  expect(refused != held,
         held ? "median_reference refuses a good task" : "median_reference takes a bad task", path);
  if (held && levels_only) {
    expect(reference == plain::medians_of(task), "median_reference differs from the plain loops",
           path);
  }
}

constexpr void (*kKernels[])(Input&) = {fuzz_fast, fuzz_medians, fuzz::fuzz_exact};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  Input input(bytes, size);
  kKernels[input.ConsumeIntegralInRange<size_t>(0, std::size(kKernels) - 1)](input);
  return 0;
}
