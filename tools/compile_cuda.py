"""Compiles the CUDA kernels with nvcc, without a GPU, and holds them to a limit of spilled bytes.

nvcc is that of PATH, else that of the PyPI package nvidia-cuda-nvcc in a temporary environment.
"""

from __future__ import annotations

import argparse
import itertools
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kernels.cuda_code import KERNEL_FILE, SOURCES, Code, assemble
from kernels.cuda_launch import Variant, errors_shared_bytes, fast_shared_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ARCHITECTURES = ("sm_80", "sm_89", "sm_90")
PATCHES = (3, 5, 7, 9, 11)
PACKAGE = "nvidia-cuda-nvcc"
# Bytes a thread may spill: T = 11 needs more than the 255 registers that a thread can have, the
# most with the mean over ties and bands (472 bytes). Up to T = 9 it is 8 at most.
SPILL_LIMIT = 512
SHARED_LIMIT = 48 << 10
# The plain kernels of the usual sizes, and the ones that need the most registers.
USUAL = (
    *(Variant(patch) for patch in (3, 9, 11)),
    *(Variant(9, ties) for ties in ("first", "mid", "mean")),
    Variant(3, "mid"),
    Variant(9, "mid", banded=True, strided=True),
    Variant(11, "mid"),
    Variant(11, "mean", banded=True),
    Variant(11, "mean", banded=True, strided=True),
)
_USAGE = re.compile(
    r"Compiling entry function '(?P<kernel>\w+)'.*?(?P<spilled>\d+) bytes spill stores"
    r".*?Used (?P<registers>\d+) registers(?:[^\n]*?(?P<shared>\d+) bytes smem)?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Usage:
    """What one kernel takes: registers and spilled bytes of a thread, shared bytes of a block."""

    architecture: str
    variant: Variant
    kernel: str
    registers: int
    spilled_bytes: int
    shared_bytes: int

    @property
    def fits(self) -> bool:
        """Whether it keeps to both limits."""
        return self.spilled_bytes <= SPILL_LIMIT and self.shared_bytes <= SHARED_LIMIT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="every variant, not the usual ones")
    parser.add_argument("--packaged", action="store_true", help=f"use {PACKAGE} even beside nvcc")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="linescan-nvcc-") as folder:
        nvcc = None if arguments.packaged else shutil.which("nvcc")
        nvcc = nvcc or install_nvcc(Path(folder))
        print(f"nvcc: {version(nvcc)}")
        usages = []
        variants = every_variant() if arguments.all else USUAL
        print_header()
        for usage in compile_variants(nvcc, variants, Path(folder)):
            print_row(usage)
            usages.append(usage)
    failed = [usage for usage in usages if not usage.fits]
    print(f"{len(usages)} kernels, {len(failed)} beyond {SPILL_LIMIT} spilled bytes", end=" ")
    print(f"or {SHARED_LIMIT} shared bytes")
    sys.exit(1 if failed or not usages else 0)


def every_variant() -> Iterator[Variant]:
    for patch in PATCHES:
        yield Variant(patch)
        for banded, strided in itertools.product((False, True), repeat=2):
            yield Variant(patch, "first", banded, strided)
            yield Variant(patch, "mid", banded, strided)
            yield Variant(patch, "mean", banded, strided)


def install_nvcc(folder: Path) -> str:
    """Path of an nvcc that is installed into `folder` for this run."""
    print(f"no nvcc on PATH: installing {PACKAGE} into a temporary environment", flush=True)
    venv.create(folder / "environment", with_pip=True)
    pip = [str(folder / "environment" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--disable-pip-version-check", PACKAGE], check=True)
    found = sorted((folder / "environment").glob("lib/python*/site-packages/nvidia/*/bin/nvcc"))
    if not found:
        sys.exit(f"{PACKAGE} holds no nvcc")
    return str(found[-1])


def version(nvcc: str) -> str:
    answer = subprocess.run([nvcc, "--version"], check=True, capture_output=True, text=True)
    return answer.stdout.strip().splitlines()[-1]


def compile_variants(nvcc: str, variants: Iterable[Variant], folder: Path) -> Iterator[Usage]:
    for variant in variants:
        for architecture in ARCHITECTURES:
            code = Code(assemble(), variant.macros, architecture, "nvcc")
            yield from parse_usage(run_nvcc(nvcc, code, folder), architecture, variant)


def run_nvcc(nvcc: str, code: Code, folder: Path) -> str:
    """What ptxas says about a compilation with the options that NVRTC gets too."""
    command = [nvcc, *code.options, "-Xptxas", "-v", "--cubin", "--output-file"]
    command += [str(folder / "kernels.cubin"), str(SOURCES / KERNEL_FILE)]
    answer = subprocess.run(command, check=False, capture_output=True, text=True)
    if answer.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{answer.stdout}{answer.stderr}")
    return answer.stderr


def parse_usage(report: str, architecture: str, variant: Variant) -> Iterator[Usage]:
    for found in _USAGE.finditer(report):
        shared = int(found["shared"] or 0) + dynamic_bytes(found["kernel"], variant)
        registers, spilled = int(found["registers"]), int(found["spilled"])
        yield Usage(architecture, variant, found["kernel"], registers, spilled, shared)


def dynamic_bytes(kernel: str, variant: Variant) -> int:
    """Shared memory that a launch asks for, at the stride that needs the most."""
    strides = range(1, min(4, variant.patch_size) + 1)
    if kernel == "fca_errors":
        chosen = strides if variant.strided else (1,)
        return max(errors_shared_bytes(variant, stride) for stride in chosen)
    if kernel == "fca_fast":
        return max(fast_shared_bytes(variant.patch_size, stride) for stride in strides)
    return 0


def print_header() -> None:
    print("| kernel | T | ties | banded | strided | card | registers | spilled | shared |")
    print("|" + 9 * "---|", flush=True)


def print_row(usage: Usage) -> None:
    one = usage.variant
    flags = ["yes" if flag else "no" for flag in (one.banded, one.strided)]
    numbers = [f"{usage.registers}", f"{usage.spilled_bytes} B", f"{usage.shared_bytes} B"]
    cells = [usage.kernel, f"{one.patch_size}", one.ties or "", *flags, usage.architecture]
    print("| " + " | ".join([*cells, *numbers]) + " |", flush=True)


if __name__ == "__main__":
    main()
