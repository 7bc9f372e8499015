"""Prints the memory, in MB, that one call of a kernel adds to a fresh process; judges nothing."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from kernel_cases import KERNELS, Case, choose_path, prepare

_STATUS = Path("/proc/self/status")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", help=f'a case as JSON: {{"kernel": one of {KERNELS}, ...}}')
    fields = json.loads(parser.parse_args().case)
    print(growth_mb(Case(**{**fields, "shape": tuple(fields["shape"])})))


def extra_mb(case: Case) -> float:
    """MB (10**6 bytes) that the call takes in a process of its own, beside its input."""
    command = [sys.executable, __file__, json.dumps(asdict(case))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def growth_mb(case: Case) -> float:
    """The largest resident set up to the end of the call less the one before it.

    Too much rather than too little: what made the input counts where it needed more than the call.
    """
    torch.set_num_threads(1)
    choose_path(case.path)
    call = prepare(case)
    prepare(Case(case.kernel, (1, 16, 16)))()  # Code and tables that are loaded once.
    before = status_kib("VmRSS")
    call()
    return (status_kib("VmHWM") - before) * 1024 / 1e6


def status_kib(field: str, status: Path = _STATUS) -> int:
    """A size that the system tells of this process.

    Raises:
        ValueError: the system does not tell it.
    """
    for line in status.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    msg = f"{status} must have a line {field}, got none"
    raise ValueError(msg)


if __name__ == "__main__":
    main()
