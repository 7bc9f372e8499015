#include "exact_score.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <vector>

#include "checks.h"
#include "dense_ranks.h"
#include "field.h"
#include "parallel.h"
#include "paths.h"
#include "workspace.h"

namespace linescan {
namespace {

constexpr int64_t kLargestChannels = 65'000;  // Sums of bytes stay exact in floats.
constexpr int64_t kLargestMap = std::numeric_limits<int32_t>::max();  // Places are 32-bit.
constexpr size_t kLine = 64;

void check(const ExactTask& task, int threads) {
  require(task.channels >= 1, "channels must be >= 1", task.channels);
  require(task.channels <= kLargestChannels, "channels must be <= 65000", task.channels);
  require(std::min(task.height, task.width) >= task.side, "features must be at least patch_size",
          std::min(task.height, task.width));
  require(task.height <= kLargestMap / task.width, "height must be < 2 ** 31 / width", task.height);
  require(task.references >= 1, "references must be >= 1", task.references);
  require(task.stride >= 1 && task.stride <= std::min(kLargestStride, task.side),
          "window_stride must be 1..4 and not above patch_size", task.stride);
  require(task.band_width >= 0, "band_width must be >= 0", task.band_width);
  require_column(task.first_column);
  require(threads >= 1, "threads must be >= 1", threads);
}

// `count` pieces of work shared out to threads as they come free; `work(thread, piece)`.
template <class Work>
void work_off(int64_t count, int64_t threads, const Work& work) {
  std::atomic<int64_t> next{0};
  run_at_once(std::min(threads, count), [&](int64_t thread) {
    for (int64_t piece = next++; piece < count; piece = next++) work(thread, piece);
  });
}

size_t aligned(size_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

uint8_t to_byte(float value) {
  const float clipped = std::min(std::max(value, 0.0f), 1.0f);
  return static_cast<uint8_t>(clipped * 255.0f + 0.5f);
}

// Scores one rectangle of the map; its memory comes from the pool of scratch memory.
class RectangleScore {
 public:
  RectangleScore(const ExactTask& task, const ExactKernel& kernel, const Rectangle& rectangle,
                 int64_t threads)
      : task_(task),
        kernel_(kernel),
        rectangle_(rectangle),
        field_(field_of(task, rectangle)),
        rows_(held(field_.first_row - field_.lead, field_.plane_rows * field_.stride, task.rows())),
        columns_(
            held(field_.first_column - field_.lead, field_.pitch * field_.stride, task.columns())),
        guard_(2 * task.side * (field_.pitch + 1) + 4 * static_cast<int64_t>(kLine)),
        key_step_(field_.positions() + static_cast<int64_t>(kLine)),
        loan_(shared_bytes()) {
    const int64_t useful = std::min(threads, most_pieces());
    for (int64_t thread = 0; thread < useful; ++thread) scratch_.emplace_back(thread_bytes());
    lay_out();
  }

  void run(float* scores) {
    const auto threads = static_cast<int64_t>(scratch_.size());
    find_places();
    std::memset(keys_, 0, static_cast<size_t>(guard_) * key_bytes());
    std::memset(keys_ + static_cast<size_t>(guard_ + task_.channels * key_step_) * key_bytes(), 0,
                static_cast<size_t>(guard_) * key_bytes());
    work_off(task_.channels, threads,
             [&](int64_t thread, int64_t channel) { make_keys(channel, memory(thread)); });
    const Strip strip = strip_of();
    work_off(kernel_.parts(task_, field_), threads,
             [&](int64_t thread, int64_t part) { kernel_.add(strip, part, memory(thread)); });
    const Range rows = rectangle_.rows;
    const int64_t blocks = std::min(threads, rows.last - rows.first);
    work_off(blocks, threads, [&](int64_t thread, int64_t block) {
      const Range some{rows.first + block * (rows.last - rows.first) / blocks,
                       rows.first + (block + 1) * (rows.last - rows.first) / blocks};
      kernel_.finish(strip, {some, rectangle_.columns}, memory(thread), scores);
    });
  }

 private:
  int64_t most_pieces() const {
    return std::max({task_.channels, kernel_.parts(task_, field_),
                     rectangle_.rows.last - rectangle_.rows.first});
  }
  size_t key_bytes() const { return task_.bytes ? 1 : 2; }
  int64_t values() const { return (rows_.last - rows_.first) * (columns_.last - columns_.first); }
  size_t all_key_bytes() const {
    return aligned(static_cast<size_t>(2 * guard_ + task_.channels * key_step_) * key_bytes());
  }
  size_t place_bytes() const {
    return aligned(static_cast<size_t>(field_.positions() + static_cast<int64_t>(kLine)) *
                   sizeof(int32_t));
  }
  size_t error_bytes() const {
    return aligned(static_cast<size_t>(task_.references * task_.area() * field_.positions()) *
                   sizeof(float));
  }
  size_t shared_bytes() const { return all_key_bytes() + 2 * place_bytes() + error_bytes(); }
  size_t value_bytes() const { return aligned(static_cast<size_t>(values()) * sizeof(float)); }
  size_t rank_bytes() const { return aligned(static_cast<size_t>(values()) * sizeof(uint16_t)); }
  size_t thread_bytes() const {
    return std::max({kernel_.add_bytes(task_, field_), kernel_.finish_bytes(task_),
                     value_bytes() + rank_bytes() + dense_ranks_bytes(values())});
  }
  uint8_t* memory(int64_t thread) const { return scratch_[static_cast<size_t>(thread)].get(); }

  void lay_out() {
    keys_ = loan_.get();
    places_ = reinterpret_cast<int32_t*>(keys_ + all_key_bytes());
    copied_ = reinterpret_cast<int32_t*>(keys_ + all_key_bytes() + place_bytes());
    errors_ = reinterpret_cast<float*>(keys_ + all_key_bytes() + 2 * place_bytes());
  }

  // Per position its place in the map and among the values that are ranked.
  void find_places() {
    const int64_t width = columns_.last - columns_.first;
    int64_t position = 0;
    for (int64_t phase = 0; phase < field_.planes(); ++phase) {
      for (int64_t at = 0; at < field_.plane(); ++at, ++position) {
        const int64_t row = at / field_.pitch * field_.stride + phase / field_.stride;
        const int64_t column = at % field_.pitch * field_.stride + phase % field_.stride;
        const int64_t r = mirrored(field_.first_row - field_.lead + row, task_.rows());
        const int64_t c = mirrored(field_.first_column - field_.lead + column, task_.columns());
        places_[position] = static_cast<int32_t>(task_.place(r, c));
        copied_[position] = static_cast<int32_t>((r - rows_.first) * width + c - columns_.first);
      }
    }
    std::fill_n(places_ + position, kLine, 0);
  }

  void make_keys(int64_t channel, uint8_t* memory) const {
    auto* values = reinterpret_cast<float*>(memory);
    uint8_t* made = memory + value_bytes();
    const int64_t count = copy_values(channel, values);
    if (task_.bytes) {
      const auto bias = static_cast<uint8_t>(kernel_.key_bias);
      for (int64_t at = 0; at < count; ++at) made[at] = to_byte(values[at]) ^ bias;
      deal_out<uint8_t>(channel, made);
    } else {
      auto* ranks = reinterpret_cast<uint16_t*>(made);
      dense_ranks(values, count, memory + value_bytes() + rank_bytes(), ranks);
      for (int64_t at = 0; at < count; ++at) ranks[at] ^= kernel_.key_bias;
      deal_out<uint16_t>(channel, ranks);
    }
  }

  // The values that the positions of the field hold, in the orientation of the task.
  int64_t copy_values(int64_t channel, float* values) const {
    const float* map = task_.features + channel * task_.height * task_.width;
    const int64_t step = task_.place(0, 1) - task_.place(0, 0);
    int64_t count = 0;
    for (int64_t row = rows_.first; row < rows_.last; ++row) {
      const float* from = map + task_.place(row, columns_.first);
      const int64_t columns = columns_.last - columns_.first;
      if (step == 1) {
        std::memcpy(values + count, from, static_cast<size_t>(columns) * sizeof(float));
      } else {
        for (int64_t at = 0; at < columns; ++at) values[count + at] = from[at * step];
      }
      count += columns;
    }
    return count;
  }

  template <class Key>
  void deal_out(int64_t channel, const Key* made) const {
    auto* keys = reinterpret_cast<Key*>(keys_) + guard_ + channel * key_step_;
    if (field_.stride == 1) {
      deal_rows(made, keys);
    } else {
      for (int64_t at = 0; at < field_.positions(); ++at) keys[at] = made[copied_[at]];
    }
    std::memset(keys + field_.positions(), 0, kLine * sizeof(Key));
  }

  // Row by row: what lies inside the map is copied, its mirrored margins are picked.
  template <class Key>
  void deal_rows(const Key* made, Key* keys) const {
    const int64_t first = field_.first_column - field_.lead;
    const int64_t begin = std::max<int64_t>(0, -first);
    const int64_t end = std::min(field_.pitch, task_.columns() - first);
    for (int64_t row = 0; row < field_.plane_rows; ++row) {
      const int32_t* copied = copied_ + row * field_.pitch;
      Key* line = keys + row * field_.pitch;
      for (int64_t at = 0; at < begin; ++at) line[at] = made[copied[at]];
      std::memcpy(line + begin, made + copied[begin],
                  static_cast<size_t>(end - begin) * sizeof(Key));
      for (int64_t at = end; at < field_.pitch; ++at) line[at] = made[copied[at]];
    }
  }

  Strip strip_of() const {
    return {&task_,    &field_, keys_ + static_cast<size_t>(guard_) * key_bytes(),
            key_step_, places_, errors_};
  }

  const ExactTask& task_;
  const ExactKernel& kernel_;
  Rectangle rectangle_;
  Field field_;
  Range rows_;
  Range columns_;
  int64_t guard_;     // Keys before the first channel and after the last.
  int64_t key_step_;  // From one channel to the next.
  Loan loan_;
  std::vector<Loan> scratch_;
  uint8_t* keys_ = nullptr;
  int32_t* places_ = nullptr;
  int32_t* copied_ = nullptr;
  float* errors_ = nullptr;
};

}  // namespace

void exact_score(const ExactTask& task, const std::string& path, int threads, float* scores) {
  const ExactKernel kernel = exact_kernel(path, task);
  require(kernel.add != nullptr, "patch_size must be odd, 3..11", task.side);
  check(task, threads);
  std::fill_n(scores, task.height * task.width, 0.0f);
  for (const Rectangle& rectangle : cut_map(task)) {
    RectangleScore(task, kernel, rectangle, threads).run(scores);
  }
}

}  // namespace linescan
