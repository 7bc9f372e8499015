// The flat field in instructions that every CPU has.
#include "flat_form.h"

namespace linescan {

FlatKernel flat_kernel_portable() { return flat_kernel_here(); }

}  // namespace linescan
