// What the kernels need to know of where a vector of positions lies in its field; knows no
// platform.
#pragma once

#include <cstdint>

#include "exact_task.h"
#include "planes.h"
#include "rank_form.h"

// Each instruction set compiles this for itself: the linker may share nothing of it.
namespace {

template <int kSide, int kLanes>
struct VectorAim {
  static constexpr int kReach = kSide - 1;
  // Keys from one phase of a row to the next in the copies that strided fields are read from.
  static constexpr int kPhasePitch = kLanes + 2 * kMostSpan;

  int64_t plane = 0;
  int64_t start = 0;   // Of the vector in its plane.
  int64_t offset = 0;  // Of the plane in the field.
  int64_t phase_row = 0;
  int64_t phase_column = 0;
  Neighbours around{};
  int64_t row_distances[2 * kReach + 1];  // From a position to the rows of keys around it.
  // Of its positions in the windows that are asked for, row by row of the windows' first rows.
  int32_t places[kSide * kSide];
  int32_t row_ends[kSide];

  // Not inlined: it would use up what GCC inlines into a function (exact scores: 280 -> 201 ms).
  __attribute__((noinline)) void at(const linescan::Field& field, int64_t plane_index,
                                    int64_t first, bool turned) {
    plane = plane_index;
    start = first;
    phase_row = plane / field.stride;
    phase_column = plane % field.stride;
    offset = plane * field.plane();
    find_neighbours(field);
    list_places(turned);
  }

 private:
  void find_neighbours(const linescan::Field& field) {
    around.wanted_rows = 0;
    around.wanted_columns = 0;
    around.row_step = field.stride == 1 ? field.pitch : field.stride * kPhasePitch;
    // Distances from a multiple of the stride, for they are negative too.
    const int64_t turn = divide_up(kReach, field.stride) * field.stride;
    for (int at = 0; at <= 2 * kReach; ++at) {
      const int64_t row = phase_row + at - kReach + turn;
      const int64_t column = phase_column + at - kReach + turn;
      row_distances[at] = field.row_part(row) - field.row_part(phase_row + turn);
      around.columns[at] = field.stride == 1 ? at - kReach : copied_distance(field, column, turn);
      if (at > kReach) continue;
      // The centre of a window lies T / 2 after its first row.
      if ((row + kSide / 2) % field.stride == 0) around.wanted_rows |= 1u << at;
      if ((column + kSide / 2) % field.stride == 0) around.wanted_columns |= 1u << at;
    }
  }

  int64_t copied_distance(const linescan::Field& field, int64_t column, int64_t turn) const {
    return (column % field.stride - phase_column) * kPhasePitch + column / field.stride -
           turn / field.stride;
  }

  void list_places(bool turned) {
    int32_t count = 0;
    for (int row = 0; row < kSide; ++row) {
      for (int column = 0; column < kSide; ++column) {
        const bool wanted =
            (around.wanted_rows >> row & 1) != 0 && (around.wanted_columns >> column & 1) != 0;
        if (wanted) places[count++] = place_of(row, column, turned);
      }
      row_ends[row] = count;
    }
  }

  // Place in a window, counted from its corner, of positions whose window starts there. Turned, the
  // rows of the field are the columns of the windows.
  static int32_t place_of(int row, int column, bool turned) {
    return turned ? (kReach - column) * kSide + kReach - row
                  : (kReach - row) * kSide + kReach - column;
  }
};

}  // namespace
