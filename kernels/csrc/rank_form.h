// Ranks of the positions of a vector in all windows that hold them, by counting; knows no platform.
//
// For a position all windows lie in the (2T-1) x (2T-1) keys around it. A running sum over T
// columns is kept for each of the 2T-1 rows, in registers; the sums of T rows follow from one
// another.
#pragma once

#include <cstdint>

// Each instruction set compiles this for itself: the linker may share nothing of it.
namespace {

constexpr int kMostSpan = 21;

// Distances, in keys, from a position to the 2T-1 columns around it and from row to row, and which
// windows are asked for: bit r for those that start at the r-th of the 2T-1 rows (columns).
struct Neighbours {
  int64_t row_step;
  int64_t columns[kMostSpan];
  uint32_t wanted_rows;
  uint32_t wanted_columns;
};

// Stores the ranks of a position in the window that starts at a row and a column.
template <class Keys>
class RankStore {
 public:
  // Steps in vectors of `pitch` bytes from a window to the next one further up and further left.
  RankStore(uint8_t* ranks, int row_step, int column_step, int64_t pitch)
      : ranks_(ranks), row_step_(row_step * pitch), column_step_(column_step * pitch) {}

  void put(int row, int column, typename Keys::Lanes ranks) const {
    Keys::store_ranks(ranks_ + row * row_step_ + column * column_step_, ranks);
  }

 private:
  uint8_t* ranks_;
  int64_t row_step_;
  int64_t column_step_;
};

enum class Column { kBefore, kCentre, kAfter };
enum class Relation { kBelow, kUpTo, kBoth, kBothSlow };

// Which neighbours count when they are equal: those before the position in raster order.
template <int kReach>
struct RasterRule {
  static constexpr bool kHalve = false;
  static constexpr Relation relation(Column column, int row) {
    const bool before = row < kReach || (row == kReach && column == Column::kBefore);
    return before ? Relation::kUpTo : Relation::kBelow;
  }
};

// The same on a map that is read transposed.
template <int kReach>
struct TurnedRule {
  static constexpr bool kHalve = false;
  static constexpr Relation relation(Column column, int row) {
    const bool before = column == Column::kBefore || (column == Column::kCentre && row < kReach);
    return before ? Relation::kUpTo : Relation::kBelow;
  }
};

template <Relation kRelation>
struct EveryRule {
  static constexpr bool kHalve = kRelation == Relation::kBoth || kRelation == Relation::kBothSlow;
  static constexpr Relation relation(Column, int) { return kRelation; }
};

template <class Keys, int kSide, class Rule>
class RankForm {
  using Item = typename Keys::Item;
  using Lanes = typename Keys::Lanes;

  static constexpr int kReach = kSide - 1;
  static constexpr int kSpan = 2 * kSide - 1;

 public:
  // Not inlined: the registers are its own.
  template <class Sink>
  __attribute__((noinline)) static void count(const Item* at, const Neighbours& around,
                                              const Sink sink) {
    const Lanes own = Keys::load(at);
    const Lanes next = own + Keys::one();
    const int64_t step = around.row_step;
    at -= kReach * step;  // The first row.
    Lanes sums[kSpan];
    start(sums);
    for (int column = 0; column < kReach; ++column) {
      apply<Column::kBefore, true>(sums, at + around.columns[column], step, own, next);
    }
    apply<Column::kCentre, true>(sums, at + around.columns[kReach], step, own, next);
    for (int first = 0;; ++first) {
      if (around.wanted_columns >> first & 1) {
        add_rows(sums, around.wanted_rows, kReach - first, sink);
      }
      if (first == kReach) return;
      apply<Column::kBefore, false>(sums, at + around.columns[first], step, own, next);
      apply<Column::kAfter, true>(sums, at + around.columns[first + kSide], step, own, next);
    }
  }

 private:
  static constexpr int offset(Column column, int row) {
    switch (Rule::relation(column, row)) {
      case Relation::kUpTo:
      case Relation::kBothSlow:
        return Keys::kUpToOffset;
      case Relation::kBoth:
        return Keys::kBothOffset;
      default:
        return 0;
    }
  }

  // What the comparisons of the first kSide columns leave out, and what halving takes off in
  // advance (half() rounds up).
  static void start(Lanes (&sums)[kSpan]) {
#pragma GCC unroll 21
    for (int row = 0; row < kSpan; ++row) {
      const int left_out = kReach * offset(Column::kBefore, row) + offset(Column::kCentre, row);
      sums[row] = Keys::fill(left_out - (Rule::kHalve && row == kReach ? 1 : 0));
    }
  }

  template <Column kColumn, bool kAdd>
  static void apply(Lanes (&sums)[kSpan], const Item* column, int64_t step, Lanes own, Lanes next) {
#pragma GCC unroll 21
    for (int row = 0; row < kSpan; ++row) {
      const Lanes other = Keys::load(column);
      column += step;
      sums[row] = kAdd ? more(Rule::relation(kColumn, row), sums[row], other, own, next)
                       : less(Rule::relation(kColumn, row), sums[row], other, own, next);
      // Columns enter after the position and leave before it.
      const int change = kColumn == Column::kAfter    ? offset(Column::kAfter, row)
                         : kColumn == Column::kBefore ? offset(Column::kBefore, row)
                                                      : 0;
      constexpr bool kEnters = kColumn == Column::kAfter && kAdd;
      constexpr bool kLeaves = kColumn == Column::kBefore && !kAdd;
      if ((kEnters || kLeaves) && offset(Column::kAfter, row) != offset(Column::kBefore, row) &&
          change != 0) {
        sums[row] = kEnters ? sums[row] + Keys::one() : sums[row] - Keys::one();
      }
    }
  }

  static Lanes more(Relation relation, Lanes sum, Lanes other, Lanes own, Lanes next) {
    switch (relation) {
      case Relation::kBelow:
        return Keys::add_below(sum, other, own);
      case Relation::kUpTo:
        return Keys::add_up_to(sum, other, own);
      case Relation::kBoth:
        return sum + Keys::both(other, next);
      default:
        return Keys::add_up_to(Keys::add_below(sum, other, own), other, own);
    }
  }

  static Lanes less(Relation relation, Lanes sum, Lanes other, Lanes own, Lanes next) {
    switch (relation) {
      case Relation::kBelow:
        return Keys::less_below(sum, other, own);
      case Relation::kUpTo:
        return Keys::less_up_to(sum, other, own);
      case Relation::kBoth:
        return sum - Keys::both(other, next);
      default:
        return Keys::less_up_to(Keys::less_below(sum, other, own), other, own);
    }
  }

  template <class Sink>
  static void add_rows(const Lanes (&sums)[kSpan], uint32_t wanted, int column, const Sink& sink) {
    Lanes sum = sums[0];
#pragma GCC unroll 21
    for (int row = 1; row < kSide; ++row) sum += sums[row];
#pragma GCC unroll 21
    for (int first = 0; first < kSide; ++first) {
      if (first > 0) sum += sums[first + kReach] - sums[first - 1];
      if ((wanted >> first & 1) == 0) continue;
      sink.put(kReach - first, column, Rule::kHalve ? Keys::half(sum) : sum);
    }
  }
};

}  // namespace
