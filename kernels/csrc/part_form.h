// Cuts the vectors of a field into parts, and says which cross-web bands meet in each; knows no
// platform.
#pragma once

#include <cstring>

#include "exact_task.h"
#include "planes.h"

// Each instruction set compiles this for itself: the linker may share nothing of it.
namespace {

constexpr int64_t kPartBytes = 384 * 1024;  // Sums of the vectors of a part.

// Bands counted from `first_band`, and which lanes each of them takes: kLanes bytes per band, of
// which none is written where there is but one band.
struct BandLists {
  int64_t first_band;
  int32_t* bands;
  uint8_t* masks;
};

// The vectors of a field are counted plane by plane. A part lies in one plane: only a few rows of
// windows, and so a few bands, hold its positions, however many the map has.
template <int kSide, int kLanes>
class PartForm {
  static constexpr int kReach = kSide - 1;

 public:
  PartForm(const linescan::ExactTask& task, const linescan::Field& field)
      : task_(task), field_(field) {}

  int64_t plane_vectors() const { return divide_up(field_.plane(), kLanes); }
  int64_t most_vectors() const {
    return most(1, kPartBytes / (task_.references * kSide * kSide * kLanes * 4));
  }
  int64_t count() const { return field_.planes() * plane_parts(); }

  linescan::Range vectors_of(int64_t part) const {
    const int64_t first = part / plane_parts() * plane_vectors();
    const int64_t index = part % plane_parts();
    return {first + index * plane_vectors() / plane_parts(),
            first + (index + 1) * plane_vectors() / plane_parts()};
  }

  // The band of the windows of a plane's row that start `first` rows after its first neighbour.
  int64_t band_of(int64_t plane, int64_t plane_row, int first) const {
    const int64_t row = plane_row * field_.stride + plane / field_.stride - field_.lead;
    const int64_t last = (field_.window_rows - 1) * field_.stride;
    return task_.band(field_.first_row + most(0, least(last, row + first - kSide / 2)));
  }

  linescan::Range bands_of(linescan::Range vectors) const {
    const int64_t plane = vectors.first / plane_vectors();
    const int64_t first = vectors.first % plane_vectors() * kLanes;
    const int64_t last = first + (vectors.last - vectors.first) * kLanes - 1;
    return {band_of(plane, first / field_.pitch, 0),
            band_of(plane, last / field_.pitch, kReach) + 1};
  }

  // Lists the bands of the windows that start `first` rows after the first neighbour of the vector
  // at `start` in a plane, and returns their number.
  int64_t list_bands(int64_t plane, int64_t start, int first, BandLists lists) const {
    lists.bands[0] = 0;
    if (most_bands() == 1) return 1;
    int64_t count = 0;
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const int64_t own = band_of(plane, (start + lane) / field_.pitch, first);
      const auto band = static_cast<int32_t>(own - lists.first_band);
      if (count == 0 || lists.bands[count - 1] != band) {
        lists.bands[count] = band;
        std::memset(lists.masks + count * kLanes, 0, kLanes);
        ++count;
      }
      lists.masks[(count - 1) * kLanes + lane] = 0xff;
    }
    return count;
  }

  // No part has more.
  int64_t most_bands() const {
    if (!task_.turned()) return 1;
    const int64_t last = (field_.window_rows - 1) * field_.stride;
    const int64_t whole = task_.band(field_.first_row + last) - task_.band(field_.first_row) + 1;
    const int64_t rows = (least(most_vectors(), plane_vectors()) * kLanes - 1) / field_.pitch + 1;
    return least(whole, (rows * field_.stride + kReach) / task_.band_width + 2);
  }

 private:
  int64_t plane_parts() const { return divide_up(plane_vectors(), most_vectors()); }

  const linescan::ExactTask& task_;
  const linescan::Field& field_;
};

}  // namespace
