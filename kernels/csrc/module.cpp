// The Python module kernels._native: arrays in and out without a copy, the interpreter released.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "checks.h"
#include "exact_score.h"
#include "fast_score.h"
#include "map_blur.h"
#include "median_floats.h"
#include "median_reference.h"
#include "module_counts.h"
#include "module_light.h"
#include "paths.h"

namespace nb = nanobind;

namespace {

template <class Item, int kAxes>
using Array = nb::ndarray<Item, nb::ndim<kAxes>, nb::c_contig, nb::device::cpu>;

struct FastOptions {
  int levels_count;
  int patch_size;
  int window_stride;
  int64_t band_width;
  int64_t first_column;
};

linescan::FastTask task_of(const Array<const uint8_t, 3>& levels,
                           const Array<const uint8_t, 3>& reference, const FastOptions& options) {
  linescan::FastTask task{};
  task.levels = levels.data();
  task.reference = reference.data();
  task.channels = static_cast<int64_t>(levels.shape(0));
  task.height = static_cast<int64_t>(levels.shape(1));
  task.width = static_cast<int64_t>(levels.shape(2));
  task.levels_count = options.levels_count;
  task.side = options.patch_size;
  task.stride = options.window_stride;
  task.band_width = options.band_width;
  task.first_column = options.first_column;
  return task;
}

void check_shapes(const linescan::FastTask& task, const Array<const uint8_t, 3>& reference,
                  const Array<float, 2>& scores) {
  const auto size = [](size_t length) { return static_cast<int64_t>(length); };
  linescan::require(size(reference.shape(0)) > task.band(task.width - 1),
                    "reference must hold every band of the map", size(reference.shape(0)));
  linescan::require(size(reference.shape(1)) == task.channels,
                    "reference must have the channels of the map", size(reference.shape(1)));
  linescan::require(size(reference.shape(2)) == int64_t{task.side} * task.side,
                    "reference must have patch_size ** 2 ranks", size(reference.shape(2)));
  linescan::require(size(scores.shape(0)) == task.height && size(scores.shape(1)) == task.width,
                    "scores must have the size of the map", size(scores.shape(0)));
}

void score_fast(const Array<const uint8_t, 3>& levels, const Array<const uint8_t, 3>& reference,
                const Array<float, 2>& scores, int levels_count, int patch_size, int window_stride,
                int64_t band_width, int64_t first_column, const std::string& path, int threads) {
  const linescan::FastTask task = task_of(
      levels, reference, {levels_count, patch_size, window_stride, band_width, first_column});
  linescan::require_column(first_column);
  check_shapes(task, reference, scores);
  const nb::gil_scoped_release release;
  linescan::fast_score(task, path, threads, scores.data());
}

void blur_map(const Array<float, 2>& map, const Array<float, 2>& spare,
              const Array<const float, 1>& taps) {
  const auto size = [](size_t length) { return static_cast<int64_t>(length); };
  const int64_t height = size(map.shape(0));
  const int64_t width = size(map.shape(1));
  linescan::require(height >= 3 && width >= 3, "map must be at least 3 x 3",
                    std::min(height, width));
  linescan::require(size(spare.shape(0)) == height && size(spare.shape(1)) == width,
                    "spare must have the size of the map", size(spare.shape(0)));
  linescan::require(size(taps.shape(0)) == linescan::kMapTaps, "taps must be 5 weights",
                    size(taps.shape(0)));
  const nb::gil_scoped_release release;
  linescan::blur_map(map.data(), spare.data(), height, width, taps.data());
}

struct ExactOptions {
  std::string ties;
  bool bytes;
  int patch_size;
  int window_stride;
  int64_t band_width;
  int64_t first_column;
};

linescan::Ties ties_of(const std::string& name) {
  if (name == "first") return linescan::Ties::kFirst;
  if (name == "mid") return linescan::Ties::kMid;
  if (name == "mean") return linescan::Ties::kMean;
  throw std::invalid_argument("ties must be first, mid or mean, got " + name);
}

linescan::ExactTask task_of(const Array<const float, 3>& features,
                            const Array<const float, 4>& reference,
                            const Array<const float, 1>& taps, const Array<const float, 1>& blur,
                            const ExactOptions& options) {
  linescan::ExactTask task{};
  task.features = features.data();
  task.reference = reference.data();
  task.taps = taps.data();
  task.blur = blur.shape(0) == 0 ? nullptr : blur.data();
  task.channels = static_cast<int64_t>(features.shape(0));
  task.height = static_cast<int64_t>(features.shape(1));
  task.width = static_cast<int64_t>(features.shape(2));
  task.references = static_cast<int64_t>(reference.shape(1));
  task.band_width = options.band_width;
  task.first_column = options.first_column;
  task.side = options.patch_size;
  task.stride = options.window_stride;
  task.ties = ties_of(options.ties);
  task.bytes = options.bytes;
  return task;
}

void check_shapes(const linescan::ExactTask& task, const Array<const float, 4>& reference,
                  const Array<const float, 1>& taps, const Array<const float, 1>& blur,
                  const Array<float, 2>& scores) {
  const auto size = [](size_t length) { return static_cast<int64_t>(length); };
  linescan::require(task.band_width >= 0, "band_width must be >= 0", task.band_width);
  linescan::require_column(task.first_column);
  linescan::require(size(reference.shape(0)) > task.band(task.width - 1),
                    "reference must hold every band of the map", size(reference.shape(0)));
  linescan::require(size(reference.shape(2)) == task.channels,
                    "reference must have the channels of the map", size(reference.shape(2)));
  linescan::require(size(reference.shape(3)) == task.area(),
                    "reference must have patch_size ** 2 ranks", size(reference.shape(3)));
  linescan::require(size(taps.shape(0)) == task.side, "taps must be patch_size weights",
                    size(taps.shape(0)));
  linescan::require(size(blur.shape(0)) == 0 || size(blur.shape(0)) == linescan::kBlurTaps,
                    "blur must be none or 5 weights", size(blur.shape(0)));
  linescan::require(size(scores.shape(0)) == task.height && size(scores.shape(1)) == task.width,
                    "scores must have the size of the map", size(scores.shape(0)));
}

void score_exact(const Array<const float, 3>& features, const Array<const float, 4>& reference,
                 const Array<const float, 1>& taps, const Array<const float, 1>& blur,
                 const Array<float, 2>& scores, const std::string& ties, bool bytes, int patch_size,
                 int window_stride, int64_t band_width, int64_t first_column,
                 const std::string& path, int threads) {
  const linescan::ExactTask task =
      task_of(features, reference, taps, blur,
              {ties, bytes, patch_size, window_stride, band_width, first_column});
  check_shapes(task, reference, taps, blur, scores);
  const nb::gil_scoped_release release;
  linescan::exact_score(task, path, threads, scores.data());
}

void median_levels(const Array<const uint8_t, 3>& levels, const Array<const int64_t, 2>& ranges,
                   const Array<uint8_t, 3>& reference, int levels_count, int patch_size,
                   int64_t stride_rows, int64_t stride_columns, const std::string& path,
                   int threads) {
  const auto size = [](size_t length) { return static_cast<int64_t>(length); };
  const linescan::MedianTask task{levels.data(),
                                  ranges.data(),
                                  reference.data(),
                                  size(levels.shape(0)),
                                  size(levels.shape(1)),
                                  size(levels.shape(2)),
                                  size(ranges.shape(0)),
                                  stride_rows,
                                  stride_columns,
                                  levels_count,
                                  patch_size};
  linescan::require(size(ranges.shape(1)) == 2, "ranges must be (bands, 2)", size(ranges.shape(1)));
  linescan::require(size(reference.shape(0)) == task.bands, "reference must hold every band",
                    size(reference.shape(0)));
  linescan::require(size(reference.shape(1)) == task.channels,
                    "reference must have the channels of the map", size(reference.shape(1)));
  linescan::require(size(reference.shape(2)) == int64_t{patch_size} * patch_size,
                    "reference must have patch_size ** 2 ranks", size(reference.shape(2)));
  const nb::gil_scoped_release release;
  linescan::median_reference(task, path, threads);
}

void median_floats(const Array<const float, 3>& features, const Array<const int64_t, 2>& ranges,
                   const Array<float, 3>& reference, int patch_size, int64_t stride_rows,
                   int64_t stride_columns, const std::string& path, int threads) {
  const auto size = [](size_t length) { return static_cast<int64_t>(length); };
  const linescan::FloatMedianTask task{features.data(),         ranges.data(),
                                       reference.data(),        size(features.shape(0)),
                                       size(features.shape(1)), size(features.shape(2)),
                                       size(ranges.shape(0)),   stride_rows,
                                       stride_columns,          patch_size};
  linescan::require(size(ranges.shape(1)) == 2, "ranges must be (bands, 2)", size(ranges.shape(1)));
  const bool fits = size(reference.shape(0)) == task.bands &&
                    size(reference.shape(1)) == task.channels &&
                    size(reference.shape(2)) == int64_t{patch_size} * patch_size;
  linescan::require(fits, "reference must be (bands, channels, patch_size ** 2)",
                    size(reference.shape(0)));
  const nb::gil_scoped_release release;
  linescan::median_floats(task, path, threads);
}

}  // namespace

NB_MODULE(_native, module) {
  module.doc() = "Compiled kernels of the anomaly scores.";
  module.def("usable_paths", &linescan::usable_paths,
             "Instruction sets that are compiled in and that this CPU has, the fastest first.");
  module.def(
      "score_exact", &score_exact, nb::arg("features"), nb::arg("reference"), nb::arg("taps"),
      nb::arg("blur"), nb::arg("scores"), nb::arg("ties"), nb::arg("bytes"), nb::arg("patch_size"),
      nb::arg("window_stride"), nb::arg("band_width"), nb::arg("first_column"), nb::arg("path"),
      nb::arg("threads"),
      "FCA with every rank into `scores`; a band_width of 0 is one band, no `blur` is none.");
  module.def("blur_map", &blur_map, nb::arg("map"), nb::arg("spare"), nb::arg("taps"),
             "The blur of a finished map, in place, with 5 taps.");
  module.def("score_fast", &score_fast, nb::arg("levels"), nb::arg("reference"), nb::arg("scores"),
             nb::arg("levels_count"), nb::arg("patch_size"), nb::arg("window_stride"),
             nb::arg("band_width"), nb::arg("first_column"), nb::arg("path"), nb::arg("threads"),
             "The fast form of FCA into `scores`; a band_width of 0 is one band.");
  module.def("median_floats", &median_floats, nb::arg("features"), nb::arg("ranges"),
             nb::arg("reference"), nb::arg("patch_size"), nb::arg("stride_rows"),
             nb::arg("stride_columns"), nb::arg("path"), nb::arg("threads"),
             "The same of floats, at most 65535 values a channel, by counting.");
  module.def("median_levels", &median_levels, nb::arg("levels"), nb::arg("ranges"),
             nb::arg("reference"), nb::arg("levels_count"), nb::arg("patch_size"),
             nb::arg("stride_rows"), nb::arg("stride_columns"), nb::arg("path"), nb::arg("threads"),
             "Lower medians of the sorted windows into `reference`, per range of window columns.");
  define_counts(module);
  define_light(module);
}
