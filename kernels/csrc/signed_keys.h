// Counting of keys where vectors compare signed numbers only.
#pragma once

#include <cstdint>

// Each instruction set compiles this for itself: the linker may share nothing of it.
namespace {

// Counting of keys below, or below and equal, in lanes of the keys' own size. Keys carry a bias
// that makes signed comparisons serve; a comparison is -1 where it holds.
template <class Simd>
struct SignedBytes {
  using Item = uint8_t;
  using Lanes = typename Simd::Bytes;
  typedef int8_t Signed __attribute__((vector_size(sizeof(Lanes))));

  static constexpr Item kBias = 0x80;
  // What add_up_to and add_both leave out of every term: [a <= b] = 1 - [a > b].
  static constexpr int kUpToOffset = 1;
  static constexpr int kBothOffset = 1;
  static constexpr bool kAlwaysNext = true;

  static Lanes load(const Item* from) { return Simd::load(from); }
  static Lanes fill(int value) { return Lanes{} + static_cast<uint8_t>(value); }
  static Lanes one() { return Lanes{} + 1; }
  static Lanes greater(Lanes a, Lanes b) { return (Lanes)((Signed)a > (Signed)b); }

  static Lanes add_below(Lanes sum, Lanes other, Lanes own) { return sum - greater(own, other); }
  static Lanes less_below(Lanes sum, Lanes other, Lanes own) { return sum + greater(own, other); }
  static Lanes add_up_to(Lanes sum, Lanes other, Lanes own) { return sum + greater(other, own); }
  static Lanes less_up_to(Lanes sum, Lanes other, Lanes own) { return sum - greater(other, own); }
  // [other < own] + [other <= own] - 1 from `next`, which is own + 1: [b < a] - [a < b].
  static Lanes both(Lanes other, Lanes next) {
    const Lanes own = next - 1;
    return greater(other, own) - greater(own, other);
  }
  static Lanes half(Lanes sum) { return Simd::average(sum, Lanes{}); }
  static void store_ranks(uint8_t* to, Lanes ranks) { Simd::store(to, ranks); }
};

template <class Simd>
struct SignedWords {
  using Item = uint16_t;
  using Lanes = typename Simd::Words;
  typedef int16_t Signed __attribute__((vector_size(sizeof(Lanes))));

  static constexpr Item kBias = 0x8000;
  static constexpr int kUpToOffset = 1;
  static constexpr int kBothOffset = 1;
  static constexpr bool kAlwaysNext = true;

  static Lanes load(const Item* from) { return Simd::load_words(from); }
  static Lanes fill(int value) { return Lanes{} + static_cast<uint16_t>(value); }
  static Lanes one() { return Lanes{} + 1; }
  static Lanes greater(Lanes a, Lanes b) { return (Lanes)((Signed)a > (Signed)b); }

  static Lanes add_below(Lanes sum, Lanes other, Lanes own) { return sum - greater(own, other); }
  static Lanes less_below(Lanes sum, Lanes other, Lanes own) { return sum + greater(own, other); }
  static Lanes add_up_to(Lanes sum, Lanes other, Lanes own) { return sum + greater(other, own); }
  static Lanes less_up_to(Lanes sum, Lanes other, Lanes own) { return sum - greater(other, own); }
  static Lanes both(Lanes other, Lanes next) {
    const Lanes own = next - 1;
    return greater(other, own) - greater(own, other);
  }
  static Lanes half(Lanes sum) { return (sum + 1) >> 1; }
  static void store_ranks(uint8_t* to, Lanes ranks) { Simd::store_low_bytes(to, ranks); }
};

}  // namespace
