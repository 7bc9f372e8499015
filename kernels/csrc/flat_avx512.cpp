// The flat field in 64-byte vectors.
#include "flat_form.h"

namespace linescan {

FlatKernel flat_kernel_avx512() { return flat_kernel_here(); }

}  // namespace linescan
