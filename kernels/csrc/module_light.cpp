// The part of kernels._native that corrects pixels: arrays of numpy in and out without a copy.
#include "module_light.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <cstdint>

#include "checks.h"
#include "paths.h"

namespace nb = nanobind;

namespace {

template <class Item>
using Table = nb::ndarray<Item, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class Item>
using Lines = nb::ndarray<Item, nb::ndim<2>, nb::device::cpu>;

int64_t size(size_t length) { return static_cast<int64_t>(length); }

struct Span {
  uintptr_t first;
  uintptr_t end;
};

// The addresses between the lowest and the highest sample.
template <class Level>
Span span_of(const Lines<Level>& lines) {
  const auto at = reinterpret_cast<uintptr_t>(lines.data());
  const int64_t far = (size(lines.shape(0)) - 1) * lines.stride(0);
  const int64_t first = far < 0 ? far : 0;
  const int64_t end = (far < 0 ? 0 : far) + size(lines.shape(1));
  return {at + static_cast<uintptr_t>(first) * sizeof(Level),
          at + static_cast<uintptr_t>(end) * sizeof(Level)};
}

template <class Level>
void require_apart(const Lines<const Level>& raw, const Lines<Level>& corrected) {
  if (raw.size() == 0) return;
  const Span from = span_of(raw);
  const Span to = span_of(corrected);
  linescan::require(from.end <= to.first || to.end <= from.first,
                    "corrected must lie apart from raw",
                    static_cast<int64_t>(to.first - from.first));
}

template <class Field, class Level, class Offset>
Field field_of(const Lines<const Level>& raw, const Table<const uint16_t>& gain,
               const Table<const Offset>& offset, const Lines<Level>& corrected) {
  const int64_t lines = size(raw.shape(0));
  const int64_t samples = size(raw.shape(1));
  linescan::require(lines == 0 || samples < 2 || raw.stride(1) == 1,
                    "samples of raw must lie side by side", raw.stride(1));
  linescan::require(lines == 0 || samples < 2 || corrected.stride(1) == 1,
                    "samples of corrected must lie side by side", corrected.stride(1));
  linescan::require(size(gain.shape(0)) == samples, "gain must have the samples of a line",
                    size(gain.shape(0)));
  linescan::require(size(offset.shape(0)) == samples, "offset must have the samples of a line",
                    size(offset.shape(0)));
  linescan::require(size(corrected.shape(0)) == lines, "corrected must have the lines of raw",
                    size(corrected.shape(0)));
  linescan::require(size(corrected.shape(1)) == samples, "corrected must have the samples of raw",
                    size(corrected.shape(1)));
  require_apart(raw, corrected);
  return {raw.data(), gain.data(),   offset.data(),    lines,
          samples,    raw.stride(0), corrected.data(), corrected.stride(0)};
}

void flat_bytes(const Lines<const uint8_t>& raw, const Table<const uint16_t>& gain,
                const Table<const uint16_t>& offset, const Lines<uint8_t>& corrected,
                const std::string& path) {
  const auto field = field_of<linescan::ByteField>(raw, gain, offset, corrected);
  const nb::gil_scoped_release release;
  linescan::flat_kernel(path).bytes(field);
}

void flat_words(const Lines<const uint16_t>& raw, const Table<const uint16_t>& gain,
                const Table<const uint32_t>& offset, const Lines<uint16_t>& corrected,
                const std::string& path) {
  const auto field = field_of<linescan::WordField>(raw, gain, offset, corrected);
  const nb::gil_scoped_release release;
  linescan::flat_kernel(path).words(field);
}

}  // namespace

void define_light(nb::module_& module) {
  const char* said = "Lines with a gain and an offset per sample into `corrected`.";
  module.def("flat_bytes", &flat_bytes, nb::arg("raw"), nb::arg("gain"), nb::arg("offset"),
             nb::arg("corrected"), nb::arg("path"), said);
  module.def("flat_words", &flat_words, nb::arg("raw"), nb::arg("gain"), nb::arg("offset"),
             nb::arg("corrected"), nb::arg("path"), said);
}
