// 64-byte vectors (AVX-512 with BW, VL and VBMI: byte permutations of two registers).
#pragma once

#include <immintrin.h>

#include <cstring>

#include "look_up.h"

namespace {

struct Avx512 {
  typedef uint8_t Bytes __attribute__((vector_size(64)));
  typedef uint16_t Words __attribute__((vector_size(64)));

  static Bytes load(const uint8_t* from) { return (Bytes)_mm512_loadu_si512(from); }
  static Words load_words(const uint16_t* from) { return (Words)_mm512_loadu_si512(from); }
  static void store(uint8_t* to, Bytes bytes) { _mm512_storeu_si512(to, (__m512i)bytes); }
  static void store(uint16_t* to, Words words) { _mm512_storeu_si512(to, (__m512i)words); }
  static Bytes fill(uint8_t value) { return Bytes{} + value; }
  static Words fill_words(uint16_t value) { return Words{} + value; }

  static Bytes add_greater(Bytes sum, Bytes values, Bytes limit) {
    const __mmask64 above = _mm512_cmpgt_epu8_mask((__m512i)values, (__m512i)limit);
    return (Bytes)_mm512_mask_add_epi8((__m512i)sum, above, (__m512i)sum, _mm512_set1_epi8(1));
  }
  static Bytes less_greater(Bytes sum, Bytes values, Bytes limit) {
    const __mmask64 above = _mm512_cmpgt_epu8_mask((__m512i)values, (__m512i)limit);
    return (Bytes)_mm512_mask_sub_epi8((__m512i)sum, above, (__m512i)sum, _mm512_set1_epi8(1));
  }
  static Words add_equal(Words sum, Words own, Words level, Words errors) {
    const __mmask32 equal = _mm512_cmpeq_epi16_mask((__m512i)own, (__m512i)level);
    return (Words)_mm512_mask_add_epi16((__m512i)sum, equal, (__m512i)sum, (__m512i)errors);
  }
  static Bytes average(Bytes a, Bytes b) { return (Bytes)_mm512_avg_epu8((__m512i)a, (__m512i)b); }

  template <int kBytes>
  static Bytes shift(Bytes here, Bytes right) {
    alignas(64) static constexpr Index kIndex = index_from(kBytes);
    const __m512i index = _mm512_load_si512(kIndex.lane);
    return (Bytes)_mm512_permutex2var_epi8((__m512i)here, index, (__m512i)right);
  }

  static void prepare(uint8_t*) {}

  static Bytes zip_bytes_low(Bytes a, Bytes b) {
    return (Bytes)_mm512_unpacklo_epi8((__m512i)a, (__m512i)b);
  }
  static Bytes zip_bytes_high(Bytes a, Bytes b) {
    return (Bytes)_mm512_unpackhi_epi8((__m512i)a, (__m512i)b);
  }
  static Bytes zip_words_low(Bytes a, Bytes b) {
    return (Bytes)_mm512_unpacklo_epi16((__m512i)a, (__m512i)b);
  }
  static Bytes zip_words_high(Bytes a, Bytes b) {
    return (Bytes)_mm512_unpackhi_epi16((__m512i)a, (__m512i)b);
  }
  static Bytes distance(Bytes a, Bytes b) {
    return (Bytes)_mm512_sub_epi8(_mm512_max_epu8((__m512i)a, (__m512i)b),
                                  _mm512_min_epu8((__m512i)a, (__m512i)b));
  }

  // A table to look up in many times: it stays in registers.
  struct Table {
    __m512i low;
    __m512i high;
  };
  static Table open(const uint8_t* table) {
    return {_mm512_loadu_si512(table), _mm512_loadu_si512(table + 64)};
  }

  template <int>
  static Bytes look_up(const Table& table, Bytes index) {
    return (Bytes)_mm512_permutex2var_epi8(table.low, (__m512i)index, table.high);
  }
  template <int kArea>
  static Bytes look_up(const uint8_t* table, Bytes index) {
    return look_up<kArea>(open(table), index);
  }

 private:
  struct Index {
    uint8_t lane[64];
  };

  static constexpr Index index_from(int first) {
    Index index{};
    for (int lane = 0; lane < 64; ++lane) index.lane[lane] = static_cast<uint8_t>(lane + first);
    return index;
  }
};

// Counting of keys below, or below and equal, in lanes of the keys' own size.
struct Avx512Bytes {
  using Item = uint8_t;
  using Lanes = Avx512::Bytes;

  static constexpr Item kBias = 0;
  // What add_up_to and add_both leave out of every term.
  static constexpr int kUpToOffset = 0;
  static constexpr int kBothOffset = 0;
  static constexpr bool kAlwaysNext = false;

  static Lanes load(const Item* from) { return Avx512::load(from); }
  static Lanes fill(int value) { return Lanes{} + static_cast<uint8_t>(value); }
  static Lanes one() { return Lanes{} + 1; }

  static Lanes add_below(Lanes sum, Lanes other, Lanes own) {
    const __mmask64 below = _mm512_cmpgt_epu8_mask((__m512i)own, (__m512i)other);
    return (Lanes)_mm512_mask_add_epi8((__m512i)sum, below, (__m512i)sum, (__m512i)one());
  }
  static Lanes less_below(Lanes sum, Lanes other, Lanes own) {
    const __mmask64 below = _mm512_cmpgt_epu8_mask((__m512i)own, (__m512i)other);
    return (Lanes)_mm512_mask_sub_epi8((__m512i)sum, below, (__m512i)sum, (__m512i)one());
  }
  static Lanes add_up_to(Lanes sum, Lanes other, Lanes own) {
    const __mmask64 up_to = _mm512_cmpge_epu8_mask((__m512i)own, (__m512i)other);
    return (Lanes)_mm512_mask_add_epi8((__m512i)sum, up_to, (__m512i)sum, (__m512i)one());
  }
  static Lanes less_up_to(Lanes sum, Lanes other, Lanes own) {
    const __mmask64 up_to = _mm512_cmpge_epu8_mask((__m512i)own, (__m512i)other);
    return (Lanes)_mm512_mask_sub_epi8((__m512i)sum, up_to, (__m512i)sum, (__m512i)one());
  }
  // [other < own] + [other <= own] in one subtraction: `next` is own + 1.
  static Lanes both(Lanes other, Lanes next) {
    const __m512i above = _mm512_subs_epu8((__m512i)next, (__m512i)other);
    return (Lanes)_mm512_min_epu8(above, _mm512_set1_epi8(2));
  }
  static bool has_next(Lanes own) {
    return _mm512_cmpeq_epi8_mask((__m512i)own, _mm512_set1_epi8(-1)) == 0;
  }
  static Lanes half(Lanes sum) { return Avx512::average(sum, Lanes{}); }
  static void store_ranks(uint8_t* to, Lanes ranks) { Avx512::store(to, ranks); }
};

struct Avx512Words {
  using Item = uint16_t;
  using Lanes = Avx512::Words;

  static constexpr Item kBias = 0;
  static constexpr int kUpToOffset = 0;
  static constexpr int kBothOffset = 0;
  static constexpr bool kAlwaysNext = true;  // Ranks are below 65535.

  static Lanes load(const Item* from) { return Avx512::load_words(from); }
  static Lanes fill(int value) { return Lanes{} + static_cast<uint16_t>(value); }
  static Lanes one() { return Lanes{} + 1; }

  static Lanes add_below(Lanes sum, Lanes other, Lanes own) {
    const __mmask32 below = _mm512_cmpgt_epu16_mask((__m512i)own, (__m512i)other);
    return (Lanes)_mm512_mask_add_epi16((__m512i)sum, below, (__m512i)sum, (__m512i)one());
  }
  static Lanes less_below(Lanes sum, Lanes other, Lanes own) {
    const __mmask32 below = _mm512_cmpgt_epu16_mask((__m512i)own, (__m512i)other);
    return (Lanes)_mm512_mask_sub_epi16((__m512i)sum, below, (__m512i)sum, (__m512i)one());
  }
  static Lanes add_up_to(Lanes sum, Lanes other, Lanes own) {
    const __mmask32 up_to = _mm512_cmpge_epu16_mask((__m512i)own, (__m512i)other);
    return (Lanes)_mm512_mask_add_epi16((__m512i)sum, up_to, (__m512i)sum, (__m512i)one());
  }
  static Lanes less_up_to(Lanes sum, Lanes other, Lanes own) {
    const __mmask32 up_to = _mm512_cmpge_epu16_mask((__m512i)own, (__m512i)other);
    return (Lanes)_mm512_mask_sub_epi16((__m512i)sum, up_to, (__m512i)sum, (__m512i)one());
  }
  static Lanes both(Lanes other, Lanes next) {
    const __m512i above = _mm512_subs_epu16((__m512i)next, (__m512i)other);
    return (Lanes)_mm512_min_epu16(above, _mm512_set1_epi16(2));
  }
  static Lanes half(Lanes sum) { return (Lanes)_mm512_avg_epu16((__m512i)sum, __m512i{}); }
  static void store_ranks(uint8_t* to, Lanes ranks) {
    // Masked, though by nothing: GCC warns of what the plain form leaves undefined.
    const __m256i narrow = _mm512_maskz_cvtepi16_epi8(~__mmask32{0}, (__m512i)ranks);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), narrow);
  }
};

}  // namespace
