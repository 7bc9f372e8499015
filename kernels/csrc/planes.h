// Scratch memory, mirrored indices and transposed maps; knows nothing of scores.
#pragma once

#include <cstdint>
#include <cstring>

// Each instruction set compiles this for itself: the linker may share nothing of it.
namespace {

constexpr int kAlignment = 64;

inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t mirror(int64_t index, int64_t length) {
  const int64_t inside = index < 0 ? -index : index;
  return inside < length ? inside : 2 * (length - 1) - inside;
}

// Takes aligned pieces of the scratch memory one after the other; counts only if it has none.
class Pieces {
 public:
  explicit Pieces(uint8_t* base) : base_(base) {}

  template <class Item>
  Item* take(int64_t count) {
    uint8_t* piece = base_ == nullptr ? nullptr : base_ + used_;
    used_ += divide_up(count * static_cast<int64_t>(sizeof(Item)), kAlignment) * kAlignment;
    return reinterpret_cast<Item*>(piece);
  }
  int64_t used() const { return used_; }

 private:
  uint8_t* base_;
  int64_t used_ = 0;
};

constexpr int kBlock = 16;

// Transposes kBlock x kBlock bytes: four times the two halves of the rows are interleaved.
inline void transpose_block(const uint8_t* from, int64_t from_step, uint8_t* to, int64_t to_step) {
  typedef uint8_t Row __attribute__((vector_size(kBlock)));
  Row rows[kBlock];
  for (int row = 0; row < kBlock; ++row) std::memcpy(&rows[row], from + row * from_step, kBlock);
  for (int step = 1; step < kBlock; step *= 2) {
    Row mixed[kBlock];
    for (int row = 0; row < kBlock / 2; ++row) {
      const Row a = rows[row];
      const Row b = rows[row + kBlock / 2];
      mixed[2 * row] =
          __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      mixed[2 * row + 1] = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13,
                                                   29, 14, 30, 15, 31);
    }
    std::memcpy(rows, mixed, sizeof(rows));
  }
  for (int row = 0; row < kBlock; ++row) std::memcpy(to + row * to_step, &rows[row], kBlock);
}

// A few rows or columns at the end of a map.
inline void transpose_edge(const uint8_t* from, int64_t from_step, uint8_t* to, int64_t to_step,
                           int64_t rows, int64_t columns) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      to[row * to_step + column] = from[column * from_step + row];
    }
  }
}

// (columns, rows) -> (rows, columns)
inline void transpose(const uint8_t* upright, int64_t rows, int64_t columns, uint8_t* turned) {
  for (int64_t row = 0; row < rows; row += kBlock) {
    for (int64_t column = 0; column < columns; column += kBlock) {
      const uint8_t* from = upright + column * rows + row;
      uint8_t* to = turned + row * columns + column;
      if (row + kBlock <= rows && column + kBlock <= columns) {
        transpose_block(from, rows, to, columns);
      } else {
        transpose_edge(from, rows, to, columns, least(kBlock, rows - row),
                       least(kBlock, columns - column));
      }
    }
  }
}

constexpr int64_t kDealt = 32;

template <int kStep>
void deal_block(const uint8_t* __restrict from, uint8_t* __restrict to) {
  for (int64_t index = 0; index < kDealt; ++index) to[index] = from[index * kStep];
}

// Every kStep-th byte, block by block; the last block overlaps the one before.
template <int kStep>
void deal(const uint8_t* __restrict from, int64_t count, uint8_t* __restrict to) {
  if (count < kDealt) {
    for (int64_t index = 0; index < count; ++index) to[index] = from[index * kStep];
    return;
  }
  for (int64_t index = 0; index < count - kDealt; index += kDealt) {
    deal_block<kStep>(from + index * kStep, to + index);
  }
  deal_block<kStep>(from + (count - kDealt) * kStep, to + count - kDealt);
}

}  // namespace
