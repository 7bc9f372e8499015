// The kernels in 16-byte vectors.
#include "count_form.h"
#include "fast_form.h"
#include "median_form.h"
#include "simd_portable.h"

namespace linescan {

FastKernel fast_kernel_portable(int side, int stride) { return kernel_for<Portable>(side, stride); }

MedianKernel median_kernel_portable(int side) { return median_kernel_for<Portable>(side); }

CountKernel count_kernel_portable(int side) { return count_kernel_for<Portable>(side); }

}  // namespace linescan
