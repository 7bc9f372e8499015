// The kernels in 16-byte vectors that every CPU has (SSE2, NEON); look-ups byte by byte.
#include "count_form.h"
#include "fast_form.h"
#include "median_form.h"

#ifdef __SSE2__
#include <emmintrin.h>
#else
#include <utility>
#endif

namespace {

struct Portable {
  typedef uint8_t Bytes __attribute__((vector_size(16)));
  typedef uint16_t Words __attribute__((vector_size(16)));
  typedef int8_t Signed __attribute__((vector_size(16)));

  static Bytes load(const uint8_t* from) {
    Bytes bytes;
    std::memcpy(&bytes, from, sizeof(bytes));
    return bytes;
  }
  static Words load_words(const uint16_t* from) {
    Words words;
    std::memcpy(&words, from, sizeof(words));
    return words;
  }
  static void store(uint8_t* to, Bytes bytes) { std::memcpy(to, &bytes, sizeof(bytes)); }
  static void store(uint16_t* to, Words words) { std::memcpy(to, &words, sizeof(words)); }
  static Bytes fill(uint8_t value) { return Bytes{} + value; }
  static Words fill_words(uint16_t value) { return Words{} + value; }

  // A comparison is -1 where it holds. Levels are small, so that signed ones serve.
  static Bytes add_greater(Bytes sum, Bytes values, Bytes limit) {
    return sum - (Bytes)((Signed)values > (Signed)limit);
  }
  static Bytes less_greater(Bytes sum, Bytes values, Bytes limit) {
    return sum + (Bytes)((Signed)values > (Signed)limit);
  }
  static Words add_equal(Words sum, Words own, Words level, Words errors) {
    return sum + (errors & (Words)(own == level));
  }
  // (a + b + 1) / 2
  static Bytes average(Bytes a, Bytes b) { return (a | b) - ((a ^ b) >> 1); }

#ifdef __SSE2__
  // GCC takes a shuffle of two vectors apart byte by byte where SSSE3 is missing.
  template <int kBytes>
  static Bytes shift(Bytes here, Bytes right) {
    return (Bytes)_mm_or_si128(_mm_srli_si128((__m128i)here, kBytes),
                               _mm_slli_si128((__m128i)right, 16 - kBytes));
  }
#else
  template <int kBytes>
  static Bytes shift(Bytes here, Bytes right) {
    return shifted<kBytes>(here, right, std::make_integer_sequence<int, 16>());
  }
#endif

  static void prepare(uint8_t*) {}

  template <int>
  static Bytes look_up(const uint8_t* table, Bytes index) {
    const Halves indices = (Halves)index;
    return (Bytes)Halves{eight(table, indices[0]), eight(table, indices[1])};
  }

 private:
  typedef uint64_t Halves __attribute__((vector_size(16)));

  static uint64_t eight(const uint8_t* table, uint64_t indices) {
    uint64_t found = 0;
    for (int bit = 0; bit < 64; bit += 8) {
      found |= uint64_t{table[indices >> bit & 0xff]} << bit;
    }
    return found;
  }

#ifndef __SSE2__
  template <int kBytes, int... kLane>
  static Bytes shifted(Bytes here, Bytes right, std::integer_sequence<int, kLane...>) {
    return __builtin_shufflevector(here, right, (kLane + kBytes)...);
  }
#endif
};

}  // namespace

namespace linescan {

FastKernel fast_kernel_portable(int side, int stride) { return kernel_for<Portable>(side, stride); }

MedianKernel median_kernel_portable(int side) { return median_kernel_for<Portable>(side); }

CountKernel count_kernel_portable(int side) { return count_kernel_for<Portable>(side); }

}  // namespace linescan
