// The device kernels on the CPU: the same headers, launched block by block and thread by thread.
// What lies between two barriers runs thread after thread, forwards or backwards, before the next
// barrier's part begins: a missing barrier shows as a difference. What is read before it is written
// is filled with nonsense, and what is written beyond a block's shared memory is noticed.
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "fca_errors.h"
#include "fca_fast.h"
#include "fca_windows.h"

namespace {

enum Outcome { kDone = 0, kNoSuchKernel = 1, kSharedTooSmall = 2, kWroteBeyondShared = 3 };

struct Grid {
  int x, y, z, threads, shared_bytes, backwards;
};

#define GRID_ARGUMENTS int grid_x, int grid_y, int grid_z, int threads, int shared_bytes, int back
#define GRID \
  Grid { grid_x, grid_y, grid_z, threads, shared_bytes, back }

template <typename Each>
void for_each_block(const Grid& grid, Each each) {
  for (int z = 0; z < grid.z; ++z)
    for (int y = 0; y < grid.y; ++y)
      for (int x = 0; x < grid.x; ++x) each(fca::Block{x, y, z});
}

template <typename Each>
void for_each_thread(const Grid& grid, Each each) {
  for (int count = 0; count < grid.threads; ++count)
    each(grid.backwards ? grid.threads - 1 - count : count);
}

// A block's shared memory between two guards, full of bytes that are NaN as floats.
class Shared {
 public:
  explicit Shared(int bytes) : size_(bytes), memory_(bytes + 2 * kGuard, 0xff) {}
  unsigned char* begin() { return memory_.data() + kGuard; }
  void spoil() { std::memset(begin(), 0xff, size_); }
  bool intact() const {
    for (int place = 0; place < kGuard; ++place)
      if (memory_[place] != 0xff || memory_[kGuard + size_ + place] != 0xff) return false;
    return true;
  }

 private:
  static constexpr int kGuard = 256;  // A multiple of what the largest access is aligned to.
  int size_;
  std::vector<unsigned char> memory_;
};

template <typename Thread, typename... Arguments>
std::vector<std::unique_ptr<Thread>> start_threads(const Grid& grid,
                                                   const Arguments&... arguments) {
  std::vector<std::unique_ptr<Thread>> threads;
  for (int thread = 0; thread < grid.threads; ++thread)
    threads.push_back(std::make_unique<Thread>(arguments..., thread));
  return threads;
}

// What the threads of a block do until the next barrier, each for itself.
template <typename Thread>
class Between {
 public:
  Between(const Grid& grid, std::vector<std::unique_ptr<Thread>>& threads)
      : grid_(grid), threads_(threads) {}

  void then(std::function<void(Thread&)> step) { steps_.push_back(std::move(step)); }

  void barrier() {
    for_each_thread(grid_, [&](int thread) {
      for (const auto& step : steps_) step(*threads_[thread]);
    });
    steps_.clear();
  }

 private:
  const Grid& grid_;
  std::vector<std::unique_ptr<Thread>>& threads_;
  std::vector<std::function<void(Thread&)>> steps_;
};

template <int T, fca::Ties RULE, bool BANDED, bool STRIDED>
Outcome run_errors(const Grid& grid, const fca::ErrorsTask& task) {
  using Thread = fca::ErrorsThread<T, RULE, BANDED, STRIDED>;
  const int size = Thread::buffer_size(task.stride);
  if (grid.threads != fca::kErrorsThreads) return kNoSuchKernel;
  if (grid.shared_bytes < 2 * size * static_cast<int>(sizeof(float))) return kSharedTooSmall;
  Shared shared(grid.shared_bytes);
  for_each_block(grid, [&](fca::Block block) {
    shared.spoil();
    auto threads = start_threads<Thread>(grid, task, block);
    float* filled = reinterpret_cast<float*>(shared.begin());
    float* other = filled + size;
    const int last = threads[0]->last_channel();
    Between<Thread> between{grid, threads};
    for (int channel = threads[0]->first_channel(); channel < last; ++channel) {
      between.then([=](Thread& thread) { thread.stage(channel, filled); });
      between.barrier();
      between.then([=](Thread& thread) { thread.add(channel, filled); });
      std::swap(filled, other);
    }
    between.then([](Thread& thread) { thread.store(); });
    between.barrier();
  });
  return shared.intact() ? kDone : kWroteBeyondShared;
}

template <int T, fca::Ties RULE>
Outcome choose_errors(bool banded, bool strided, const Grid& grid, const fca::ErrorsTask& task) {
  if (banded && strided) return run_errors<T, RULE, true, true>(grid, task);
  if (banded) return run_errors<T, RULE, true, false>(grid, task);
  if (strided) return run_errors<T, RULE, false, true>(grid, task);
  return run_errors<T, RULE, false, false>(grid, task);
}

template <int T>
Outcome run_fast(const Grid& grid, const fca::FastTask& task) {
  // The thread is the third of the constructor's arguments.
  struct Thread : fca::FastThread<T> {
    Thread(const fca::FastTask& task, fca::Block block, unsigned char* shared, int thread)
        : fca::FastThread<T>(task, block, thread, shared) {}
  };
  if (grid.threads != fca::kFastThreads) return kNoSuchKernel;
  if (grid.shared_bytes < fca::FastShared<T>(task.stride).size()) return kSharedTooSmall;
  Shared shared(grid.shared_bytes);
  for_each_block(grid, [&](fca::Block block) {
    shared.spoil();
    auto threads = start_threads<Thread>(grid, task, block, shared.begin());
    const int last = threads[0]->last_channel();
    Between<Thread> between{grid, threads};
    for (int channel = threads[0]->first_channel(); channel < last; ++channel) {
      between.then([=](Thread& thread) { thread.stage(channel); });
      between.barrier();
      for (int group = 0; group < threads[0]->groups(); ++group) {
        between.then([=](Thread& thread) { thread.sum_columns(channel, group); });
        between.barrier();
        between.then([=](Thread& thread) { thread.fill_tables(channel, group); });
        between.barrier();
        between.then([=](Thread& thread) { thread.gather(channel, group); });
      }
    }
    between.then(
        [](Thread& thread) { thread.store([](int* total, int value) { *total += value; }); });
    between.barrier();
  });
  return shared.intact() ? kDone : kWroteBeyondShared;
}

// Calls `chosen` with the patch size as a constant.
template <typename Chosen>
Outcome with_patch(int patch_size, Chosen chosen) {
  switch (patch_size) {
    case 3:
      return chosen(std::integral_constant<int, 3>{});
    case 5:
      return chosen(std::integral_constant<int, 5>{});
    case 7:
      return chosen(std::integral_constant<int, 7>{});
    case 9:
      return chosen(std::integral_constant<int, 9>{});
    case 11:
      return chosen(std::integral_constant<int, 11>{});
    default:
      return kNoSuchKernel;
  }
}

// A kernel without barriers: every thread by itself.
template <typename Each>
Outcome run_threads(const Grid& grid, int threads, Each each) {
  if (grid.threads != threads) return kNoSuchKernel;
  for_each_block(grid, [&](fca::Block block) {
    for_each_thread(grid, [&](int thread) { each(block, thread); });
  });
  return kDone;
}

}  // namespace

extern "C" {

int fca_errors(int patch_size, int ties, int banded, int strided, GRID_ARGUMENTS,
               FCA_ERRORS_ARGUMENTS) {
  const fca::ErrorsTask task = FCA_ERRORS_TASK;
  return with_patch(patch_size, [&](auto side) {
    constexpr int T = decltype(side)::value;
    switch (static_cast<fca::Ties>(ties)) {
      case fca::Ties::first:
        return choose_errors<T, fca::Ties::first>(banded, strided, GRID, task);
      case fca::Ties::mid:
        return choose_errors<T, fca::Ties::mid>(banded, strided, GRID, task);
      case fca::Ties::mean:
        return choose_errors<T, fca::Ties::mean>(banded, strided, GRID, task);
    }
    return kNoSuchKernel;
  });
}

int fca_windows(int patch_size, int, int, int, GRID_ARGUMENTS, FCA_WINDOWS_ARGUMENTS) {
  const fca::WindowsTask task = FCA_WINDOWS_TASK;
  return with_patch(patch_size, [&](auto side) {
    return run_threads(GRID, fca::kWindowsThreads, [&](fca::Block block, int thread) {
      fca::weigh_window<decltype(side)::value>(task, block, thread);
    });
  });
}

int fca_gather(int patch_size, int, int, int, GRID_ARGUMENTS, FCA_GATHER_ARGUMENTS) {
  const fca::GatherTask task = FCA_GATHER_TASK;
  return with_patch(patch_size, [&](auto side) {
    return run_threads(GRID, fca::kWindowsThreads, [&](fca::Block block, int thread) {
      fca::gather_position<decltype(side)::value>(task, block, thread);
    });
  });
}

int fca_fast(int patch_size, int, int, int, GRID_ARGUMENTS, FCA_FAST_ARGUMENTS) {
  const fca::FastTask task = FCA_FAST_TASK;
  return with_patch(patch_size,
                    [&](auto side) { return run_fast<decltype(side)::value>(GRID, task); });
}

int fca_finish(int patch_size, int, int, int, GRID_ARGUMENTS, FCA_FINISH_ARGUMENTS) {
  const fca::FinishTask task = FCA_FINISH_TASK;
  return with_patch(patch_size, [&](auto side) {
    return run_threads(GRID, fca::kMapThreads, [&](fca::Block block, int thread) {
      fca::finish_position<decltype(side)::value>(task, block, thread);
    });
  });
}

int fca_blur(int, int, int, int, GRID_ARGUMENTS, FCA_BLUR_ARGUMENTS) {
  const fca::BlurTask task = FCA_BLUR_TASK;
  return run_threads(GRID, fca::kMapThreads, [&](fca::Block block, int thread) {
    fca::blur_position(task, block, thread);
  });
}

}  // extern "C"
