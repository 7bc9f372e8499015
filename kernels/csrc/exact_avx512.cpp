// FCA with every rank in the vectors of simd_avx512.h.
#include "exact_kernels.h"
#include "simd_avx512.h"

namespace linescan {

ExactKernel exact_kernel_avx512(const ExactTask& task) {
  return exact_kernel_for<Avx512, Avx512Bytes, Avx512Words>(task);
}

}  // namespace linescan
