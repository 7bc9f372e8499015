// The fast form: twice the middle ranks of all levels as box sums of packed bytes, error tables per
// window, and their sums over the windows that cover a position. Integers only, until the end.
#pragma once

#include "fca_device.h"

namespace fca {

// Sizes that lie in Python too: kernels/cuda_launch.py asks for the shared memory of a block.
constexpr int kFastColumns = 32, kFastRows = 16, kFastThreads = 256;
constexpr int kFastPositions = kFastColumns * kFastRows / kFastThreads;
constexpr int kGroup = 16;  // Levels that are worked on at a time: their bytes fill 16.
constexpr int kWords = kGroup / 4;

struct FastTask {
  const unsigned char* levels;     // (channels, height, width)
  const unsigned char* reference;  // (bands, channels, T * T)
  int* totals;                     // (height, width), zero at the start
  int channels, height, width;
  int levels_count;
  int slice_channels;
  int stride, band_width, first_column, first_band;
};

#define FCA_FAST_ARGUMENTS                                                                     \
  const unsigned char *levels, const unsigned char *reference, int *totals, int channels,      \
      int height, int width, int levels_count, int slice_channels, int stride, int band_width, \
      int first_column, int first_band
#define FCA_FAST_TASK                                                                         \
  fca::FastTask {                                                                             \
    levels, reference, totals, channels, height, width, levels_count, slice_channels, stride, \
        band_width, first_column, first_band                                                  \
  }

// Of the levels of one group, four words: 2 for each level above `level`, 1 for it, 0 below.
struct LevelBytes {
  unsigned words[kWords];

  FCA_HOST_DEVICE void add(const LevelBytes& other) {
    FCA_UNROLL
    for (int word = 0; word < kWords; ++word) words[word] += other.words[word];
  }

  FCA_HOST_DEVICE void subtract(const LevelBytes& other) {
    FCA_UNROLL
    for (int word = 0; word < kWords; ++word) words[word] -= other.words[word];
  }

  static FCA_HOST_DEVICE LevelBytes above(int level) {
    LevelBytes bytes;
    FCA_UNROLL
    for (int word = 0; word < kWords; ++word) {
      const int inside = level - 4 * word;
      const unsigned shifted = 0x02020201u << (8 * smaller(larger(inside, 0), 3));
      bytes.words[word] = inside < 0 ? 0x02020202u : inside > 3 ? 0u : shifted;
    }
    return bytes;
  }
};

// Where the parts of a block's shared memory lie, and how large they may become.
template <int T>
struct FastShared {
  int columns, rows;                // Most windows of a tile.
  int sample_columns, sample_rows;  // Most values that they read.
  int plane;                        // Bytes of the errors of one level.

  FCA_HOST_DEVICE explicit FastShared(int stride)
      : columns((kFastColumns - 1 + 2 * (T / 2)) / stride + 1),
        rows((kFastRows - 1 + 2 * (T / 2)) / stride + 1),
        sample_columns((columns - 1) * stride + T),
        sample_rows((rows - 1) * stride + T),
        // Planes of neighbouring levels start 8 banks apart.
        plane(divide_up(columns * rows, 128) * 128 + 32) {}

  FCA_HOST_DEVICE int sums_size() const {
    return rows * sample_columns * static_cast<int>(sizeof(LevelBytes));
  }
  FCA_HOST_DEVICE int errors_size() const { return kGroup * plane; }
  FCA_HOST_DEVICE int samples_size() const { return sample_columns * sample_rows; }
  FCA_HOST_DEVICE int size() const { return sums_size() + errors_size() + 2 * samples_size(); }

  FCA_HOST_DEVICE LevelBytes* sums(unsigned char* shared) const {
    return reinterpret_cast<LevelBytes*>(shared);
  }
  FCA_HOST_DEVICE unsigned char* errors(unsigned char* shared) const {
    return shared + sums_size();
  }
  FCA_HOST_DEVICE unsigned char* samples(unsigned char* shared, int channel) const {
    return shared + sums_size() + errors_size() + channel % 2 * samples_size();
  }
};

// First and last window of a tile, along one axis.
struct Span {
  int first, last;
};

// One thread of a block that scores a tile of positions over a slice of channels. Per channel:
// stage, then per group of levels sum_columns, fill_tables, gather; a barrier after each but the
// last of them.
template <int T>
class FastThread {
 public:
  static constexpr int kRadius = T / 2;

  FCA_HOST_DEVICE FastThread(const FastTask& task, Block block, int thread, unsigned char* shared)
      : task_(task),
        layout_(task.stride),
        shared_(shared),
        thread_(thread),
        left_(block.x * kFastColumns),
        top_(block.y * kFastRows),
        slice_(block.z),
        first_column_(first_cover(left_, kRadius, task.stride)),
        first_row_(first_cover(top_, kRadius, task.stride)),
        columns_(covering(left_ + kFastColumns - 1, task.width) - first_column_ + 1),
        rows_(covering(top_ + kFastRows - 1, task.height) - first_row_ + 1),
        sample_columns_((columns_ - 1) * task.stride + T),
        sample_rows_((rows_ - 1) * task.stride + T) {
    if (columns_ <= 0 || rows_ <= 0) return;
    // Once, and not for every channel: divisions are dear.
    runs_ = kFastThreads / sample_columns_;
    run_rows_ = divide_up(rows_, runs_);
    run_ = thread / sample_columns_;
    run_column_ = thread % sample_columns_;
    window_row_ = thread / columns_;
    window_column_ = thread % columns_;
    row_step_ = kFastThreads / columns_;
    column_step_ = kFastThreads % columns_;
    across_ = {first_cover(column(), kRadius, task.stride) - first_column_,
               covering(column(), task.width) - first_column_};
    FCA_UNROLL
    for (int which = 0; which < kFastPositions; ++which)
      down_[which] = {first_cover(line(which), kRadius, task.stride) - first_row_,
                      covering(line(which), task.height) - first_row_};
  }

  FCA_HOST_DEVICE int first_channel() const { return slice_ * task_.slice_channels; }
  // No channel at all where no window covers the tile, as may be at the end of a strided map.
  FCA_HOST_DEVICE int last_channel() const {
    if (columns_ <= 0 || rows_ <= 0) return first_channel();
    return smaller(first_channel() + task_.slice_channels, task_.channels);
  }
  FCA_HOST_DEVICE int groups() const { return divide_up(task_.levels_count, kGroup); }

  // The levels that the tile's windows hold.
  FCA_HOST_DEVICE void stage(int channel) const {
    unsigned char* samples = layout_.samples(shared_, channel);
    const unsigned char* map =
        task_.levels + static_cast<long long>(channel) * task_.height * task_.width;
    for (int column = thread_ % kFastColumns; column < sample_columns_; column += kFastColumns) {
      const int source = mirror(first_column_ * task_.stride - kRadius + column, task_.width);
      for (int row = thread_ / kFastColumns; row < sample_rows_;
           row += kFastThreads / kFastColumns) {
        const int line = mirror(first_row_ * task_.stride - kRadius + row, task_.height);
        const long long place = static_cast<long long>(line) * task_.width + source;
        samples[row * sample_columns_ + column] = map[place];
      }
    }
  }

  // Sums down the T values of each column of each window row: a run of window rows per thread.
  FCA_HOST_DEVICE void sum_columns(int channel, int group) const {
    const int first = run_ * run_rows_, last = smaller(first + run_rows_, rows_);
    if (run_ >= runs_ || first >= last) return;
    const unsigned char* sample = layout_.samples(shared_, channel) + run_column_;
    LevelBytes sum = {};
    for (int row = 0; row < T; ++row) sum.add(bytes(sample, first * task_.stride + row, group));
    store_sum(first, run_column_, sum);
    for (int window = first + 1; window < last; ++window) {
      for (int step = 0; step < task_.stride; ++step) {
        const int added = window * task_.stride + T - 1 - step;
        sum.add(bytes(sample, added, group));
        sum.subtract(bytes(sample, added - T, group));
      }
      store_sum(window, run_column_, sum);
    }
  }

  // The error of each level of the group in each window.
  FCA_HOST_DEVICE void fill_tables(int channel, int group) const {
    unsigned char* errors = layout_.errors(shared_);
    int row = window_row_, column = window_column_;
    for (int window = thread_; window < rows_ * columns_; window += kFastThreads) {
      const LevelBytes* line =
          layout_.sums(shared_) + row * layout_.sample_columns + column * task_.stride;
      LevelBytes ranks = line[0];
      FCA_UNROLL
      for (int right = 1; right < T; ++right) ranks.add(line[right]);
      const unsigned char* expected = reference_of(channel, column);
      FCA_UNROLL
      for (int place = 0; place < kGroup; ++place) {
        const int twice = static_cast<int>(ranks.words[place / 4] >> (8 * (place % 4)) & 255u);
        const int value = expected[smaller(twice / 2, T * T - 1)];
        errors[place * layout_.plane + window] =
            static_cast<unsigned char>(distance(group * kGroup + place, value));
      }
      row += row_step_ + (column + column_step_ >= columns_);
      column += column_step_ - (column + column_step_ >= columns_ ? columns_ : 0);
    }
  }

  // Adds what the thread's positions get from the windows that cover them.
  FCA_HOST_DEVICE void gather(int channel, int group) {
    FCA_UNROLL
    for (int which = 0; which < kFastPositions; ++which) {
      const int line = this->line(which), column = this->column();
      if (line >= task_.height || column >= task_.width) continue;
      const int row = line + kRadius - first_row_ * task_.stride;
      const int across = column + kRadius - first_column_ * task_.stride;
      const int level = layout_.samples(shared_, channel)[row * sample_columns_ + across];
      if (level / kGroup != group) continue;
      const unsigned char* errors = layout_.errors(shared_) + level % kGroup * layout_.plane;
      totals_[which] += sum_cover(errors, down_[which]);
    }
  }

  // Adds the slice to the map; integers, so that the order of the blocks does not matter.
  template <typename Add>
  FCA_HOST_DEVICE void store(Add add) const {
    FCA_UNROLL
    for (int which = 0; which < kFastPositions; ++which) {
      const int line = this->line(which);
      if (line >= task_.height || column() >= task_.width) continue;
      add(task_.totals + static_cast<long long>(line) * task_.width + column(), totals_[which]);
    }
  }

 private:
  FCA_HOST_DEVICE int line(int which) const {
    return top_ + thread_ / kFastColumns + which * (kFastThreads / kFastColumns);
  }
  FCA_HOST_DEVICE int column() const { return left_ + thread_ % kFastColumns; }

  // Last window that covers a position; positions past the map's end do not exist.
  FCA_HOST_DEVICE int covering(int position, int length) const {
    const int inside = smaller(position, length - 1);
    return smaller(last_cover(inside, kRadius, task_.stride), (length - 1) / task_.stride);
  }

  FCA_HOST_DEVICE LevelBytes bytes(const unsigned char* sample, int row, int group) const {
    return LevelBytes::above(sample[row * sample_columns_] - group * kGroup);
  }

  FCA_HOST_DEVICE void store_sum(int row, int column, const LevelBytes& sum) const {
    layout_.sums(shared_)[row * layout_.sample_columns + column] = sum;
  }

  FCA_HOST_DEVICE const unsigned char* reference_of(int channel, int column) const {
    const int centre = (first_column_ + column) * task_.stride + task_.first_column;
    const int band = task_.band_width > 0 ? centre / task_.band_width - task_.first_band : 0;
    return task_.reference + (static_cast<long long>(band) * task_.channels + channel) * T * T;
  }

  FCA_HOST_DEVICE int sum_cover(const unsigned char* errors, const Span& down) const {
    int total = 0;
    for (int row = down.first; row <= down.last; ++row)
      for (int column = across_.first; column <= across_.last; ++column)
        total += errors[row * columns_ + column];
    return total;
  }

  const FastTask& task_;
  const FastShared<T> layout_;
  unsigned char* const shared_;
  const int thread_, left_, top_, slice_;
  const int first_column_, first_row_, columns_, rows_;
  const int sample_columns_, sample_rows_;
  int runs_ = 0, run_rows_ = 0, run_ = 0, run_column_ = 0;
  int window_row_ = 0, window_column_ = 0, row_step_ = 0, column_step_ = 0;
  Span across_ = {}, down_[kFastPositions] = {};  // Windows that cover the thread's positions.
  int totals_[kFastPositions] = {};
};

constexpr int kMapThreads = 128;

struct FinishTask {
  const int* totals;  // (height, width)
  float* scores;      // (height, width)
  int height, width;
  int whole;  // channels * (levels_count - 1): the total of one window whose error is the largest
  int stride;
};

#define FCA_FINISH_ARGUMENTS \
  const int *totals, float *scores, int height, int width, int whole, int stride
#define FCA_FINISH_TASK \
  fca::FinishTask { totals, scores, height, width, whole, stride }

// Windows that cover an interior position of a phase, along one axis.
template <int T>
FCA_HOST_DEVICE int phase_cover(int phase, int stride) {
  const int reach = T / 2 - phase;  // Below 0 where the stride is larger than the radius.
  const int before = reach >= 0 ? reach / stride : -divide_up(-reach, stride);
  return before + (T / 2 + phase) / stride + 1;
}

// One thread: one position's sum as a share of what an interior position could have.
template <int T>
FCA_HOST_DEVICE void finish_position(const FinishTask& task, Block block, int thread) {
  const long long place = static_cast<long long>(block.x) * kMapThreads + thread;
  if (place >= static_cast<long long>(task.height) * task.width) return;
  const int line = static_cast<int>(place / task.width);
  const int column = static_cast<int>(place % task.width);
  const int cover = phase_cover<T>(line % task.stride, task.stride) *
                    phase_cover<T>(column % task.stride, task.stride);
  const double whole = static_cast<double>(task.whole) * cover;
  task.scores[place] = static_cast<float>(task.totals[place] / whole);
}

struct BlurTask {
  const float* scores;  // (height, width)
  float* blurred;       // (height, width)
  int height, width;
  BlurTaps taps;
};

#define FCA_BLUR_ARGUMENTS \
  const float *scores, float *blurred, int height, int width, float blur0, float blur1, float blur2
#define FCA_BLUR_TASK                 \
  fca::BlurTask {                     \
    scores, blurred, height, width, { \
      {                               \
        blur0, blur1, blur2           \
      }                               \
    }                                 \
  }

// One thread: one position of the blurred map, down its neighbours' columns first.
FCA_HOST_DEVICE void blur_position(const BlurTask& task, Block block, int thread) {
  const long long place = static_cast<long long>(block.x) * kMapThreads + thread;
  if (place >= static_cast<long long>(task.height) * task.width) return;
  const int line = static_cast<int>(place / task.width);
  const int column = static_cast<int>(place % task.width);
  float down[2 * kBlurRadius + 1];
  FCA_UNROLL
  for (int tap = -kBlurRadius; tap <= kBlurRadius; ++tap)
    down[tap + kBlurRadius] = blur_at(task.scores + mirror(column + tap, task.width), task.width,
                                      line, task.height, task.taps);
  float total = down[0] * task.taps.by_distance[kBlurRadius];
  FCA_UNROLL
  for (int tap = 1 - kBlurRadius; tap <= kBlurRadius; ++tap)
    total += down[tap + kBlurRadius] * task.taps.by_distance[distance(tap, 0)];
  task.blurred[place] = total;
}

}  // namespace fca
