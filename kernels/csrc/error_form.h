// Errors |value - reference of its rank| of a vector of positions, added up over the channels.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "look_up.h"

// Each instruction set compiles this for itself: the linker may share nothing of it.
namespace {

// The cross-web bands that the windows of a vector lie in, when they start at a given row: `bands`
// counts from the first of the tables, `masks` says which lanes each of them but the first takes.
struct Segments {
  int64_t count;
  const int32_t* bands;
  const uint8_t* masks;
};

// Looks ranks up in the tables of one band, kPlanes of them one after the other.
template <class Simd, int kArea, int kPlanes>
class OneBand {
 public:
  explicit OneBand(const uint8_t* tables) {
    for (int plane = 0; plane < kPlanes; ++plane) {
      tables_[plane] = Simd::open(tables + plane * kTableSize);
    }
  }
  typename Simd::Bytes look_up(int plane, typename Simd::Bytes rank) const {
    return Simd::template look_up<kArea>(tables_[plane], rank);
  }

 private:
  typename Simd::Table tables_[kPlanes];
};

// The same where the lanes of a vector lie in several bands, whose tables are `step` bytes apart.
template <class Simd, int kArea>
class SeveralBands {
  using Bytes = typename Simd::Bytes;

 public:
  SeveralBands(const uint8_t* tables, int64_t step, const Segments& at)
      : tables_(tables), step_(step), at_(at) {}

  Bytes look_up(int plane, Bytes rank) const {
    Bytes found = look_up_segment(0, plane, rank);
    for (int64_t segment = 1; segment < at_.count; ++segment) {
      const Bytes mask = Simd::load(at_.masks + segment * static_cast<int64_t>(sizeof(Bytes)));
      found = (found & ~mask) | (look_up_segment(segment, plane, rank) & mask);
    }
    return found;
  }

 private:
  Bytes look_up_segment(int64_t segment, int plane, Bytes rank) const {
    const uint8_t* table = tables_ + at_.bands[segment] * step_ + plane * kTableSize;
    return Simd::template look_up<kArea>(table, rank);
  }

  const uint8_t* tables_;
  int64_t step_;
  Segments at_;
};

// Places in a window, counted from its corner.
struct Places {
  const int32_t* first;
  const int32_t* last;
};

// Errors of bytes. The sums are 16-bit: whole words (an even lane plus 256 times the odd one) and
// odd lanes, which takes one operation less than the lanes apart.
template <class Simd, int kSide>
struct ByteErrors {
  using Bytes = typename Simd::Bytes;
  using Words = typename Simd::Words;
  using Sum = uint16_t;
  using Value = uint8_t;

  static constexpr int kLanes = sizeof(Bytes);
  static constexpr int kPlanes = 1;
  static constexpr int kMostChannels = 256;  // 257 * 255 is the largest 16-bit number.

  static void make_table(const float* reference, uint8_t* table) {
    std::memset(table, 0, kTableSize);
    for (int rank = 0; rank < kSide * kSide; ++rank) {
      table[rank] = static_cast<uint8_t>(reference[rank]);
    }
    Simd::prepare(table);
  }

  template <class Look>
  static void add(const Look& look, Places places, const uint8_t* ranks, const uint8_t* values,
                  uint16_t* sums) {
    const Bytes own = Simd::load(values);
    for (const int32_t* place = places.first; place != places.last; ++place) {
      const Bytes expected = look.look_up(0, Simd::load(ranks + *place * kLanes));
      add_errors(expected, own, sums + *place * kLanes);
    }
  }

  static void add_errors(Bytes expected, Bytes own, uint16_t* sum) {
    const auto errors = (Words)Simd::distance(expected, own);
    Simd::store(sum, Simd::load_words(sum) + errors);
    Simd::store(sum + kLanes / 2, Simd::load_words(sum + kLanes / 2) + (errors >> 8));
  }

  // Adds the errors of ranks as they are counted; only where one band and one reference do.
  struct Sink {
    typename Simd::Table table;
    Bytes own;
    uint16_t* sums;

    void put(int row, int column, Bytes rank) const {
      add_errors(Simd::template look_up<kSide * kSide>(table, rank), own,
                 sums + (row * kSide + column) * kLanes);
    }
  };

  // Where the total of the position at `lane` stands: even lanes come first.
  static constexpr int slot(int lane) { return lane % 2 * (kLanes / 2) + lane / 2; }

  static void flush(const uint16_t* __restrict sums, float* __restrict totals) {
    for (int half = 0; half < kLanes / 2; ++half) {
      const uint16_t odd = sums[kLanes / 2 + half];
      totals[half] += static_cast<uint16_t>(sums[half] - (odd << 8));
      totals[kLanes / 2 + half] += odd;
    }
  }
};

// Errors of floats. The four bytes of a reference value are looked up one by one and zipped.
template <class Simd, int kSide>
struct FloatErrors {
  using Bytes = typename Simd::Bytes;
  using Sum = float;
  using Value = float;
  typedef float Floats __attribute__((vector_size(sizeof(Bytes))));
  typedef int32_t Integers __attribute__((vector_size(sizeof(Bytes))));

  static constexpr int kLanes = sizeof(Bytes);
  static constexpr int kPlanes = 4;
  static constexpr int kMostChannels = 64;

  static void make_table(const float* reference, uint8_t* table) {
    split(reference, kSide * kSide, table);
  }

  // Where the position at `lane` stands among the zipped ones.
  static constexpr int slot(int lane) {
    return lane % 16 / 4 * (kLanes / 4) + lane / 16 * 4 + lane % 4;
  }

  template <class Look>
  static void add(const Look& look, Places places, const uint8_t* ranks, const float* values,
                  float* sums) {
    for (const int32_t* place = places.first; place != places.last; ++place) {
      Floats errors[4];
      find(look, ranks + *place * kLanes, values, errors);
      add_errors(errors, sums + *place * kLanes);
    }
  }

  // Two channels at a time, one after the other at each place: the sums are read and written once.
  template <class Look>
  static void add_two(const Look (&looks)[2], Places places, const uint8_t* const (&ranks)[2],
                      const float* const (&values)[2], float* sums) {
    for (const int32_t* place = places.first; place != places.last; ++place) {
      Floats errors[2][4];
      find(looks[0], ranks[0] + *place * kLanes, values[0], errors[0]);
      find(looks[1], ranks[1] + *place * kLanes, values[1], errors[1]);
#pragma GCC unroll 4
      for (int part = 0; part < 4; ++part) {
        float* sum = sums + *place * kLanes + part * (kLanes / 4);
        store(sum, load(sum) + errors[0][part] + errors[1][part]);
      }
    }
  }

  static void add_errors(const Floats (&errors)[4], float* sums) {
#pragma GCC unroll 4
    for (int part = 0; part < 4; ++part) {
      float* sum = sums + part * (kLanes / 4);
      store(sum, load(sum) + errors[part]);
    }
  }

  // |expected - value|, expected in four planes of bytes.
  static void distances(const Bytes (&planes)[4], const float* values, Floats (&errors)[4]) {
    zip(planes, errors);
#pragma GCC unroll 4
    for (int part = 0; part < 4; ++part) {
      errors[part] = magnitude(errors[part] - load(values + part * (kLanes / 4)));
    }
  }

  // The bytes of `count` numbers as four tables.
  static void split(const float* numbers, int count, uint8_t* tables) {
    constexpr int kBytes = sizeof(float);
    std::memset(tables, 0, kBytes * kTableSize);
    for (int at = 0; at < count; ++at) {
      uint8_t bytes[kBytes];
      std::memcpy(bytes, numbers + at, sizeof(bytes));
      for (int plane = 0; plane < kBytes; ++plane) tables[plane * kTableSize + at] = bytes[plane];
    }
    for (int plane = 0; plane < kBytes; ++plane) Simd::prepare(tables + plane * kTableSize);
  }

 private:
  template <class Look>
  static void find(const Look& look, const uint8_t* ranks, const float* values,
                   Floats (&errors)[4]) {
    const Bytes rank = Simd::load(ranks);
    Bytes planes[kPlanes];
#pragma GCC unroll 4
    for (int plane = 0; plane < kPlanes; ++plane) planes[plane] = look.look_up(plane, rank);
    distances(planes, values, errors);
  }

  static Floats load(const float* from) {
    Floats floats;
    std::memcpy(&floats, from, sizeof(floats));
    return floats;
  }
  static void store(float* to, Floats floats) { std::memcpy(to, &floats, sizeof(floats)); }
  static Floats magnitude(Floats values) { return (Floats)((Integers)values & 0x7fffffff); }

  static void zip(const Bytes (&planes)[kPlanes], Floats (&floats)[4]) {
    const Bytes low[2] = {Simd::zip_bytes_low(planes[0], planes[1]),
                          Simd::zip_bytes_low(planes[2], planes[3])};
    const Bytes high[2] = {Simd::zip_bytes_high(planes[0], planes[1]),
                           Simd::zip_bytes_high(planes[2], planes[3])};
    floats[0] = (Floats)Simd::zip_words_low(low[0], low[1]);
    floats[1] = (Floats)Simd::zip_words_high(low[0], low[1]);
    floats[2] = (Floats)Simd::zip_words_low(high[0], high[1]);
    floats[3] = (Floats)Simd::zip_words_high(high[0], high[1]);
  }
};

}  // namespace
