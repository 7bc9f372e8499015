// FCA with every rank in the vectors of simd_avx2.h.
#include "exact_kernels.h"
#include "simd_avx2.h"

namespace linescan {

ExactKernel exact_kernel_avx2(const ExactTask& task) {
  return exact_kernel_for<Avx2, Avx2Bytes, Avx2Words>(task);
}

}  // namespace linescan
