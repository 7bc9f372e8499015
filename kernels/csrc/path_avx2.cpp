// The kernels in 32-byte vectors.
#include "count_form.h"
#include "fast_form.h"
#include "median_form.h"
#include "simd_avx2.h"

namespace linescan {

FastKernel fast_kernel_avx2(int side, int stride) { return kernel_for<Avx2>(side, stride); }

MedianKernel median_kernel_avx2(int side) { return median_kernel_for<Avx2>(side); }

CountKernel count_kernel_avx2(int side) { return count_kernel_for<Avx2>(side); }

}  // namespace linescan
