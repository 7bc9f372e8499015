// Channels shared out to threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

#include "fast_task.h"

namespace linescan {

// The calling thread is one of them.
inline int64_t thread_count(int64_t channels, int threads) {
  return std::min<int64_t>(threads, channels);
}

inline Channels share(int64_t channels, int64_t index, int64_t count) {
  return {index * channels / count, (index + 1) * channels / count};
}

// `work(index)` for 0..count-1, each in a thread of its own; must not throw.
template <class Work>
void run_at_once(int64_t count, const Work& work) {
  std::vector<std::jthread> running;
  running.reserve(static_cast<size_t>(count - 1));
  for (int64_t index = 1; index < count; ++index) running.emplace_back(work, index);
  work(0);
}

}  // namespace linescan
