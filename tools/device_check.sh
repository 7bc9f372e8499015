#!/usr/bin/env bash
# Everything that needs a GPU, in one call: build, parity, provider gate, figures.
# Run in the repository root on a machine with an NVIDIA GPU; a summary stands at the end.
set -uo pipefail
cd "$(dirname "$0")/.."
out=${OUT:-/tmp/linescan-device}
mkdir -p "$out"

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || exit 3
[[ -d .venv ]] || python3 -m venv --system-site-packages .venv
.venv/bin/python -m pip install --quiet -e '.[gpu,dev]' || exit 3

REQUIRE_CUDA=1 .venv/bin/python -m pytest -q -m cuda tests | tee "$out/parity.log"
parity=${PIPESTATUS[0]}
.venv/bin/linescan doctor --set backbone.provider=cuda | tee "$out/doctor.log"
provider=${PIPESTATUS[0]}
.venv/bin/linescan bench --json --set backbone.provider=cuda --set source.columns=4096 \
    --set tiles.columns=4096 --set source.length_m=20 >"$out/bench.json"
bench=$?
.venv/bin/python tools/bench_cuda.py --output "$out/kernels.json" | tee "$out/kernels.log"
kernels=${PIPESTATUS[0]}

echo "parity: exit $parity   provider gate: exit $provider   bench: exit $bench" \
    "  kernels: exit $kernels"
[[ $parity -eq 0 && $provider -eq 0 && $bench -eq 0 && $kernels -eq 0 ]]
