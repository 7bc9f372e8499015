#include "module_counts.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "checks.h"
#include "count_windows.h"

namespace nb = nanobind;

namespace {

using linescan::Items;
using linescan::require;

template <class Item, int kAxes>
using Array = nb::ndarray<Item, nb::ndim<kAxes>, nb::c_contig, nb::device::cpu>;
// Integers of any size, (bands, channels, levels_count - 1, patch_size ** 2 + 1).
using Histogram = nb::ndarray<nb::ndim<4>, nb::c_contig, nb::device::cpu>;

int64_t length(size_t axis) { return static_cast<int64_t>(axis); }

Items items_of(const Histogram& histogram) {
  const auto code = histogram.dtype().code;
  const bool whole = code == static_cast<uint8_t>(nb::dlpack::dtype_code::Int) ||
                     code == static_cast<uint8_t>(nb::dlpack::dtype_code::UInt);
  require(whole, "histograms must be of integers, DLPack code 0 or 1", code);
  return {histogram.data(), histogram.dtype().bits / 8};
}

void check_histogram(const Histogram& histogram, const int64_t (&shape)[4]) {
  for (size_t axis = 0; axis < 4; ++axis) {
    require(length(histogram.shape(axis)) == shape[axis],
            "histograms must be (bands, channels, levels_count - 1, patch_size ** 2 + 1)",
            length(histogram.shape(axis)));
  }
}

void count_windows(const Array<const uint8_t, 3>& levels,
                   const std::optional<Array<const uint8_t, 2>>& barred,
                   const Array<const int64_t, 2>& ranges, const Histogram& histogram,
                   int64_t first_row, int64_t window_rows, int levels_count, int patch_size,
                   int64_t stride_rows, int64_t stride_columns, const std::string& path,
                   int threads) {
  const Items items = items_of(histogram);
  const linescan::CountTask task{levels.data(),
                                 barred ? barred->data() : nullptr,
                                 ranges.data(),
                                 items.first,
                                 length(levels.shape(0)),
                                 length(levels.shape(1)),
                                 length(levels.shape(2)),
                                 length(ranges.shape(0)),
                                 first_row,
                                 window_rows,
                                 stride_rows,
                                 stride_columns,
                                 levels_count,
                                 patch_size,
                                 items.bytes};
  require(length(ranges.shape(1)) == 2, "ranges must be (bands, 2)", length(ranges.shape(1)));
  require(stride_columns >= 1, "strides must be >= 1", stride_columns);
  check_histogram(histogram, {task.bands, task.channels, levels_count - 1,
                              int64_t{patch_size} * patch_size + 1});
  if (barred) {
    require(length(barred->shape(0)) == window_rows &&
                length(barred->shape(1)) == task.window_columns(),
            "barred must be (rows, columns) of windows", length(barred->shape(0)));
  }
  const nb::gil_scoped_release release;
  linescan::count_windows(task, path, threads);
}

void counted_medians(const Histogram& closed, const Histogram& open,
                     const Array<const int64_t, 1>& windows, const Array<uint8_t, 3>& reference,
                     int levels_count, int patch_size, int threads) {
  const linescan::CountedMedians task{items_of(closed),
                                      items_of(open),
                                      windows.data(),
                                      reference.data(),
                                      length(reference.shape(0)),
                                      length(reference.shape(1)),
                                      levels_count,
                                      patch_size};
  require(levels_count >= 2, "levels_count must be >= 2", levels_count);
  const int64_t area = int64_t{patch_size} * patch_size;
  check_histogram(closed, {task.bands, task.channels, levels_count - 1, area + 1});
  check_histogram(open, {task.bands, task.channels, levels_count - 1, area + 1});
  require(length(reference.shape(2)) == area, "reference must have patch_size ** 2 ranks",
          length(reference.shape(2)));
  require(length(windows.shape(0)) == task.bands, "windows must be given per band",
          length(windows.shape(0)));
  const nb::gil_scoped_release release;
  linescan::counted_medians(task, threads);
}

void replace_counts(const Histogram& totals, const Histogram& entering, const Histogram& leaving) {
  const int64_t shape[4] = {length(totals.shape(0)), length(totals.shape(1)),
                            length(totals.shape(2)), length(totals.shape(3))};
  check_histogram(entering, shape);
  check_histogram(leaving, shape);
  const Items items[3] = {items_of(totals), items_of(entering), items_of(leaving)};
  const nb::gil_scoped_release release;
  linescan::replace_counts(items[0], items[1], items[2], length(totals.size()));
}

}  // namespace

void define_counts(nb::module_& module) {
  module.def("count_windows", &count_windows, nb::arg("levels"), nb::arg("barred").none(),
             nb::arg("ranges"), nb::arg("histogram"), nb::arg("first_row"), nb::arg("window_rows"),
             nb::arg("levels_count"), nb::arg("patch_size"), nb::arg("stride_rows"),
             nb::arg("stride_columns"), nb::arg("path"), nb::arg("threads"),
             "Adds to `histogram` how many windows have how many values above each level.");
  module.def("counted_medians", &counted_medians, nb::arg("closed"), nb::arg("open"),
             nb::arg("windows"), nb::arg("reference"), nb::arg("levels_count"),
             nb::arg("patch_size"), nb::arg("threads"),
             "Lower medians of the sum of two histograms into `reference`.");
  module.def("replace_counts", &replace_counts, nb::arg("totals"), nb::arg("entering"),
             nb::arg("leaving"), "totals += entering - leaving, then leaving = 0.");
}
