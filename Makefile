# Every target sets itself up: a fresh machine needs Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup run test check lint types contracts sanitize fuzz packages cuda bench accuracy \
	forms clean

help:
	@echo "make run       inspect the simulated web of config.yaml (no camera, no GPU)"
	@echo "make test      run the tests"
	@echo "make check     lint, types, import contracts and tests: what CI runs"
	@echo "make sanitize  check the compiled kernels under AddressSanitizer and UBSan"
	@echo "make fuzz      the same on what libFuzzer makes up (needs clang)"
	@echo "make packages  build sdist and wheel, install them with and without a compiler"
	@echo "make cuda      compile the CUDA kernels (no GPU needed; fetches nvcc where there is none)"
	@echo "make bench     measure where the time goes on this machine"
	@echo "make accuracy  measure on real images (LINESCAN_DATA names their folder)"
	@echo "make forms     compare the forms of the score on real images (takes long)"

# The kernels are compiled on the way, where there is a C++ compiler.
$(STAMP): pyproject.toml CMakeLists.txt $(wildcard kernels/csrc/*)
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (once; about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[cpu,lite,dev]'
	@touch $(STAMP)

setup: $(STAMP)

run: $(STAMP)
	$(BIN)/linescan run --config config.yaml

test: $(STAMP)
	$(BIN)/python -m pytest -q

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror kernels/csrc/* tests/native/*

types: $(STAMP)
	$(BIN)/mypy

contracts: $(STAMP)
	$(BIN)/lint-imports

check: lint types contracts test

# The compiled kernels on random maps under AddressSanitizer and UBSan.
SANITIZE_SECONDS ?= 60
sanitize: $(STAMP)
	$(BIN)/cmake -G Ninja -S . -B build/sanitize -DLINESCAN_SANITIZE=ON -DCMAKE_BUILD_TYPE=None \
		-DCMAKE_MAKE_PROGRAM=$(abspath $(BIN)/ninja)
	$(BIN)/ninja -C build/sanitize
	build/sanitize/check_kernels $(SANITIZE_SECONDS)

# What libFuzzer makes up, on every path of this CPU; a failure names the file that repeats it.
FUZZ_SECONDS ?= 60
CLANGXX ?= clang++
fuzz: $(STAMP)
	$(BIN)/cmake -G Ninja -S . -B build/fuzz -DLINESCAN_FUZZ=ON -DCMAKE_BUILD_TYPE=None \
		-DCMAKE_CXX_COMPILER=$(CLANGXX) -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN)/ninja)
	$(BIN)/ninja -C build/fuzz
	mkdir -p build/fuzz/corpus build/fuzz/found
	build/fuzz/fuzz_kernels -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048 \
		-max_len=2048 -len_control=10 -verbosity=0 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/found/ build/fuzz/corpus \
		|| { echo "fails again with: build/fuzz/fuzz_kernels" build/fuzz/found/*; exit 1; }

# Wheel and sdist as a stranger installs them, outside the checkout.
packages: $(STAMP)
	tools/check_packages.sh $(abspath $(BIN)/python)

# Registers, shared memory and spills of the CUDA kernels; ALL=--all compiles every variant.
cuda: $(STAMP)
	$(BIN)/python tools/compile_cuda.py $(ALL)

bench: $(STAMP)
	$(BIN)/linescan bench --config config.yaml
	$(BIN)/python tools/bench_kernels.py
	$(BIN)/python tools/bench_medians.py
	$(BIN)/python tools/bench_streaming.py
	$(BIN)/python tools/bench_transport.py

# The published form without any correction, then each preset; their differences set by set.
DATA := $(or $(LINESCAN_DATA),../shared/data)
EVALUATE = $(BIN)/linescan evaluate $(DATA) --boxes-in fabric_minhas --work build/accuracy/maps
UNCORRECTED := --set edges.mode=off --set correction.light=off --set correction.background=off
PRESETS := balanced fast fine
accuracy: $(STAMP)
	$(BIN)/python -m pytest -q -m real_data
	mkdir -p build/accuracy
	$(EVALUATE) --out build/accuracy/published.json --method fca --set scoring.ties=first $(UNCORRECTED)
	for preset in $(PRESETS); do $(EVALUATE) --set preset=$$preset --out build/accuracy/$$preset.json \
		--html build/accuracy/$$preset.html || exit 1; done
	$(BIN)/python tools/accuracy_table.py build/accuracy/published.json \
		$(PRESETS:%=build/accuracy/%.json)
	$(BIN)/python tools/real_input.py --data $(DATA)

# Every form on every image, with all figures in build/forms.json.
forms: $(STAMP)
	mkdir -p build
	$(BIN)/python tools/compare_forms.py --json build/forms.json

clean:
	rm -rf $(VENV) build dist rolls recordings
