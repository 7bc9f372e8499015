// Errors of the windows' values against the reference, summed over a slice of channels: ranks by
// counting neighbours, four counts to a register; knows no weights and no scores.
#pragma once

#include "fca_device.h"

namespace fca {

// Sizes that lie in Python too: kernels/cuda_launch.py asks for the shared memory of a block.
constexpr int kErrorsColumns = 32, kErrorsRows = 4;
constexpr int kErrorsThreads = kErrorsColumns * kErrorsRows;

struct ErrorsTask {
  const float* features;  // (items, channels, height, width)
  const float* table;     // (items, bands, references, channels, entries)
  float* partial;         // (slices, items, references, T * T, rows, columns)
  int items, channels, height, width;
  int bands, first_band, references;
  int slice_channels;
  int first_row, rows, columns;  // Windows of this strip.
  int stride, band_width, first_column;
  int quantise;  // Rank floor(255 * clip(f, 0, 1) + 0.5) instead of f.
};

#define FCA_ERRORS_ARGUMENTS                                                                      \
  const float *features, const float *table, float *partial, int items, int channels, int height, \
      int width, int bands, int first_band, int references, int slice_channels, int first_row,    \
      int rows, int columns, int stride, int band_width, int first_column, int quantise
#define FCA_ERRORS_TASK                                                                      \
  fca::ErrorsTask {                                                                          \
    features, table, partial, items, channels, height, width, bands, first_band, references, \
        slice_channels, first_row, rows, columns, stride, band_width, first_column, quantise \
  }

// T counts of at most 255, one byte each: while they are added up as differences from one offset to
// the next (modulo 2^32, so that a borrow between bytes comes right in the end), then spread out.
// Byte 0 stays empty: nvcc turns a conditional addition of 1 into two instructions, of 256 into
// one.
template <int T>
struct Counts {
  static constexpr int kWords = T / 4 + 1;
  unsigned words[kWords] = {};

  FCA_HOST_DEVICE void add(const Counts& other) {
    FCA_UNROLL
    for (int word = 0; word < kWords; ++word) words[word] += other.words[word];
  }

  FCA_HOST_DEVICE void subtract(const Counts& other) {
    FCA_UNROLL
    for (int word = 0; word < kWords; ++word) words[word] -= other.words[word];
  }

  // One more at the offsets that share a window with a neighbour `right` columns away: from the
  // first on, and one less from the one after the last on.
  FCA_HOST_DEVICE void count(int right) {
    const int first = 1 + larger(0, -right), after = 1 + T - larger(0, right);
    FCA_UNROLL
    for (int word = 0; word < kWords; ++word) {
      unsigned change = first / 4 == word ? 1u << (8 * (first % 4)) : 0u;
      if (after <= T && after / 4 == word) change -= 1u << (8 * (after % 4));
      if (change != 0) words[word] += change;
    }
  }

  // The counts themselves; of `halve`, half of them.
  FCA_HOST_DEVICE Counts spread(bool halve) const {
    Counts counts;
    unsigned carry = 0;
    FCA_UNROLL
    for (int word = 0; word < kWords; ++word) {
      const unsigned sums = (words[word] + carry) * 0x01010101u;
      counts.words[word] = halve ? sums >> 1 & 0x7f7f7f7fu : sums;
      carry = sums >> 24;
    }
    return counts;
  }

  FCA_HOST_DEVICE int at(int offset) const {
    const int byte = offset + 1;
    return static_cast<int>(words[byte / 4] >> (8 * (byte % 4)) & 255u);
  }
};

// What one row of neighbours adds to the ranks at the T column offsets. `upper` is used by
// Ties::mean only; under Ties::mid `lower` holds twice the middle rank until it is spread.
template <int T>
struct RowCounts {
  Counts<T> lower, upper;

  FCA_HOST_DEVICE void add(const RowCounts& other) {
    lower.add(other.lower);
    upper.add(other.upper);
  }

  FCA_HOST_DEVICE void subtract(const RowCounts& other) {
    lower.subtract(other.lower);
    upper.subtract(other.upper);
  }

  FCA_HOST_DEVICE RowCounts spread(Ties rule) const {
    RowCounts counts;
    counts.lower = lower.spread(rule == Ties::mid);
    if (rule == Ties::mean) counts.upper = upper.spread(false);
    return counts;
  }
};

template <int T, Ties RULE>
FCA_HOST_DEVICE RowCounts<T> count_row(const float* own_column, float own, int down) {
  RowCounts<T> row;
  FCA_UNROLL
  for (int right = 1 - T; right < T; ++right) {
    const float neighbour = own_column[right];
    if (RULE == Ties::first) {
      const bool earlier = down < 0 || (down == 0 && right < 0);
      if (earlier ? neighbour <= own : neighbour < own) row.lower.count(right);
    } else {
      if (neighbour < own) row.lower.count(right);
      if (neighbour <= own) (RULE == Ties::mid ? row.lower : row.upper).count(right);
    }
  }
  return row;
}

// A row of the table. Ties::mean: the T * T + 1 prefix sums of the reference, each as a float and
// what the float leaves over, then the reference itself; else the reference alone.
template <int T, Ties RULE>
struct Row {
  static constexpr int kArea = T * T;
  static constexpr int kSums = RULE == Ties::mean ? 2 * (kArea + 1) : 0;
  static constexpr int kEntries = kSums + kArea;

  // Number of reference values up to `value`.
  static FCA_HOST_DEVICE int split(const float* row, float value) {
    int low = 0;
    FCA_UNROLL
    for (int step = 64; step > 0; step /= 2) {
      const int next = low + step;
      if (next <= kArea && row[kSums + smaller(next, kArea) - 1] <= value) low = next;
    }
    return low;
  }

  // Sum of the reference values of ranks from .. to - 1; negative where from > to.
  static FCA_HOST_DEVICE float sum(const float* row, int from, int to) {
    return (row[2 * to] - row[2 * from]) + (row[2 * to + 1] - row[2 * from + 1]);
  }

  static FCA_HOST_DEVICE float error(const float* row, float value, int rank) {
    return fabsf(row[rank] - value);
  }

  // Mean of |value - reference| over the ranks begin .. end - 1.
  static FCA_HOST_DEVICE float mean_error(const float* row, float value, int begin, int end,
                                          int split) {
    const int middle = larger(begin, smaller(end, split));
    const float above = sum(row, middle, end), below = sum(row, begin, middle);
    const float own = value * static_cast<float>(2 * middle - begin - end);
    const float total = own + (above - below);
    return fmaxf(total / static_cast<float>(end - begin), 0.0f);
  }
};

// One thread: a position of the mirrored strip, its errors in all windows that hold it. A block's
// positions are alike modulo the stride, so that its threads need the same windows.
template <int T, Ties RULE, bool BANDED, bool STRIDED>
class ErrorsThread {
 public:
  using TableRow = Row<T, RULE>;

  FCA_HOST_DEVICE ErrorsThread(const ErrorsTask& task, Block block, int thread)
      : task_(task),
        stride_(STRIDED ? task.stride : 1),
        lane_(thread % kErrorsColumns),
        warp_(thread / kErrorsColumns),
        row_phase_(block.y % stride_),
        column_phase_(block.x % stride_),
        top_(block.y / stride_ * kErrorsRows * stride_ + row_phase_),
        left_(block.x / stride_ * kErrorsColumns * stride_ + column_phase_),
        reference_(block.z % task.references),
        item_(block.z / task.references % task.items),
        slice_(block.z / task.references / task.items) {
    if (BANDED) {
      FCA_UNROLL
      for (int offset = 0; offset < T; ++offset) band_rows_[offset] = band_row(offset);
    }
  }

  FCA_HOST_DEVICE int first_channel() const { return slice_ * task_.slice_channels; }

  FCA_HOST_DEVICE int last_channel() const {
    return smaller(first_channel() + task_.slice_channels, task_.channels);
  }

  // Floats of one buffer: the tile of features, and the table's row unless windows differ in it.
  static FCA_HOST_DEVICE int buffer_size(int stride) {
    return pitch(stride) * tile_rows(stride) + (BANDED ? 0 : TableRow::kEntries);
  }

  // Fills this thread's part of a buffer with a channel. A barrier must follow.
  FCA_HOST_DEVICE void stage(int channel, float* buffer) const {
    const long long plane = static_cast<long long>(item_) * task_.channels + channel;
    const float* map = task_.features + plane * task_.height * task_.width;
    const int shift = task_.first_row * stride_ + top_ - (T - 1) - T / 2;
    for (int column = lane_; column < pitch(stride_); column += kErrorsColumns) {
      const int source = mirror(left_ - (T - 1) - T / 2 + column, task_.width);
      for (int row = warp_; row < tile_rows(stride_); row += kErrorsRows) {
        const long long line = mirror(shift + row, task_.height);
        buffer[row * pitch(stride_) + column] = load(map[line * task_.width + source]);
      }
    }
    if (BANDED) return;
    const float* row = table_row(channel);
    float* staged = buffer + pitch(stride_) * tile_rows(stride_);
    for (int entry = warp_ * kErrorsColumns + lane_; entry < TableRow::kEntries;
         entry += kErrorsThreads)
      staged[entry] = row[entry];
  }

  // Adds the errors of a staged channel.
  FCA_HOST_DEVICE void add(int channel, const float* buffer) {
    const float* table = BANDED ? table_row(channel) : buffer + pitch(stride_) * tile_rows(stride_);
    const float* centre =
        buffer + (T - 1 + warp_ * stride_) * pitch(stride_) + (T - 1) + lane_ * stride_;
    const float own = *centre;
    const int split = RULE == Ties::mean && !BANDED ? TableRow::split(table, own) : 0;
    RowCounts<T> rows[T], window;
    FCA_UNROLL
    for (int down = 1 - T; down < T; ++down) {
      RowCounts<T>& row = rows[(down + T) % T];
      if (down > 0) window.subtract(row);
      row = count_row<T, RULE>(centre + down * pitch(stride_), own, down);
      window.add(row);
      if (down >= 0 && wanted(T - 1 - down, row_phase_))
        add_row(T - 1 - down, window.spread(RULE), own, table, split);
    }
  }

  // Writes the sums of the windows that lie on the map.
  FCA_HOST_DEVICE void store() const {
    const int row = top_ + warp_ * stride_, column = left_ + lane_ * stride_;
    const long long plane = static_cast<long long>(task_.rows) * task_.columns;
    const long long field =
        (static_cast<long long>(slice_) * task_.items + item_) * task_.references + reference_;
    float* out = task_.partial + field * T * T * plane;
    FCA_UNROLL
    for (int down = 0; down < T; ++down) {
      FCA_UNROLL
      for (int right = 0; right < T; ++right) {
        if (!wanted(down, row_phase_) || !wanted(right, column_phase_)) continue;
        if (row < down || column < right) continue;
        const int window_row = (row - down) / stride_, window_column = (column - right) / stride_;
        if (window_row >= task_.rows || window_column >= task_.columns) continue;
        out[(down * T + right) * plane + static_cast<long long>(window_row) * task_.columns +
            window_column] = errors_[down * T + right];
      }
    }
  }

 private:
  static FCA_HOST_DEVICE int pitch(int stride) {
    return (kErrorsColumns - 1) * (STRIDED ? stride : 1) + 1 + 2 * (T - 1);
  }

  static FCA_HOST_DEVICE int tile_rows(int stride) {
    return (kErrorsRows - 1) * (STRIDED ? stride : 1) + 1 + 2 * (T - 1);
  }

  // Whether a window stands where this block's positions lie at an offset in it.
  FCA_HOST_DEVICE bool wanted(int offset, int phase) const {
    return !STRIDED || offset % stride_ == phase;
  }

  FCA_HOST_DEVICE float load(float value) const {
    if (!task_.quantise) return value;
    const float clipped = fminf(fmaxf(value, 0.0f), 1.0f);
    return floorf(clipped * 255.0f + 0.5f);
  }

  FCA_HOST_DEVICE const float* table_row(int channel) const {
    const long long row =
        static_cast<long long>(item_) * task_.bands * task_.references + reference_;
    return task_.table + (row * task_.channels + channel) * TableRow::kEntries;
  }

  // Entries from the first band's row to that of the window which holds this position there.
  FCA_HOST_DEVICE int band_row(int offset) const {
    const int column = left_ + lane_ * stride_ - offset;
    const int window = smaller(larger(column, 0) / stride_, task_.columns - 1);
    const int band = (task_.first_column + window * stride_) / task_.band_width;
    return (band - task_.first_band) * task_.references * task_.channels * TableRow::kEntries;
  }

  FCA_HOST_DEVICE void add_row(int down, const RowCounts<T>& ranks, float own, const float* table,
                               int split) {
    FCA_UNROLL
    for (int right = 0; right < T; ++right) {
      if (!wanted(right, column_phase_)) continue;
      const float* row = BANDED ? table + band_rows_[right] : table;
      const int rank = ranks.lower.at(right);
      float& error = errors_[down * T + right];
      if (RULE != Ties::mean) {
        error += TableRow::error(row, own, rank);
        continue;
      }
      const int up_to = BANDED ? TableRow::split(row, own) : split;
      error += TableRow::mean_error(row, own, rank, ranks.upper.at(right), up_to);
    }
  }

  const ErrorsTask& task_;
  const int stride_, lane_, warp_;
  const int row_phase_, column_phase_;
  const int top_, left_;  // First position of the block, in the mirrored strip.
  const int reference_, item_, slice_;
  int band_rows_[T];
  float errors_[T * T] = {};
};

}  // namespace fca
