// The fast form of FCA on one map, over several threads; knows nothing of Python.
#pragma once

#include <string>

#include "fast_task.h"

namespace linescan {

// Writes (height, width) scores, C-order: the mean error over channels and covering windows in
// units of the level range. Sums are integers: the number of threads does not change a bit.
// Throws std::invalid_argument for a task that no kernel fits or a path this CPU does not have.
void fast_score(const FastTask& task, const std::string& path, int threads, float* scores);

}  // namespace linescan
