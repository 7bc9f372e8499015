#include "fast_score.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

#include "checks.h"
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
  require(task.first_column >= 0, "first_column must be >= 0", task.first_column);
  require(threads >= 1, "threads must be >= 1", threads);
}

// A thread's share of the channels, its scratch memory and its totals.
class Worker {
 public:
  Worker(const FastTask& task, const FastKernel& kernel, Channels channels)
      : task_(task),
        kernel_(kernel),
        channels_(channels),
        scratch_(ScratchPool::shared().borrow()) {
    const size_t kernel_bytes = kernel.bytes(task);
    const size_t map_bytes = positions() * sizeof(int32_t);
    work_ = scratch_.reserve(kernel_bytes + map_bytes);
    totals_ = reinterpret_cast<int32_t*>(work_ + kernel_bytes);
  }
  Worker(Worker&&) = default;
  ~Worker() {
    if (work_ != nullptr) ScratchPool::shared().give_back(std::move(scratch_));
  }

  void run() {
    std::memset(totals_, 0, positions() * sizeof(int32_t));
    kernel_.add(task_, channels_, work_, totals_);
  }

  const int32_t* totals() const { return totals_; }

  void add(const Worker& other) {
    for (size_t index = 0; index < positions(); ++index) totals_[index] += other.totals_[index];
  }

 private:
  size_t positions() const { return static_cast<size_t>(task_.height * task_.width); }

  const FastTask& task_;
  const FastKernel& kernel_;
  Channels channels_;
  Scratch scratch_;
  uint8_t* work_;
  int32_t* totals_;
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

std::vector<Worker> share_out(const FastTask& task, const FastKernel& kernel, int threads) {
  const int64_t count = std::min<int64_t>(threads, task.channels);
  std::vector<Worker> workers;
  workers.reserve(static_cast<size_t>(count));
  for (int64_t index = 0; index < count; ++index) {
    workers.emplace_back(
        task, kernel, Channels{index * task.channels / count, (index + 1) * task.channels / count});
  }
  return workers;
}

}  // namespace

void fast_score(const FastTask& task, const std::string& path, int threads, float* scores) {
  check(task, threads);
  const FastKernel kernel = fast_kernel(path, task.side, task.stride);
  require(kernel.add != nullptr, "patch_size must be odd, 3..11, and not below the stride",
          task.side);
  std::vector<Worker> workers = share_out(task, kernel, threads);
  std::vector<std::jthread> running;
  for (size_t index = 1; index < workers.size(); ++index) {
    running.emplace_back([&workers, index] { workers[index].run(); });
  }
  workers[0].run();
  running.clear();  // Joins.
  for (size_t index = 1; index < workers.size(); ++index) workers[0].add(workers[index]);
  write_scores(task, workers[0].totals(), scores);
}

}  // namespace linescan
