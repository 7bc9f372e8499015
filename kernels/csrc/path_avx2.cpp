// The kernels in 32-byte vectors (AVX2).
#include <immintrin.h>

#include "count_form.h"
#include "fast_form.h"
#include "median_form.h"

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

  // A byte shuffle sees 16 entries and gives 0 for negative indices. Entries are kept as what they
  // add to the entry 16 before, so that the sum over all smaller sixteens is the entry.
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

}  // namespace

namespace linescan {

FastKernel fast_kernel_avx2(int side, int stride) { return kernel_for<Avx2>(side, stride); }

MedianKernel median_kernel_avx2(int side) { return median_kernel_for<Avx2>(side); }

CountKernel count_kernel_avx2(int side) { return count_kernel_for<Avx2>(side); }

}  // namespace linescan
