// 16-byte vectors that every CPU has (SSE2, NEON); look-ups byte by byte.
#pragma once

#include <cstring>

#include "look_up.h"
#include "signed_keys.h"

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

  static Bytes zip_bytes_low(Bytes a, Bytes b) {
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  }
  static Bytes zip_bytes_high(Bytes a, Bytes b) {
    return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                   31);
  }
  static Bytes zip_words_low(Bytes a, Bytes b) {
    return (Bytes)__builtin_shufflevector((Words)a, (Words)b, 0, 8, 1, 9, 2, 10, 3, 11);
  }
  static Bytes zip_words_high(Bytes a, Bytes b) {
    return (Bytes)__builtin_shufflevector((Words)a, (Words)b, 4, 12, 5, 13, 6, 14, 7, 15);
  }
#ifdef __SSE2__
  static Bytes distance(Bytes a, Bytes b) {
    return (Bytes)_mm_or_si128(_mm_subs_epu8((__m128i)a, (__m128i)b),
                               _mm_subs_epu8((__m128i)b, (__m128i)a));
  }
  // The words are below 256.
  static void store_low_bytes(uint8_t* to, Words words) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to),
                     _mm_packus_epi16((__m128i)words, (__m128i)words));
  }
#else
  static Bytes distance(Bytes a, Bytes b) { return a > b ? a - b : b - a; }
  static void store_low_bytes(uint8_t* to, Words words) {
    for (int lane = 0; lane < 8; ++lane) to[lane] = static_cast<uint8_t>(words[lane]);
  }
#endif

  // A table to look up in many times: too long for the registers here.
  using Table = const uint8_t*;
  static Table open(const uint8_t* table) { return table; }

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

using PortableBytes = SignedBytes<Portable>;
using PortableWords = SignedWords<Portable>;

}  // namespace
