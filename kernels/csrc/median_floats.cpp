#include "median_floats.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "checks.h"
#include "dense_ranks.h"
#include "median_reference.h"
#include "parallel.h"
#include "paths.h"
#include "workspace.h"

namespace linescan {
namespace {

constexpr size_t kLine = 64;

size_t aligned(size_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

// The columns of the map that the windows of a band hold, as a task of two levels.
MedianTask band_task(const FloatMedianTask& task, int64_t band, const int64_t* range) {
  const int64_t windows = task.ranges[2 * band + 1] - task.ranges[2 * band];
  MedianTask part{};
  part.ranges = range;
  part.channels = 1;
  part.height = task.height;
  part.width = (windows - 1) * task.stride_columns + task.side;
  part.bands = 1;
  part.stride_rows = task.stride_rows;
  part.stride_columns = task.stride_columns;
  part.levels_count = 2;
  part.side = task.side;
  return part;
}

// One thread's medians. A value is replaced by its dense rank; how many order statistics have a
// median up to some rank follows from the windows of a map of two levels, and halving the range of
// ranks again and again finds the median of each.
class FloatMedians {
 public:
  FloatMedians(const FloatMedianTask& task, const MedianKernel& kernel)
      : task_(task),
        kernel_(kernel),
        size_(static_cast<size_t>(task.height * task.width)),
        area_(int64_t{task.side} * task.side),
        loan_(bytes()) {
    uint8_t* memory = loan_.get();
    const auto take = [&memory](size_t count) {
      uint8_t* piece = memory;
      memory += aligned(count);
      return piece;
    };
    ranks_ = reinterpret_cast<uint16_t*>(take(size_ * sizeof(uint16_t)));
    values_ = reinterpret_cast<float*>(take(size_ * sizeof(float)));
    levels_ = take(size_);
    found_ = take(static_cast<size_t>(area_));
    scratch_ = memory;
  }

  void run(Channels channels) {
    for (int64_t channel = channels.first; channel < channels.last; ++channel) {
      const float* map = task_.features + static_cast<size_t>(channel) * size_;
      dense_ranks(map, static_cast<int64_t>(size_), scratch_, ranks_);
      int64_t highest = 0;
      for (size_t place = 0; place < size_; ++place) {
        values_[ranks_[place]] = map[place];
        highest = std::max<int64_t>(highest, ranks_[place]);
      }
      for (int64_t band = 0; band < task_.bands; ++band) {
        band_ = band;
        const auto area = static_cast<size_t>(area_);
        float* reference =
            task_.reference + static_cast<size_t>(band * task_.channels + channel) * area;
        solve({0, highest}, {0, area_}, reference);
      }
    }
  }

 private:
  struct Span {
    int64_t first;
    int64_t last;
  };

  size_t bytes() const {
    const int64_t range[2] = {0, 1};
    size_t most = dense_ranks_bytes(static_cast<int64_t>(size_));
    for (int64_t band = 0; band < task_.bands; ++band) {
      most = std::max(most, kernel_.bytes(band_task(task_, band, range)));
    }
    return aligned(size_ * sizeof(uint16_t)) + aligned(size_ * sizeof(float)) + aligned(size_) +
           aligned(static_cast<size_t>(area_)) + most;
  }

  // Order statistics `statistics` (last excluded) whose medians lie among `ranks` (last included).
  void solve(Span ranks, Span statistics, float* reference) {
    if (statistics.first >= statistics.last) return;
    if (ranks.first == ranks.last) {
      std::fill(reference + statistics.first, reference + statistics.last, values_[ranks.first]);
      return;
    }
    const int64_t middle = (ranks.first + ranks.last) / 2;
    const int64_t up_to = std::clamp(count_up_to(middle), statistics.first, statistics.last);
    solve({ranks.first, middle}, {statistics.first, up_to}, reference);
    solve({middle + 1, ranks.last}, {up_to, statistics.last}, reference);
  }

  // Number of order statistics whose median is no larger than that of `rank`.
  int64_t count_up_to(int64_t rank) {
    const int64_t range[2] = {0, task_.ranges[2 * band_ + 1] - task_.ranges[2 * band_]};
    MedianTask part = band_task(task_, band_, range);
    const int64_t first = task_.ranges[2 * band_] * task_.stride_columns;
    const auto limit = static_cast<uint16_t>(rank);
    for (int64_t row = 0; row < part.height; ++row) {
      const uint16_t* from = ranks_ + row * task_.width + first;
      uint8_t* to = levels_ + row * part.width;
      for (int64_t column = 0; column < part.width; ++column) to[column] = from[column] > limit;
    }
    part.levels = levels_;
    part.reference = found_;
    kernel_.find(part, {0, 1}, scratch_);
    return std::count(found_, found_ + area_, uint8_t{0});
  }

  const FloatMedianTask& task_;
  const MedianKernel& kernel_;
  size_t size_;
  int64_t area_;
  int64_t band_ = 0;
  Loan loan_;
  uint16_t* ranks_;
  float* values_;  // By rank.
  uint8_t* levels_;
  uint8_t* found_;
  uint8_t* scratch_;
};

void check(const FloatMedianTask& task, int threads) {
  require(task.channels >= 1, "channels must be >= 1", task.channels);
  require(std::min(task.height, task.width) >= task.side, "features must be at least patch_size",
          std::min(task.height, task.width));
  require(task.height <= kMostRanked / task.width, "features must hold <= 65535 values a channel",
          task.height);
  require(std::min(task.stride_rows, task.stride_columns) >= 1, "strides must be >= 1",
          std::min(task.stride_rows, task.stride_columns));
  const int64_t windows = MedianTask::windows(task.width, task.side, task.stride_columns);
  for (int64_t band = 0; band < task.bands; ++band) {
    const int64_t first = task.ranges[2 * band];
    require(first >= 0 && first < task.ranges[2 * band + 1],
            "ranges must begin inside and not be empty", first);
    require(task.ranges[2 * band + 1] <= windows, "ranges must end inside",
            task.ranges[2 * band + 1]);
  }
  require(threads >= 1, "threads must be >= 1", threads);
}

}  // namespace

void median_floats(const FloatMedianTask& task, const std::string& path, int threads) {
  const MedianKernel kernel = median_kernel(path, task.side);
  require(kernel.find != nullptr, "patch_size must be odd, 3..11", task.side);
  check(task, threads);
  const int64_t count = thread_count(task.channels, threads);
  std::vector<FloatMedians> workers;
  workers.reserve(static_cast<size_t>(count));
  for (int64_t index = 0; index < count; ++index) workers.emplace_back(task, kernel);
  run_at_once(count, [&](int64_t index) {
    workers[static_cast<size_t>(index)].run(share(task.channels, index, count));
  });
}

}  // namespace linescan
