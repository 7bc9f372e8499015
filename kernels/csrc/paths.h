// Which instruction sets are compiled in and which of them this CPU has.
#pragma once

#include <string>
#include <vector>

#include "count_task.h"
#include "exact_task.h"
#include "fast_task.h"
#include "flat_task.h"
#include "median_task.h"

namespace linescan {

// Names of the paths that run here, the fastest first; "portable" is always the last.
std::vector<std::string> usable_paths();

// Throws std::invalid_argument for a path that does not run here.
ExactKernel exact_kernel(const std::string& path, const ExactTask& task);
FastKernel fast_kernel(const std::string& path, int side, int stride);
MedianKernel median_kernel(const std::string& path, int side);
CountKernel count_kernel(const std::string& path, int side);
FlatKernel flat_kernel(const std::string& path);

}  // namespace linescan
