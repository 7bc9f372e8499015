# Every target sets itself up: a fresh machine needs Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup run test check lint types contracts sanitize cuda bench accuracy clean

help:
	@echo "make run       inspect the simulated web of config.yaml (no camera, no GPU)"
	@echo "make test      run the tests"
	@echo "make check     lint, types, import contracts and tests: what CI runs"
	@echo "make sanitize  check the compiled kernels under AddressSanitizer and UBSan"
	@echo "make cuda      compile the CUDA kernels (no GPU needed; fetches nvcc where there is none)"
	@echo "make bench     measure where the time goes on this machine"
	@echo "make accuracy  measure on real images (LINESCAN_DATA names their folder)"

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

# Registers, shared memory and spills of the CUDA kernels; ALL=--all compiles every variant.
cuda: $(STAMP)
	$(BIN)/python tools/compile_cuda.py $(ALL)

bench: $(STAMP)
	$(BIN)/linescan bench --config config.yaml
	$(BIN)/python tools/bench_kernels.py

accuracy: $(STAMP)
	$(BIN)/python tools/real_input.py --data "$${LINESCAN_DATA:-../shared/data}"

clean:
	rm -rf $(VENV) build dist rolls recordings
