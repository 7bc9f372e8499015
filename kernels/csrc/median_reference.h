// The median reference of one map, over several threads; knows nothing of Python.
#pragma once

#include <string>

#include "median_task.h"

namespace linescan {

// Fills `task.reference`. Throws std::invalid_argument for a task that no kernel fits or a path
// that this CPU does not have.
void median_reference(const MedianTask& task, const std::string& path, int threads);

}  // namespace linescan
