#include "paths.h"

#include <stdexcept>

namespace linescan {

std::vector<std::string> usable_paths() {
  std::vector<std::string> paths;
#ifdef LINESCAN_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi")) {
    paths.push_back("avx512");
  }
  if (__builtin_cpu_supports("avx2")) paths.push_back("avx2");
#endif
  paths.push_back("portable");
  return paths;
}

namespace {

void require_usable(const std::string& path) {
  for (const std::string& usable : usable_paths()) {
    if (usable == path) return;
  }
  throw std::invalid_argument("path must be one that this CPU has, got " + path);
}

}  // namespace

ExactKernel exact_kernel(const std::string& path, const ExactTask& task) {
  require_usable(path);
#ifdef LINESCAN_X86
  if (path == "avx512") return exact_kernel_avx512(task);
  if (path == "avx2") return exact_kernel_avx2(task);
#endif
  return exact_kernel_portable(task);
}

FastKernel fast_kernel(const std::string& path, int side, int stride) {
  require_usable(path);
#ifdef LINESCAN_X86
  if (path == "avx512") return fast_kernel_avx512(side, stride);
  if (path == "avx2") return fast_kernel_avx2(side, stride);
#endif
  return fast_kernel_portable(side, stride);
}

MedianKernel median_kernel(const std::string& path, int side) {
  require_usable(path);
#ifdef LINESCAN_X86
  if (path == "avx512") return median_kernel_avx512(side);
  if (path == "avx2") return median_kernel_avx2(side);
#endif
  return median_kernel_portable(side);
}

CountKernel count_kernel(const std::string& path, int side) {
  require_usable(path);
#ifdef LINESCAN_X86
  if (path == "avx512") return count_kernel_avx512(side);
  if (path == "avx2") return count_kernel_avx2(side);
#endif
  return count_kernel_portable(side);
}

FlatKernel flat_kernel(const std::string& path) {
  require_usable(path);
#ifdef LINESCAN_X86
  if (path == "avx512") return flat_kernel_avx512();
  if (path == "avx2") return flat_kernel_avx2();
#endif
  return flat_kernel_portable();
}

}  // namespace linescan
