// The kernels of FCA for CUDA devices, for one patch size: -DFCA_PATCH=T; with -DFCA_TIES=0|1|2
// (first, mid, mean), -DFCA_BANDED=0|1 and -DFCA_STRIDED=0|1 those of fca_score, without them those
// of fca_score_fast. The arithmetic stands in the headers; here are launches and barriers only.
#include "fca_errors.h"
#include "fca_fast.h"
#include "fca_windows.h"

#define FCA_BLOCK \
  fca::Block { (int)blockIdx.x, (int)blockIdx.y, (int)blockIdx.z }

#if defined(FCA_TIES)

// The sums and counts of a thread live in registers: three blocks to a multiprocessor where they
// fit without spilling, else two.
constexpr bool kFewRegisters = FCA_PATCH <= 9 && FCA_TIES != 2 && !FCA_BANDED;

extern "C" __global__ void __launch_bounds__(fca::kErrorsThreads, kFewRegisters ? 3 : 2)
    fca_errors(FCA_ERRORS_ARGUMENTS) {
  extern __shared__ float errors_shared[];
  using Thread =
      fca::ErrorsThread<FCA_PATCH, static_cast<fca::Ties>(FCA_TIES), FCA_BANDED, FCA_STRIDED>;
  const fca::ErrorsTask task = FCA_ERRORS_TASK;
  Thread thread(task, FCA_BLOCK, threadIdx.x);
  // Two buffers: a thread may fill one while others still read the other.
  float* filled = errors_shared;
  float* other = errors_shared + Thread::buffer_size(stride);
  for (int channel = thread.first_channel(); channel < thread.last_channel(); ++channel) {
    thread.stage(channel, filled);
    __syncthreads();
    thread.add(channel, filled);
    float* const read = filled;
    filled = other;
    other = read;
  }
  thread.store();
}

extern "C" __global__ void __launch_bounds__(fca::kWindowsThreads)
    fca_windows(FCA_WINDOWS_ARGUMENTS) {
  const fca::WindowsTask task = FCA_WINDOWS_TASK;
  fca::weigh_window<FCA_PATCH>(task, FCA_BLOCK, threadIdx.x);
}

extern "C" __global__ void __launch_bounds__(fca::kWindowsThreads)
    fca_gather(FCA_GATHER_ARGUMENTS) {
  const fca::GatherTask task = FCA_GATHER_TASK;
  fca::gather_position<FCA_PATCH>(task, FCA_BLOCK, threadIdx.x);
}

#else

struct AddInteger {
  __device__ void operator()(int* total, int value) const { atomicAdd(total, value); }
};

extern "C" __global__ void __launch_bounds__(fca::kFastThreads) fca_fast(FCA_FAST_ARGUMENTS) {
  extern __shared__ uint4 fast_shared[];
  const fca::FastTask task = FCA_FAST_TASK;
  fca::FastThread<FCA_PATCH> thread(task, FCA_BLOCK, threadIdx.x,
                                    reinterpret_cast<unsigned char*>(fast_shared));
  for (int channel = thread.first_channel(); channel < thread.last_channel(); ++channel) {
    thread.stage(channel);
    __syncthreads();
    for (int group = 0; group < thread.groups(); ++group) {
      thread.sum_columns(channel, group);
      __syncthreads();
      thread.fill_tables(channel, group);
      __syncthreads();
      thread.gather(channel, group);
    }
  }
  thread.store(AddInteger{});
}

extern "C" __global__ void __launch_bounds__(fca::kMapThreads) fca_finish(FCA_FINISH_ARGUMENTS) {
  const fca::FinishTask task = FCA_FINISH_TASK;
  fca::finish_position<FCA_PATCH>(task, FCA_BLOCK, threadIdx.x);
}

extern "C" __global__ void __launch_bounds__(fca::kMapThreads) fca_blur(FCA_BLUR_ARGUMENTS) {
  const fca::BlurTask task = FCA_BLUR_TASK;
  fca::blur_position(task, FCA_BLOCK, threadIdx.x);
}

#endif
