// The flat field as plain loops that compilers turn into vectors, once for every instruction set.
#pragma once

#include "flat_task.h"

namespace {

using linescan::ByteField;
using linescan::WordField;

void correct(const uint8_t* __restrict raw, const uint16_t* __restrict gain,
             const uint16_t* __restrict offset, int64_t count, uint8_t* __restrict to) {
  constexpr uint16_t kHalf = 1 << (linescan::kByteBits - 1);
  for (int64_t at = 0; at < count; ++at) {
    const uint16_t high = static_cast<uint16_t>(raw[at] << 8);
    const uint16_t product = static_cast<uint16_t>((uint32_t{high} * gain[at]) >> 16);
    const uint16_t raised = static_cast<uint16_t>(product + kHalf);  // 255 * 65535 / 256 + 16 fits
    const uint16_t above = raised > offset[at] ? raised : offset[at];
    const uint16_t left = static_cast<uint16_t>(above - offset[at]);
    const uint16_t level = static_cast<uint16_t>(left >> linescan::kByteBits);
    to[at] = static_cast<uint8_t>(level < 255 ? level : 255);
  }
}

void correct(const uint16_t* __restrict raw, const uint16_t* __restrict gain,
             const uint32_t* __restrict offset, int64_t count, uint16_t* __restrict to) {
  constexpr uint32_t kHalf = 1u << (linescan::kGainBits - 1);
  for (int64_t at = 0; at < count; ++at) {
    const uint32_t raised = uint32_t{raw[at]} * gain[at] + kHalf;  // 65535 ** 2 + 4096 fits
    const uint32_t above = raised > offset[at] ? raised : offset[at];
    const uint32_t level = (above - offset[at]) >> linescan::kGainBits;
    to[at] = static_cast<uint16_t>(level < 65535 ? level : 65535);
  }
}

// Lines of a part of a web lie far apart: no processor fetches the next one by itself.
template <class Level>
void fetch(const Level* line, int64_t samples) {
  constexpr int64_t kCacheLine = 64 / sizeof(Level);
  for (int64_t at = 0; at < samples; at += kCacheLine) __builtin_prefetch(line + at);
}

// A corrected level of the line: mostly it is in the part and there already.
template <class Task, class Level>
uint32_t level_at(const Task& field, const Level* raw, const Level* to, int64_t at) {
  if (at >= 0 && at < field.samples) return to[at];
  Level level;
  correct(raw + at, field.gain + at, field.offset + at, 1, &level);
  return level;
}

template <class Task, class Level>
void fill(const Task& field, const Level* raw, Level* to) {
  constexpr uint32_t kOne = 1u << linescan::kShareBits;
  for (int64_t n = 0; n < field.fill_count; ++n) {
    const linescan::SampleFill& one = field.fills[n];
    const uint32_t left = level_at(field, raw, to, one.left - field.first);
    const uint32_t right = level_at(field, raw, to, one.right - field.first);
    const uint32_t sum = left * (kOne - one.right_share) + right * one.right_share;
    to[one.sample - field.first] = static_cast<Level>((sum + kOne / 2) >> linescan::kShareBits);
  }
}

template <class Task>
void correct_lines(const Task& field) {
  for (int64_t line = 0; line < field.lines; ++line) {
    const auto* raw = field.raw + line * field.raw_step;
    auto* to = field.corrected + line * field.corrected_step;
    if (line + 1 < field.lines) fetch(raw + field.raw_step, field.samples);
    correct(raw, field.gain, field.offset, field.samples, to);
    fill(field, raw, to);
  }
}

linescan::FlatKernel flat_kernel_here() {
  return {&correct_lines<ByteField>, &correct_lines<WordField>};
}

}  // namespace
