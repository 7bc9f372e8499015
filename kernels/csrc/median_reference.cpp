#include "median_reference.h"

#include <algorithm>
#include <vector>

#include "checks.h"
#include "parallel.h"
#include "paths.h"
#include "workspace.h"

namespace linescan {
namespace {

void check(const MedianTask& task, int threads) {
  require(task.channels >= 1, "channels must be >= 1", task.channels);
  require(std::min(task.height, task.width) >= task.side, "levels must be at least patch_size",
          std::min(task.height, task.width));
  require(task.levels_count >= 1 && task.levels_count <= 64, "levels_count must be 1..64",
          task.levels_count);
  require(std::min(task.stride_rows, task.stride_columns) >= 1, "strides must be >= 1",
          std::min(task.stride_rows, task.stride_columns));
  for (int64_t band = 0; band < task.bands; ++band) {
    const int64_t first = task.ranges[2 * band];
    const int64_t last = task.ranges[2 * band + 1];
    require(first >= 0 && first < last, "ranges must begin inside and not be empty", first);
    require(last <= task.window_columns(), "ranges must end inside", last);
  }
  require(threads >= 1, "threads must be >= 1", threads);
}

}  // namespace

void median_reference(const MedianTask& task, const std::string& path, int threads) {
  const MedianKernel kernel = median_kernel(path, task.side);
  require(kernel.find != nullptr, "patch_size must be odd, 3..11", task.side);
  check(task, threads);
  const int64_t count = thread_count(task.channels, threads);
  std::vector<Loan> loans;
  for (int64_t index = 0; index < count; ++index) loans.emplace_back(kernel.bytes(task));
  run_at_once(count, [&](int64_t index) {
    kernel.find(task, share(task.channels, index, count), loans[static_cast<size_t>(index)].get());
  });
}

}  // namespace linescan
