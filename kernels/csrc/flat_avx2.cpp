// The flat field in 32-byte vectors.
#include "flat_form.h"

namespace linescan {

FlatKernel flat_kernel_avx2() { return flat_kernel_here(); }

}  // namespace linescan
