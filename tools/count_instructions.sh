#!/bin/sh
# Instructions and core cycles per feature of the scoring kernels, per path of this CPU (x86-64).
#
# Usage: tools/count_instructions.sh [PYTHON]
# Builds the kernels without Python in build/count. Instructions are counted by valgrind, which
# must be installed and knows no AVX-512; cycles are measured on every path.
set -eu
python=${1:-python3}
cd "$(dirname "$0")/.."
csrc=kernels/csrc
build=build/count
mkdir -p "$build"
compile() { # FILE [FLAG ...]
  file=$1
  shift
  object=$build/$(basename "$file" .cpp).o
  [ "$object" -nt "$file" ] || g++ -std=c++20 -O3 -DNDEBUG -ffp-contract=off -fvisibility=hidden \
    -DLINESCAN_X86 -I "$csrc" "$@" -c "$file" -o "$object"
}
for name in count_windows dense_ranks exact_score fast_score field median_reference paths \
  exact_portable path_portable; do
  compile "$csrc/$name.cpp"
done
for name in exact path; do
  compile "$csrc/${name}_avx2.cpp" -mavx2
  compile "$csrc/${name}_avx512.cpp" -mavx512f -mavx512bw -mavx512vl -mavx512vbmi
done
compile tests/native/count_cycles.cpp
g++ "$build"/*.o -o "$build/count_cycles"
exec "$python" tools/instruction_counts.py "$build/count_cycles"
