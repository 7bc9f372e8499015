// Cuts a map into rectangles whose keys and errors fit the memory, and lays out their positions.
#pragma once

#include <cstdint>
#include <vector>

#include "exact_task.h"

namespace linescan {

// The whole map, or as few rectangles of much the same size as the memory allows.
std::vector<Rectangle> cut_map(const ExactTask& task);

// The windows that cover a rectangle and the positions that they hold.
Field field_of(const ExactTask& task, const Rectangle& rectangle);

// Rows (columns) of the map that `count` positions from `first` on lie on, mirrored at its ends; of
// what lies further out, which no window asks for, the nearest one.
Range held(int64_t first, int64_t count, int64_t length);

// Place in the map of a position that lies `index` rows (columns) from the start of the map.
int64_t mirrored(int64_t index, int64_t length);

}  // namespace linescan
