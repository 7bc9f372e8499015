"""The script on a map of one channel: its rows and what it refuses."""

import subprocess
import sys
from pathlib import Path

import pytest

from kernels.compiled import usable_paths

SCRIPT = Path(__file__).parents[2] / "tools" / "bench_medians.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(not usable_paths(), reason="no compiled kernel is built")
def test_every_stride_is_measured_on_both_maps() -> None:
    done = run("--channels", "1")
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.endswith("x |")]
    assert [row[1] for row in rows] == ["1", "2", "3", "9"] * 2
    assert all(float(row[4].split("x")[0]) > 0 for row in rows)


def test_no_channels_are_refused() -> None:
    done = run("--channels", "0")
    assert done.returncode == 2
    assert "--channels must be >= 1, got 0" in done.stderr
