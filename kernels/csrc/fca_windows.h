// From the errors of windows to scores: mean over channels, blur and weight inside the window, the
// best of several references, and the sum over the windows that cover a position; ranks nothing.
#pragma once

#include "fca_device.h"

namespace fca {

constexpr int kWindowsThreads = 128;

struct WindowsTask {
  const float* partial;  // (slices, items, references, T * T, rows, columns)
  float* fields;         // (items, T * T, rows, columns)
  int slices, items, references, channels;
  int rows, columns;
  int blurs;
  BlurTaps blur;
  Taps taps;
};

#define FCA_WINDOWS_ARGUMENTS                                                               \
  const float *partial, float *fields, int slices, int items, int references, int channels, \
      int rows, int columns, int blurs, float blur0, float blur1, float blur2, float tap0,  \
      float tap1, float tap2, float tap3, float tap4, float tap5
#define FCA_WINDOWS_TASK                                                        \
  fca::WindowsTask {                                                            \
    partial, fields, slices, items, references, channels, rows, columns, blurs, \
        {{blur0, blur1, blur2}}, {                                              \
      {                                                                         \
        tap0, tap1, tap2, tap3, tap4, tap5                                      \
      }                                                                         \
    }                                                                           \
  }

// The weighted errors of one window.
template <int T>
struct Field {
  float values[T * T];

  FCA_HOST_DEVICE void blur(const BlurTaps& taps) {
    FCA_UNROLL
    for (int column = 0; column < T; ++column) blur_line(values + column, T, taps);
    FCA_UNROLL
    for (int row = 0; row < T; ++row) blur_line(values + row * T, 1, taps);
  }

  // Multiplies by the window's Gaussian and returns the sum, term by term.
  FCA_HOST_DEVICE float weigh(const Taps& taps) {
    float total = 0.0f;
    FCA_UNROLL
    for (int place = 0; place < T * T; ++place) {
      const float down = taps.by_distance[distance(place / T, T / 2)];
      const float right = taps.by_distance[distance(place % T, T / 2)];
      values[place] *= down * right;
      total += values[place];
    }
    return total;
  }

 private:
  FCA_HOST_DEVICE static void blur_line(float* line, int step, const BlurTaps& taps) {
    float blurred[T];
    FCA_UNROLL
    for (int at = 0; at < T; ++at) blurred[at] = blur_at(line, step, at, T, taps);
    FCA_UNROLL
    for (int at = 0; at < T; ++at) line[at * step] = blurred[at];
  }
};

// One thread: one window of the strip, `block.y` is the item.
template <int T>
FCA_HOST_DEVICE void weigh_window(const WindowsTask& task, Block block, int thread) {
  const long long plane = static_cast<long long>(task.rows) * task.columns;
  const long long window = static_cast<long long>(block.x) * kWindowsThreads + thread;
  if (window >= plane) return;
  const long long slice = static_cast<long long>(task.items) * task.references * T * T * plane;
  float smallest = 0.0f;
  for (int reference = 0; reference < task.references; ++reference) {
    const long long field = static_cast<long long>(block.y) * task.references + reference;
    const float* partial = task.partial + field * T * T * plane + window;
    Field<T> errors;
    FCA_UNROLL
    for (int place = 0; place < T * T; ++place) errors.values[place] = partial[place * plane];
    for (int later = 1; later < task.slices; ++later) {
      FCA_UNROLL
      for (int place = 0; place < T * T; ++place)
        errors.values[place] += partial[later * slice + place * plane];
    }
    FCA_UNROLL
    for (int place = 0; place < T * T; ++place)
      errors.values[place] /= static_cast<float>(task.channels);
    if (task.blurs) errors.blur(task.blur);
    const float total = errors.weigh(task.taps);
    if (reference > 0 && !(total < smallest)) continue;
    smallest = total;
    float* out = task.fields + static_cast<long long>(block.y) * T * T * plane + window;
    FCA_UNROLL
    for (int place = 0; place < T * T; ++place) out[place * plane] = errors.values[place];
  }
}

struct GatherTask {
  const float* fields;  // (items, T * T, rows, columns)
  float* scores;        // (items, height, width)
  int height, width;
  int first_row, rows, columns;  // Windows of this strip.
  int first_line, lines;         // Positions that they reach.
  int stride;
  float unit;
  Taps taps;
};

#define FCA_GATHER_ARGUMENTS                                                                       \
  const float *fields, float *scores, int height, int width, int first_row, int rows, int columns, \
      int first_line, int lines, int stride, float unit, float tap0, float tap1, float tap2,       \
      float tap3, float tap4, float tap5
#define FCA_GATHER_TASK                                                                         \
  fca::GatherTask {                                                                             \
    fields, scores, height, width, first_row, rows, columns, first_line, lines, stride, unit, { \
      {                                                                                         \
        tap0, tap1, tap2, tap3, tap4, tap5                                                      \
      }                                                                                         \
    }                                                                                           \
  }

// What the taps of the windows that cover an interior position of a phase sum to, along one axis.
template <int T>
FCA_HOST_DEVICE float phase_share(const Taps& taps, int phase, int stride) {
  const int start = (phase + T / 2) % stride;
  float total = 0.0f;
  FCA_UNROLL
  for (int tap = 0; tap < T; ++tap)
    if (tap % stride == start) total += taps.by_distance[distance(tap, T / 2)];
  return total;
}

// One thread: one position. It sums its windows from top left to bottom right, strip after strip.
template <int T>
FCA_HOST_DEVICE void gather_position(const GatherTask& task, Block block, int thread) {
  const long long place = static_cast<long long>(block.x) * kWindowsThreads + thread;
  if (place >= static_cast<long long>(task.lines) * task.width) return;
  const int line = task.first_line + static_cast<int>(place / task.width);
  const int column = static_cast<int>(place % task.width);
  const int radius = T / 2, end = task.first_row + task.rows;
  const long long plane = static_cast<long long>(task.rows) * task.columns;
  const float* fields = task.fields + static_cast<long long>(block.y) * T * T * plane;
  float* out = task.scores + (static_cast<long long>(block.y) * task.height + line) * task.width;
  const int top = first_cover(line, radius, task.stride);
  const int left = first_cover(column, radius, task.stride);
  const int bottom = last_cover(line, radius, task.stride);
  const int right = smaller(last_cover(column, radius, task.stride), task.columns - 1);
  float total = top < task.first_row ? out[column] : 0.0f;
  for (int row = larger(top, task.first_row); row <= smaller(bottom, end - 1); ++row) {
    for (int across = left; across <= right; ++across) {
      const int down_offset = line - row * task.stride + radius;
      const int right_offset = column - across * task.stride + radius;
      const long long window = static_cast<long long>(row - task.first_row) * task.columns + across;
      total += fields[(down_offset * T + right_offset) * plane + window];
    }
  }
  const int last = smaller(bottom, (task.height - 1) / task.stride);
  if (last < end && task.stride > 1)
    total /= phase_share<T>(task.taps, line % task.stride, task.stride) *
             phase_share<T>(task.taps, column % task.stride, task.stride);
  out[column] = last < end ? total / task.unit : total;
}

}  // namespace fca
