// FCA with the rank of every position on one map, over several threads; knows nothing of Python.
#pragma once

#include <string>

#include "exact_task.h"

namespace linescan {

// Writes (height, width) scores, C-order: the sum over the covering windows of the weighted and
// blurred mean errors, phases of strided windows not renormalised. Neither the number of threads
// nor the instruction set changes a bit. Features must be finite. Throws std::invalid_argument for
// a task that no kernel fits or a path this CPU does not have.
void exact_score(const ExactTask& task, const std::string& path, int threads, float* scores);

}  // namespace linescan
