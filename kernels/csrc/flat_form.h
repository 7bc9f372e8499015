// The flat field as plain loops that compilers turn into vectors, once for every instruction set.
#pragma once

#include "flat_task.h"

namespace {

using linescan::ByteField;
using linescan::WordField;

void correct_bytes(const uint8_t* __restrict raw, const uint16_t* __restrict gain,
                   const uint16_t* __restrict offset, int64_t count, uint8_t* __restrict to) {
  constexpr uint16_t kHalf = 1 << (linescan::kByteBits - 1);
  for (int64_t at = 0; at < count; ++at) {
    const uint16_t high = static_cast<uint16_t>(raw[at] << 8);
    const uint16_t product = static_cast<uint16_t>((uint32_t{high} * gain[at]) >> 16);
    const uint16_t raised = static_cast<uint16_t>(product + kHalf);  // 255 * 65535 / 256 + 16 fits
    const uint16_t left = raised > offset[at] ? static_cast<uint16_t>(raised - offset[at]) : 0;
    const uint16_t level = static_cast<uint16_t>(left >> linescan::kByteBits);
    to[at] = static_cast<uint8_t>(level < 255 ? level : 255);
  }
}

void correct_words(const uint16_t* __restrict raw, const uint16_t* __restrict gain,
                   const uint32_t* __restrict offset, int64_t count, uint16_t* __restrict to) {
  constexpr uint32_t kHalf = 1u << (linescan::kGainBits - 1);
  for (int64_t at = 0; at < count; ++at) {
    const uint32_t raised = uint32_t{raw[at]} * gain[at] + kHalf;  // 65535 ** 2 + 4096 fits
    const uint32_t left = raised > offset[at] ? raised - offset[at] : 0;
    const uint32_t level = left >> linescan::kGainBits;
    to[at] = static_cast<uint16_t>(level < 65535 ? level : 65535);
  }
}

// Lines of a part of a web lie far apart: no processor fetches the next one by itself.
template <class Level>
void fetch(const Level* line, int64_t samples) {
  constexpr int64_t kCacheLine = 64 / sizeof(Level);
  for (int64_t at = 0; at < samples; at += kCacheLine) __builtin_prefetch(line + at);
}

template <class Field, class Correct>
void correct_lines(const Field& field, Correct correct) {
  for (int64_t line = 0; line < field.lines; ++line) {
    const auto* raw = field.raw + line * field.raw_step;
    if (line + 1 < field.lines) fetch(raw + field.raw_step, field.samples);
    correct(raw, field.gain, field.offset, field.samples,
            field.corrected + line * field.corrected_step);
  }
}

void flat_bytes(const ByteField& field) { correct_lines(field, correct_bytes); }

void flat_words(const WordField& field) { correct_lines(field, correct_words); }

linescan::FlatKernel flat_kernel_here() { return {&flat_bytes, &flat_words}; }

}  // namespace
