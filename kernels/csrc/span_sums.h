// Sums of neighbouring lanes along a row that is walked from right to left, vector by vector.
#pragma once

// Each instruction set compiles this for itself: the linker may share nothing of it.
namespace {

// The lanes `kOffset` further right.
template <class Simd, class Lanes, int kOffset>
class Shifted {
 public:
  Lanes push(Lanes lanes) {
    using Bytes = typename Simd::Bytes;
    constexpr int kBytes = kOffset * static_cast<int>(sizeof(lanes[0]));
    const Lanes moved = (Lanes)Simd::template shift<kBytes>((Bytes)lanes, (Bytes)right_);
    right_ = lanes;
    return moved;
  }

 private:
  Lanes right_ = {};
};

template <class Simd, class Lanes>
class Shifted<Simd, Lanes, 0> {
 public:
  Lanes push(Lanes lanes) { return lanes; }
};

// From each lane on, the sum of `kCount` lanes that lie `kSpacing` apart. Pairs are added first, so
// that 9 lanes cost 4 additions.
template <class Simd, class Lanes, int kCount, int kSpacing = 1>
class SpanSum {
 public:
  Lanes push(Lanes lanes) {
    const Lanes pairs = pairs_.push(lanes + partner_.push(lanes));
    if constexpr (kCount % 2 == 0) {
      return pairs;
    } else {
      return pairs + last_.push(lanes);
    }
  }

 private:
  Shifted<Simd, Lanes, kSpacing> partner_;
  SpanSum<Simd, Lanes, kCount / 2, 2 * kSpacing> pairs_;
  Shifted<Simd, Lanes, kCount % 2 == 0 ? 0 : (kCount - 1) * kSpacing> last_;
};

template <class Simd, class Lanes, int kSpacing>
class SpanSum<Simd, Lanes, 1, kSpacing> {
 public:
  Lanes push(Lanes lanes) { return lanes; }
};

template <class Simd, class Lanes, int kSpacing>
class SpanSum<Simd, Lanes, 0, kSpacing> {
 public:
  Lanes push(Lanes) { return Lanes{}; }
};

// Bytes as 16-bit words: those of the even lanes and those of the odd ones.
template <class Simd>
struct Split {
  typename Simd::Words even;
  typename Simd::Words odd;
};

template <class Simd>
Split<Simd> split(typename Simd::Bytes bytes) {
  const auto words = (typename Simd::Words)bytes;
  return {words & 0xff, words >> 8};
}

// For even lanes `lane`: the sum of the bytes lane + kFirst .. lane + kFirst + kCount - 1.
template <class Simd, int kFirst, int kCount>
class EvenSum {
 public:
  using Words = typename Simd::Words;

  Words push(Split<Simd> bytes) {
    const Words pairs = moved_.push(pairs_.push(bytes.even + bytes.odd));
    if constexpr (kFirst % 2 == 0) {
      return kCount % 2 == 0 ? pairs : pairs + tail_.push(bytes.even);
    } else {
      // The pairs begin one byte late; with an even count they also end one late.
      const Words sum = pairs + head_.push(bytes.odd);
      return kCount % 2 == 0 ? sum - tail_.push(bytes.odd) : sum;
    }
  }

 private:
  static constexpr int kStart = kFirst / 2;
  SpanSum<Simd, Words, kCount / 2> pairs_;
  Shifted<Simd, Words, kStart + kFirst % 2> moved_;
  Shifted<Simd, Words, kStart> head_;
  Shifted<Simd, Words, kStart + kCount / 2> tail_;
};

// The same for every lane.
template <class Simd, int kFirst, int kCount>
class ByteSums {
 public:
  Split<Simd> push(Split<Simd> bytes) { return {even_.push(bytes), odd_.push(bytes)}; }

 private:
  EvenSum<Simd, kFirst, kCount> even_;
  EvenSum<Simd, kFirst + 1, kCount> odd_;
};

}  // namespace
