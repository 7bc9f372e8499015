// 32-byte vectors (AVX2).
#pragma once

#include <immintrin.h>

#include <cstring>

#include "look_up.h"
#include "signed_keys.h"

namespace {

struct Avx2 {
  typedef uint8_t Bytes __attribute__((vector_size(32)));
  typedef uint16_t Words __attribute__((vector_size(32)));
  typedef int8_t Signed __attribute__((vector_size(32)));

  static Bytes load(const uint8_t* from) {
    return (Bytes)_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static Words load_words(const uint16_t* from) {
    return (Words)_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static void store(uint8_t* to, Bytes bytes) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)bytes);
  }
  static void store(uint16_t* to, Words words) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)words);
  }
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
  static Bytes average(Bytes a, Bytes b) { return (Bytes)_mm256_avg_epu8((__m256i)a, (__m256i)b); }

  template <int kBytes>
  static Bytes shift(Bytes here, Bytes right) {
    const __m256i middle = _mm256_permute2x128_si256((__m256i)here, (__m256i)right, 0x21);
    if constexpr (kBytes < 16) {
      return (Bytes)_mm256_alignr_epi8(middle, (__m256i)here, kBytes);
    } else {
      return (Bytes)_mm256_alignr_epi8((__m256i)right, middle, kBytes - 16);
    }
  }

  static Bytes zip_bytes_low(Bytes a, Bytes b) {
    return (Bytes)_mm256_unpacklo_epi8((__m256i)a, (__m256i)b);
  }
  static Bytes zip_bytes_high(Bytes a, Bytes b) {
    return (Bytes)_mm256_unpackhi_epi8((__m256i)a, (__m256i)b);
  }
  static Bytes zip_words_low(Bytes a, Bytes b) {
    return (Bytes)_mm256_unpacklo_epi16((__m256i)a, (__m256i)b);
  }
  static Bytes zip_words_high(Bytes a, Bytes b) {
    return (Bytes)_mm256_unpackhi_epi16((__m256i)a, (__m256i)b);
  }
  static Bytes distance(Bytes a, Bytes b) {
    return (Bytes)_mm256_sub_epi8(_mm256_max_epu8((__m256i)a, (__m256i)b),
                                  _mm256_min_epu8((__m256i)a, (__m256i)b));
  }
  // The words are below 256.
  static void store_low_bytes(uint8_t* to, Words words) {
    const __m256i packed = _mm256_packus_epi16((__m256i)words, (__m256i)words);
    const __m256i ordered = _mm256_permute4x64_epi64(packed, 0x08);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(ordered));
  }

  // A byte shuffle sees 16 entries and gives 0 for negative indices. Entries are kept as what they
  // add to the entry 16 before, so that the sum over all smaller sixteens is the entry.
  // A table to look up in many times: too long for the registers here.
  using Table = const uint8_t*;
  static Table open(const uint8_t* table) { return table; }

  static void prepare(uint8_t* table) {
    for (int entry = kTableSize - 1; entry >= 16; --entry) {
      table[entry] = static_cast<uint8_t>(table[entry] - table[entry - 16]);
    }
  }

  template <int kArea>
  static Bytes look_up(const uint8_t* table, Bytes index) {
    Bytes found = sixteen(table, index);
    for (int entry = 16; entry <= kArea; entry += 16) {
      index -= 16;
      found += sixteen(table + entry, index);
    }
    return found;
  }

 private:
  static Bytes sixteen(const uint8_t* table, Bytes index) {
    const __m128i entries = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return (Bytes)_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(entries), (__m256i)index);
  }
};

using Avx2Bytes = SignedBytes<Avx2>;
using Avx2Words = SignedWords<Avx2>;

}  // namespace
