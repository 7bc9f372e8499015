#include "count_windows.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "checks.h"
#include "parallel.h"
#include "paths.h"
#include "workspace.h"

namespace linescan {
namespace {

void check_item(int bytes) {
  require(bytes == 1 || bytes == 2 || bytes == 4, "items must be of 1, 2 or 4 bytes", bytes);
}

void check(const CountTask& task, int threads) {
  require(task.channels >= 1, "channels must be >= 1", task.channels);
  require(task.width >= task.side, "levels must be at least patch_size wide", task.width);
  require(task.levels_count >= 2 && task.levels_count <= 64, "levels_count must be 2..64",
          task.levels_count);
  require(std::min(task.stride_rows, task.stride_columns) >= 1, "strides must be >= 1",
          std::min(task.stride_rows, task.stride_columns));
  require(task.window_columns() <= kMostWindowColumns, "columns of windows must be <= 65535",
          task.window_columns());
  require(task.first_row >= 0, "first_row must be >= 0", task.first_row);
  require(task.window_rows >= 1, "rows of windows must be >= 1", task.window_rows);
  require(task.first_row + task.rows() <= task.height, "windows must end inside the map",
          task.first_row + task.rows());
  for (int64_t band = 0; band < task.bands; ++band) {
    const int64_t first = task.ranges[2 * band];
    const int64_t last = task.ranges[2 * band + 1];
    require(first >= 0 && first < last, "ranges must begin inside and not be empty", first);
    require(last <= task.window_columns(), "ranges must end inside", last);
  }
  check_item(task.item_bytes);
  require(threads >= 1, "threads must be >= 1", threads);
}

// The lower median of a histogram that is the sum of two: so many values above the level.
template <class Closed, class Open>
int median_above(const Closed* closed, const Open* open, int area, int64_t windows) {
  const int64_t enough = (windows + 1) / 2;
  int64_t held = 0;
  for (int above = 0; above < area; ++above) {
    held += int64_t{closed[above]} + open[above];
    if (held >= enough) return above;
  }
  return area;
}

// The k-th median is the first level with more than k values up to it. A higher level has no
// fewer, so that each level takes the ranks that the lower ones left.
template <class Closed, class Open>
void write_medians(const CountedMedians& task, int64_t index, const Closed* closed,
                   const Open* open) {
  const int area = task.side * task.side;
  const int64_t levels = task.levels_count - 1;
  uint8_t* reference = task.reference + index * area;
  int done = 0;
  for (int64_t level = 0; level < levels; ++level) {
    const int64_t place = (index * levels + level) * (area + 1);
    const int above =
        median_above(closed + place, open + place, area, task.windows[index / task.channels]);
    const int end = std::max(done, area - above);
    std::memset(reference + done, static_cast<int>(level), static_cast<size_t>(end - done));
    done = end;
  }
  std::memset(reference + done, static_cast<int>(levels), static_cast<size_t>(area - done));
}

// `work` with the items as numbers.
template <class Work>
void with_items(Items items, const Work& work) {
  switch (items.bytes) {
    case 1:
      return work(static_cast<uint8_t*>(items.first));
    case 2:
      return work(static_cast<uint16_t*>(items.first));
    default:
      return work(static_cast<uint32_t*>(items.first));
  }
}

template <class Total, class Item>
void replace(Total* __restrict totals, const Item* __restrict entering,
             const Item* __restrict leaving, int64_t count) {
  for (int64_t at = 0; at < count; ++at) {
    totals[at] = static_cast<Total>(totals[at] + entering[at] - leaving[at]);
  }
}

}  // namespace

void count_windows(const CountTask& task, const std::string& path, int threads) {
  const CountKernel kernel = count_kernel(path, task.side);
  require(kernel.add != nullptr, "patch_size must be odd, 3..11", task.side);
  check(task, threads);
  const int64_t count = thread_count(task.channels, threads);
  std::vector<Loan> loans;
  for (int64_t index = 0; index < count; ++index) loans.emplace_back(kernel.bytes(task));
  run_at_once(count, [&](int64_t index) {
    kernel.add(task, share(task.channels, index, count), loans[static_cast<size_t>(index)].get());
  });
}

void counted_medians(const CountedMedians& task, int threads) {
  check_item(task.closed.bytes);
  check_item(task.open.bytes);
  require(threads >= 1, "threads must be >= 1", threads);
  const int64_t rows = task.bands * task.channels;
  const int64_t count = thread_count(rows, threads);
  with_items(task.closed, [&](const auto* closed) {
    with_items(task.open, [&](const auto* open) {
      run_at_once(count, [&](int64_t index) {
        const Channels own = share(rows, index, count);
        for (int64_t row = own.first; row < own.last; ++row) {
          write_medians(task, row, closed, open);
        }
      });
    });
  });
}

void replace_counts(Items totals, Items entering, Items leaving, int64_t count) {
  check_item(totals.bytes);
  check_item(entering.bytes);
  require(entering.bytes == leaving.bytes, "items must be of one size", leaving.bytes);
  with_items(entering, [&](auto* first) {
    auto* last = static_cast<decltype(first)>(leaving.first);
    with_items(totals, [&](auto* sums) {
      if (first != last) replace(sums, first, last, count);
    });
    std::memset(last, 0, static_cast<size_t>(count) * sizeof(*last));
  });
}

}  // namespace linescan
