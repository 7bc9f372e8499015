#include "field.h"

#include <algorithm>

#include "dense_ranks.h"

namespace linescan {
namespace {

constexpr int64_t kMostBytes = 24 * 1024 * 1024;  // Of keys, and of errors.
constexpr int64_t kLeastSide = 16;                // A rectangle any smaller is mostly halo.

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t largest_field(const ExactTask& task) {
  const int64_t key_bytes = task.channels * (task.bytes ? 1 : 2);
  const int64_t error_bytes = task.references * task.area() * static_cast<int64_t>(sizeof(float));
  return std::min({kMostRanked, kMostBytes / key_bytes, kMostBytes / error_bytes});
}

Range part(int64_t length, int64_t index, int64_t count) {
  return {index * length / count, (index + 1) * length / count};
}

}  // namespace

std::vector<Rectangle> cut_map(const ExactTask& task) {
  const int64_t most = largest_field(task);
  const int64_t halo = 2 * (task.side / 2 + task.stride);
  int64_t down = 1;
  int64_t across = 1;
  for (;;) {
    const int64_t rows = divide_up(task.rows(), down);
    const int64_t columns = divide_up(task.columns(), across);
    if ((rows + 2 * halo) * (columns + 2 * halo) <= most) break;
    if (std::max(rows, columns) <= kLeastSide) break;
    ++(rows > columns ? down : across);
  }
  std::vector<Rectangle> rectangles;
  for (int64_t row = 0; row < down; ++row) {
    for (int64_t column = 0; column < across; ++column) {
      rectangles.push_back({part(task.rows(), row, down), part(task.columns(), column, across)});
    }
  }
  return rectangles;
}

Field field_of(const ExactTask& task, const Rectangle& rectangle) {
  const int64_t radius = task.side / 2;
  const auto centres = [&](Range range, int64_t length) {
    const int64_t first = divide_up(std::max<int64_t>(0, range.first - radius), task.stride);
    const int64_t last = std::min(length, range.last + radius);
    return Range{first, divide_up(last, task.stride)};
  };
  const Range rows = centres(rectangle.rows, task.rows());
  const Range columns = centres(rectangle.columns, task.columns());
  Field field{};
  field.first_row = rows.first * task.stride;
  field.first_column = columns.first * task.stride;
  field.window_rows = rows.last - rows.first;
  field.window_columns = columns.last - columns.first;
  field.lead = divide_up(radius, task.stride) * task.stride;
  const auto samples = [&](int64_t windows) {
    return divide_up(field.lead + (windows - 1) * task.stride + radius + 1, task.stride);
  };
  field.plane_rows = samples(field.window_rows);
  field.pitch = samples(field.window_columns);
  field.side = task.side;
  field.stride = task.stride;
  return field;
}

int64_t mirrored(int64_t index, int64_t length) {
  const int64_t inside = index < 0 ? -index : index;
  const int64_t place = inside < length ? inside : 2 * (length - 1) - inside;
  return std::clamp<int64_t>(place, 0, length - 1);
}

Range held(int64_t first, int64_t count, int64_t length) {
  int64_t low = length;
  int64_t high = 0;
  for (int64_t index = first; index < first + count; ++index) {
    const int64_t place = mirrored(index, length);
    low = std::min(low, place);
    high = std::max(high, place + 1);
  }
  return {low, high};
}

}  // namespace linescan
