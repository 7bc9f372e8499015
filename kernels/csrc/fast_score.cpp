#include "fast_score.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "checks.h"
#include "parallel.h"
#include "paths.h"
#include "workspace.h"

namespace linescan {
namespace {

constexpr int64_t kLargestChannels = 500'000;  // 32-bit totals hold 121 windows of 31 each.

void check(const FastTask& task, int threads) {
  require(task.channels >= 1, "channels must be >= 1", task.channels);
  require(task.channels <= kLargestChannels, "channels must be <= 500000", task.channels);
  require(std::min(task.height, task.width) >= task.side, "levels must be at least patch_size",
          std::min(task.height, task.width));
  require(task.levels_count >= 4 && task.levels_count <= 32, "levels_count must be 4..32",
          task.levels_count);
  require(task.band_width >= 0, "band_width must be >= 0", task.band_width);
  require_column(task.first_column);
  require(threads >= 1, "threads must be >= 1", threads);
}

// A thread's share of the channels, its scratch memory and its totals.
class Worker {
 public:
  Worker(const FastTask& task, const FastKernel& kernel, Channels channels)
      : task_(task),
        kernel_(kernel),
        channels_(channels),
        positions_(static_cast<size_t>(task.height * task.width)),
        kernel_bytes_(kernel.bytes(task)),
        loan_(kernel_bytes_ + positions_ * sizeof(int32_t)) {}

  int32_t* totals() const { return reinterpret_cast<int32_t*>(loan_.get() + kernel_bytes_); }

  void run() const {
    std::memset(totals(), 0, positions_ * sizeof(int32_t));
    kernel_.add(task_, channels_, loan_.get(), totals());
  }

  void add(const Worker& other) const {
    for (size_t index = 0; index < positions_; ++index) totals()[index] += other.totals()[index];
  }

 private:
  const FastTask& task_;
  const FastKernel& kernel_;
  Channels channels_;
  size_t positions_;
  size_t kernel_bytes_;
  Loan loan_;
};

int64_t covering(const FastTask& task, int64_t position) {
  const int64_t radius = task.side / 2;
  const int64_t phase = position % task.stride;
  const int64_t before = (radius - phase + task.stride) / task.stride - 1;
  return before + (radius + phase) / task.stride + 1;
}

void write_scores(const FastTask& task, const int32_t* totals, float* scores) {
  const int64_t unit = task.channels * (task.levels_count - 1);
  for (int64_t row = 0; row < task.height; ++row) {
    for (int64_t column = 0; column < task.width; ++column) {
      const int64_t from =
          task.transposed() ? column * task.height + row : row * task.width + column;
      const auto scale = static_cast<double>(unit * covering(task, row) * covering(task, column));
      scores[row * task.width + column] = static_cast<float>(totals[from] / scale);
    }
  }
}

}  // namespace

void fast_score(const FastTask& task, const std::string& path, int threads, float* scores) {
  check(task, threads);
  const FastKernel kernel = fast_kernel(path, task.side, task.stride);
  require(kernel.add != nullptr, "patch_size must be odd, 3..11, and not below the stride",
          task.side);
  const int64_t count = thread_count(task.channels, threads);
  std::vector<Worker> workers;
  workers.reserve(static_cast<size_t>(count));
  for (int64_t index = 0; index < count; ++index) {
    workers.emplace_back(task, kernel, share(task.channels, index, count));
  }
  run_at_once(count, [&](int64_t index) { workers[static_cast<size_t>(index)].run(); });
  for (size_t index = 1; index < workers.size(); ++index) workers[0].add(workers[index]);
  write_scores(task, workers[0].totals(), scores);
}

}  // namespace linescan
