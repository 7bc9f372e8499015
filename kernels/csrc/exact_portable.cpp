// FCA with every rank in the vectors of simd_portable.h.
#include "exact_kernels.h"
#include "simd_portable.h"

namespace linescan {

ExactKernel exact_kernel_portable(const ExactTask& task) {
  return exact_kernel_for<Portable, PortableBytes, PortableWords>(task);
}

}  // namespace linescan
