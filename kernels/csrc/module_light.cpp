// The part of kernels._native that corrects pixels: arrays of numpy in and out without a copy.
#include "module_light.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "checks.h"
#include "paths.h"

namespace nb = nanobind;

namespace {

template <class Item>
using Table = nb::ndarray<const Item, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class Item>
using Lines = nb::ndarray<Item, nb::ndim<2>, nb::device::cpu>;

using linescan::require;
using linescan::SampleFill;

int64_t size(size_t length) { return static_cast<int64_t>(length); }

struct Span {
  uintptr_t first;
  uintptr_t end;
};

// The addresses between the lowest and the highest of `samples` from `first` on in all lines.
template <class Level>
Span span_of(const Level* first, int64_t far, int64_t samples) {
  const auto at = reinterpret_cast<uintptr_t>(first);
  const int64_t low = far < 0 ? far : 0;
  const int64_t end = (far < 0 ? 0 : far) + samples;
  return {at + static_cast<uintptr_t>(low) * sizeof(Level),
          at + static_cast<uintptr_t>(end) * sizeof(Level)};
}

bool is_before(const SampleFill& one, const SampleFill& other) { return one.sample < other.sample; }

std::vector<SampleFill> fills_of(const Table<int64_t>& filled, const Table<int64_t>& left,
                                 const Table<int64_t>& right, const Table<uint32_t>& share,
                                 int64_t samples) {
  const int64_t count = size(filled.size());
  for (const int64_t length : {size(left.size()), size(right.size()), size(share.size())}) {
    require(length == count, "left, right and right_share must be as many as filled", length);
  }
  std::vector<SampleFill> fills;
  for (int64_t n = 0; n < count; ++n) {
    fills.push_back({filled.data()[n], left.data()[n], right.data()[n], share.data()[n]});
    const SampleFill& one = fills.back();
    require(n == 0 || is_before(fills[static_cast<size_t>(n) - 1], one), "filled must rise",
            one.sample);
    for (const int64_t place : {one.sample, one.left, one.right}) {
      require(place >= 0 && place < samples, "fills must be within the line", place);
    }
    require(one.right_share <= 1u << linescan::kShareBits, "right_share must be <= 4096",
            one.right_share);
  }
  for (const SampleFill& one : fills) {
    for (const int64_t source : {one.left, one.right}) {
      require(
          !std::binary_search(fills.begin(), fills.end(), SampleFill{source, 0, 0, 0}, is_before),
          "what a sample is filled from must not be filled itself", source);
    }
  }
  return fills;
}

// A gain and an offset for each sample of a line, and what is filled from others.
template <class Level, class Offset>
class Correction {
 public:
  using Task = linescan::LightField<Level, Offset>;

  Correction(const Table<uint16_t>& gain, const Table<Offset>& offset, const Table<int64_t>& filled,
             const Table<int64_t>& left, const Table<int64_t>& right,
             const Table<uint32_t>& right_share, const std::string& path)
      : gain_(gain.data(), gain.data() + gain.size()),
        offset_(offset.data(), offset.data() + offset.size()),
        fills_(fills_of(filled, left, right, right_share, size(gain.size()))),
        kernel_(linescan::flat_kernel(path)) {
    require(offset_.size() == gain_.size(), "offset must be as many as gain", size(offset_.size()));
  }

  // Lines of all samples, from sample `first` on, into as many as `corrected` has.
  void correct(const Lines<const Level>& raw, int64_t first, const Lines<Level>& corrected) const {
    const Task task = task_of(raw, first, corrected);
    const nb::gil_scoped_release release;
    if constexpr (sizeof(Level) == 1) {
      kernel_.bytes(task);
    } else {
      kernel_.words(task);
    }
  }

 private:
  Task task_of(const Lines<const Level>& raw, int64_t first, const Lines<Level>& corrected) const {
    const int64_t lines = size(raw.shape(0));
    const int64_t samples = size(corrected.shape(1));
    const int64_t whole = size(gain_.size());
    require(size(raw.shape(1)) == whole, "raw must have the samples of a line", size(raw.shape(1)));
    require(size(corrected.shape(0)) == lines, "corrected must have the lines of raw",
            size(corrected.shape(0)));
    require(first >= 0 && first <= whole, "first must be within the line", first);
    require(samples <= whole - first, "corrected must end with the line at the latest", samples);
    require(lines == 0 || whole < 2 || raw.stride(1) == 1, "samples of raw must lie side by side",
            raw.stride(1));
    require(lines == 0 || samples < 2 || corrected.stride(1) == 1,
            "samples of corrected must lie side by side", corrected.stride(1));
    const auto [begin, end] = fills_within(first, first + samples);
    const Task task{raw.data() + first,
                    gain_.data() + first,
                    offset_.data() + first,
                    samples > 0 ? lines : 0,
                    samples,
                    raw.stride(0),
                    corrected.data(),
                    corrected.stride(0),
                    first,
                    fills_.data() + begin,
                    end - begin};
    require_apart(task, whole);
    return task;
  }

  std::pair<int64_t, int64_t> fills_within(int64_t first, int64_t end) const {
    const auto at = [this](int64_t sample) {
      const SampleFill wanted{sample, 0, 0, 0};
      return std::lower_bound(fills_.begin(), fills_.end(), wanted, is_before) - fills_.begin();
    };
    return {at(first), at(end)};
  }

  // Fills read the whole line.
  void require_apart(const Task& task, int64_t whole) const {
    if (task.lines == 0) return;
    const int64_t last = task.lines - 1;
    const bool part = fills_.empty();
    const Span from = span_of(part ? task.raw : task.raw - task.first, last * task.raw_step,
                              part ? task.samples : whole);
    const Span to = span_of(task.corrected, last * task.corrected_step, task.samples);
    require(from.end <= to.first || to.end <= from.first, "corrected must lie apart from raw",
            static_cast<int64_t>(to.first - from.first));
  }

  std::vector<uint16_t> gain_;
  std::vector<Offset> offset_;
  std::vector<SampleFill> fills_;
  linescan::FlatKernel kernel_;
};

template <class Level, class Offset>
void define(nb::module_& module, const char* name) {
  using Kind = Correction<Level, Offset>;
  nb::class_<Kind>(module, name, "A gain and an offset per sample of a line, and fills.")
      .def(nb::init<const Table<uint16_t>&, const Table<Offset>&, const Table<int64_t>&,
                    const Table<int64_t>&, const Table<int64_t>&, const Table<uint32_t>&,
                    const std::string&>(),
           nb::arg("gain"), nb::arg("offset"), nb::arg("filled"), nb::arg("left"), nb::arg("right"),
           nb::arg("right_share"), nb::arg("path"))
      .def("correct", &Kind::correct, nb::arg("raw"), nb::arg("first"), nb::arg("corrected"),
           "Lines from sample `first` on into `corrected`.");
}

}  // namespace

void define_light(nb::module_& module) {
  define<uint8_t, uint16_t>(module, "ByteCorrection");
  define<uint16_t, uint32_t>(module, "WordCorrection");
}
