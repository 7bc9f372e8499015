"""Tables of instructions (by valgrind) and cycles per feature of a kernel; builds nothing."""

from __future__ import annotations

import argparse
import re
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Counting = Callable[[str, str, int], int]

SIDE_LENGTH, CHANNELS = 128, 512
# Kernel, rule (of the fast form: levels) and window stride.
CASES = ("u8 first 1", "u8 mid 1", "exact first 1", "fast 16 1", "fast 16 2")
EMULATED_PATHS = ("avx2", "portable")
PATHS = ("avx512", *EMULATED_PATHS)
# Two calls, both counted.
_CALLS = 2
_FEW_CHANNELS = 32
_COLLECTED = re.compile(r"Collected : (\d+)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="the built tests/native/count_cycles.cpp")
    parser.add_argument("--repeats", type=int, default=7, help="cycles: the least of so many calls")
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error(f"--repeats must be >= 1, got {arguments.repeats}")
    program = arguments.program
    print("| kernel | path | instructions | cycles | a cycle |\n|---|---|---|---|---|", flush=True)
    for case in CASES:
        for path in PATHS:
            emulated = path in EMULATED_PATHS
            count = per_feature(lambda *of: emulate(program, *of), case, path) if emulated else None
            print(
                row(case, path, count, cycles(program, case, path, arguments.repeats)), flush=True
            )
    print(f"\n{run([program, 'operations'])}")


def per_feature(count: Counting, case: str, path: str) -> float:
    """Instructions per feature of a map of 512 channels, from counts on 32 and on 64 of them.

    What a call costs once, whatever the channels, is told from what each of them costs.
    """
    few, twice = (count(case, path, times * _FEW_CHANNELS) for times in (1, 2))
    each = (twice - few) / _FEW_CHANNELS
    return (few + (CHANNELS - _FEW_CHANNELS) * each) / (CHANNELS * SIDE_LENGTH**2)


def emulate(program: str, case: str, path: str, channels: int) -> int:
    """Instructions of one call on `channels` channels."""
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    watched = [f"--toggle-collect=linescan::{name}_score*" for name in ("exact", "fast")]
    return collected(run([*tool, *watched, *call(program, case, path, channels), "1"])) // _CALLS


def collected(output: str) -> int:
    """The instructions that callgrind says it counted.

    Raises:
        ValueError: it counted none.
    """
    found = _COLLECTED.search(output)
    if found is None or int(found[1]) == 0:
        msg = f"callgrind must report what it collected, got {output[-200:]!r}"
        raise ValueError(msg)
    return int(found[1])


def cycles(program: str, case: str, path: str, repeats: int) -> float | None:
    """Core cycles per feature; None where this CPU lacks the path."""
    output = run([*call(program, case, path, CHANNELS), str(repeats)])
    return None if "path must be" in output else float(output)


def call(program: str, case: str, path: str, channels: int) -> list[str]:
    """The command of a case, up to its repeats."""
    return [program, *case.split(), path, str(channels), str(SIDE_LENGTH), str(SIDE_LENGTH)]


def run(command: list[str]) -> str:
    """What a command says, errors among it."""
    done = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.stdout


def row(case: str, path: str, count: float | None, spent: float | None) -> str:
    """A line of the table; what was not measured is left empty."""
    rate = None if count is None or spent is None else count / spent
    cells = ["" if one is None else f"{one:.1f}" for one in (count, spent, rate)]
    return f"| {case} | {path} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
