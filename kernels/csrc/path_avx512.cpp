// The kernels in 64-byte vectors (AVX-512 with BW and VBMI: byte permutations of two registers).
#include <immintrin.h>

#include "count_form.h"
#include "fast_form.h"
#include "median_form.h"

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

  template <int>
  static Bytes look_up(const uint8_t* table, Bytes index) {
    const __m512i low = _mm512_loadu_si512(table);
    const __m512i high = _mm512_loadu_si512(table + 64);
    return (Bytes)_mm512_permutex2var_epi8(low, (__m512i)index, high);
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

}  // namespace

namespace linescan {

FastKernel fast_kernel_avx512(int side, int stride) { return kernel_for<Avx512>(side, stride); }

MedianKernel median_kernel_avx512(int side) { return median_kernel_for<Avx512>(side); }

CountKernel count_kernel_avx512(int side) { return count_kernel_for<Avx512>(side); }

}  // namespace linescan
