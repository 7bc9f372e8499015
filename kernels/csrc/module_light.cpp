// The part of kernels._native that corrects pixels: arrays of numpy in and out without a copy.
#include "module_light.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <cstdint>

#include "checks.h"
#include "paths.h"

namespace nb = nanobind;

namespace {

template <class Item, int kAxes>
using Array = nb::ndarray<Item, nb::ndim<kAxes>, nb::c_contig, nb::device::cpu>;

int64_t size(size_t length) { return static_cast<int64_t>(length); }

template <class Level>
void require_apart(const Level* raw, const Level* corrected, int64_t count) {
  const auto from = reinterpret_cast<uintptr_t>(raw);
  const auto to = reinterpret_cast<uintptr_t>(corrected);
  const uintptr_t bytes = static_cast<uintptr_t>(count) * sizeof(Level);
  const uintptr_t apart = from < to ? to - from : from - to;
  linescan::require(apart == 0 || apart >= bytes, "corrected must be raw itself or lie apart",
                    size(apart));
}

template <class Field, class Level, class Offset>
Field field_of(const Array<const Level, 2>& raw, const Array<const uint16_t, 1>& gain,
               const Array<const Offset, 1>& offset, const Array<Level, 2>& corrected) {
  const int64_t samples = size(raw.shape(1));
  linescan::require(size(gain.shape(0)) == samples, "gain must have the samples of a line",
                    size(gain.shape(0)));
  linescan::require(size(offset.shape(0)) == samples, "offset must have the samples of a line",
                    size(offset.shape(0)));
  linescan::require(size(corrected.shape(0)) == size(raw.shape(0)),
                    "corrected must have the lines of raw", size(corrected.shape(0)));
  linescan::require(size(corrected.shape(1)) == samples, "corrected must have the samples of raw",
                    size(corrected.shape(1)));
  require_apart(raw.data(), corrected.data(), size(raw.shape(0)) * samples);
  return {raw.data(), gain.data(), offset.data(), size(raw.shape(0)), samples, corrected.data()};
}

void flat_bytes(const Array<const uint8_t, 2>& raw, const Array<const uint16_t, 1>& gain,
                const Array<const uint16_t, 1>& offset, const Array<uint8_t, 2>& corrected,
                const std::string& path) {
  const auto field = field_of<linescan::ByteField>(raw, gain, offset, corrected);
  const nb::gil_scoped_release release;
  linescan::flat_kernel(path).bytes(field);
}

void flat_words(const Array<const uint16_t, 2>& raw, const Array<const uint16_t, 1>& gain,
                const Array<const uint32_t, 1>& offset, const Array<uint16_t, 2>& corrected,
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
