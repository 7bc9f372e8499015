// Core cycles per feature of a scoring kernel, and of the vector operations it is made of.
//
// Usage: count_cycles KERNEL RULE STRIDE PATH CHANNELS HEIGHT WIDTH REPEATS, the least of so many
// calls; or count_cycles operations. Cycles are CPU time of the thread, scaled by what a chain of
// additions, one a cycle, takes beside each call: virtual machines have no counter of cycles.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <limits>

#include "kernel_case.h"

namespace {

// CPU time of this thread: others on the machine do not count.
double thread_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e9 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec);
}

double ns_per_cycle() {
  constexpr int kAdditions = 1'600'000;
  double least = std::numeric_limits<double>::max();
  for (int repeat = 0; repeat < 5; ++repeat) {
    int64_t sum = repeat;
    const double start = thread_ns();
    for (int turn = 0; turn < kAdditions / 16; ++turn) {
      asm volatile(".rept 16\n add %1, %0\n .endr" : "+r"(sum) : "r"(int64_t{3}));
    }
    least = std::min(least, (thread_ns() - start) / kAdditions);
  }
  return least;
}

int time_kernel(char** words) {
  linescan::KernelCase kernel(words);
  const int repeats = std::stoi(words[linescan::KernelCase::kArguments]);
  kernel.run();
  double least = std::numeric_limits<double>::max();
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const double clock = ns_per_cycle();
    const double start = thread_ns();
    kernel.run();
    least = std::min(least, (thread_ns() - start) / clock);
  }
  std::printf("%.2f\n", least / static_cast<double>(kernel.features()));
  return 0;
}

// Core cycles of one of eight operations that do not wait for each other: what the CPU takes in,
// not how long one lasts.
template <class Eight>
void time_operation(const char* name, const Eight& eight) {
  constexpr int kTurns = 100'000;
  double least = std::numeric_limits<double>::max();
  for (int repeat = 0; repeat < 15; ++repeat) {
    const double clock = ns_per_cycle();
    const double start = thread_ns();
    for (int turn = 0; turn < kTurns; ++turn) eight();
    least = std::min(least, (thread_ns() - start) / clock);
  }
  std::printf("%-36s %.2f\n", name, least / kTurns / 8);
}

alignas(64) uint8_t memory[64 * 16];

#define LINESCAN_EIGHT(text)                                                                  \
  [] {                                                                                        \
    asm volatile(".irp i,0,1,2,3,4,5,6,7\n" text "\n.endr" ::"r"(memory)                      \
                 : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7"); \
  }
// No other code here knows these registers.
#define LINESCAN_LONG(text) \
  [] { asm volatile(".irp i,16,17,18,19,20,21,22,23\n" text "\n.endr" ::"r"(memory) : "memory"); }

void time_short_vectors() {
  time_operation("vpaddb ymm", LINESCAN_EIGHT("vpaddb %%ymm8, %%ymm\\i, %%ymm\\i"));
  time_operation("vpsubusb ymm", LINESCAN_EIGHT("vpsubusb %%ymm8, %%ymm\\i, %%ymm\\i"));
  time_operation("vpcmpgtb ymm", LINESCAN_EIGHT("vpcmpgtb %%ymm8, %%ymm\\i, %%ymm\\i"));
  time_operation("vpcmpgtb ymm, unaligned memory",
                 LINESCAN_EIGHT("vpcmpgtb 1+64*\\i(%0), %%ymm8, %%ymm\\i"));
  time_operation("vpshufb ymm", LINESCAN_EIGHT("vpshufb %%ymm8, %%ymm\\i, %%ymm\\i"));
  time_operation("store ymm", LINESCAN_EIGHT("vmovdqa %%ymm8, 64*\\i(%0)"));
}

void time_long_vectors() {
  time_operation("vpaddb zmm", LINESCAN_LONG("vpaddb %%zmm30, %%zmm\\i, %%zmm\\i"));
  time_operation("vpaddb zmm, masked", LINESCAN_LONG("vpaddb %%zmm30, %%zmm\\i, %%zmm\\i%{%%k1%}"));
  time_operation("vpsubusb zmm", LINESCAN_LONG("vpsubusb %%zmm30, %%zmm\\i, %%zmm\\i"));
  time_operation("vpmaxub zmm", LINESCAN_LONG("vpmaxub %%zmm30, %%zmm\\i, %%zmm\\i"));
  time_operation("vpsrlw zmm", LINESCAN_LONG("vpsrlw $8, %%zmm\\i, %%zmm\\i"));
  time_operation("vpermi2b zmm", LINESCAN_LONG("vpermi2b %%zmm30, %%zmm29, %%zmm\\i"));
  time_operation("vpunpcklbw zmm", LINESCAN_LONG("vpunpcklbw %%zmm30, %%zmm29, %%zmm\\i"));
  time_operation("vpcmpub zmm", LINESCAN_LONG("vpcmpub $1, %%zmm30, %%zmm\\i, %%k2"));
  time_operation("vpcmpub zmm, unaligned memory",
                 LINESCAN_LONG("vpcmpub $1, 1+64*(\\i-16)(%0), %%zmm30, %%k2"));
  time_operation("vpcmpub zmm and masked vpaddb, two",
                 LINESCAN_LONG("vpcmpub $1, 1+64*(\\i-16)(%0), %%zmm30, %%k2\n"
                               "vpaddb %%zmm30, %%zmm\\i, %%zmm\\i%{%%k2%}"));
  time_operation("load zmm, unaligned", LINESCAN_LONG("vmovdqu8 1+64*(\\i-16)(%0), %%zmm\\i"));
  time_operation("store zmm", LINESCAN_LONG("vmovdqa64 %%zmm30, 64*(\\i-16)(%0)"));
}

void time_operations() {
  if (__builtin_cpu_supports("avx2")) time_short_vectors();
  if (__builtin_cpu_supports("avx512vbmi")) time_long_vectors();
}

int run(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "operations") {
    time_operations();
    return 0;
  }
  if (argc == 2 + linescan::KernelCase::kArguments) return time_kernel(argv + 1);
  std::fprintf(stderr,
               "usage: %s KERNEL RULE STRIDE PATH CHANNELS HEIGHT WIDTH REPEATS | operations\n",
               argv[0]);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "%s\n", fault.what());
    return 2;
  }
}
