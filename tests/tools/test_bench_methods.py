"""The script on a small map: a row for every method, and what it refuses."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import torch
from bench_methods import Cost, best_of, measure, rectified, row

from streamer import config

SCRIPT = Path(__file__).parents[2] / "tools" / "bench_methods.py"
SMALL = ("--channels", "2", "--side", "12", "--repeats", "1")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False
    )


def rows(done: subprocess.CompletedProcess[str]) -> list[list[str]]:
    assert done.returncode == 0, done.stderr
    lines = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()]
    return [cells for cells in lines if cells[-1].endswith("x")]


def test_every_method_is_measured() -> None:
    found = rows(run(*SMALL))
    assert [cells[0] for cells in found] == list(get_args(config.Method))
    assert found[0][0] == "fca_fast"
    assert found[0][-1] == "1.0x"
    assert all(float(cells[-1].removesuffix("x")) > 0 for cells in found)


def test_chosen_methods_alone() -> None:
    assert [cells[0] for cells in rows(run(*SMALL, "--methods", "moments", "grnr"))] == [
        "moments",
        "grnr",
    ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--channels", "0"), "--channels must be >= 1, got 0"),
        (("--side", "8"), "--side must be >= 9, got 8"),
        (("--repeats", "0"), "--repeats must be >= 1, got 0"),
        (("--methods", "fca", "other"), "--methods must be of fca_fast, fca"),
    ],
)
def test_wrong_arguments_are_explained(arguments, text) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert text in done.stderr


def test_seven_of_ten_features_are_zero() -> None:
    features = rectified(8, 64)
    assert float((features == 0).float().mean()) == pytest.approx(0.7, abs=0.01)
    assert 0.9 < float(features.max()) <= 1


def test_a_cost_knows_the_reach_and_a_row_the_ratio() -> None:
    cost = measure("sww", rectified(1, 12), 1)
    assert (cost.name, cost.reach) == ("sww", 4)
    assert min(cost.learn_s, cost.score_s) >= 0
    base = Cost("fca_fast", 10, 0.1, 0.2)
    assert row(Cost("sww", 4, 0.3, 0.5), base) == "| sww | 4 | 0.300 | 0.500 | 2.5x |"


def test_the_best_repeat_counts() -> None:
    calls = []
    assert best_of(3, lambda: calls.append(torch.ones(1))) < 1
    assert len(calls) == 3
