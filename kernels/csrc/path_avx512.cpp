// The kernels in 64-byte vectors.
#include "count_form.h"
#include "fast_form.h"
#include "median_form.h"
#include "simd_avx512.h"

namespace linescan {

FastKernel fast_kernel_avx512(int side, int stride) { return kernel_for<Avx512>(side, stride); }

MedianKernel median_kernel_avx512(int side) { return median_kernel_for<Avx512>(side); }

CountKernel count_kernel_avx512(int side) { return count_kernel_for<Avx512>(side); }

}  // namespace linescan
