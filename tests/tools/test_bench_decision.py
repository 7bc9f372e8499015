"""The benchmark of the decision on a short roll: what it plants is found, its figures fit."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import bench_decision
import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "bench_decision.py"


def arguments(*more):
    return bench_decision.read_arguments(["--columns", "1600", "--metres", "8", *more])


def test_figures_belong_together():
    one = bench_decision.measure(arguments())
    assert (one.strips, one.cells) == (78, 64 * 200)
    assert one.metres == pytest.approx(78 * 512 * 0.2 / 1000)
    assert 0 < one.stitch_share < 1
    assert one.cpu_ratio > 0.9 * one.ratio > 0  # it never works longer than it takes
    assert one.longest_ms >= one.p99_ms >= one.strip_ms > 0
    assert one.defects_per_min == pytest.approx(one.defects / (78 * 512 / 5000 / 60))
    assert one.told >= 2 * (one.defects - 1)


def test_mark_and_scratch_are_found_where_nothing_else_is():
    one = bench_decision.measure(arguments("--defects-per-min", "0"))
    marks = int(one.metres * 1000 / bench_decision.MARK_MM) + 1
    assert one.defects == marks + 1
    assert one.repeats == 1
    assert one.repeat_mm == pytest.approx(bench_decision.MARK_MM, abs=0.5)


def test_planted_defects_are_as_many_as_was_asked_for():
    quiet, busy = (bench_decision.Web(arguments("--defects-per-min", n)) for n in ("0", "6000"))
    seeds = [
        sum(int((web.scores(n)[:, 60:] >= 1).sum()) for n in range(30)) for web in (quiet, busy)
    ]
    assert seeds[0] == 0
    assert seeds[1] == pytest.approx(6 * 30 * 6000 / 60 * 512 / 5000, rel=0.3)


def test_a_map_holds_its_lanes_cells():
    web = bench_decision.Web(arguments())
    row, maps = web.tiles(3)
    assert [m.column_count for m in maps] == [1024, 576]
    assert {m.first_line for m in maps} == {row.first_line} == {3 * 512}
    assert np.concatenate([m.scores for m in maps], axis=1).shape == (64, 200)


@pytest.mark.parametrize(("change", "reached"), [
    ({}, True), ({"ratio": 49.0}, False), ({"growth_mb": 9.0}, False),
])  # fmt: skip
def test_goals_are_speed_and_memory(change, reached):
    one = replace(bench_decision.measure(arguments()), ratio=51.0, growth_mb=0.0)
    assert replace(one, **change).reaches_goals is reached
    assert ("reached" in bench_decision.table(replace(one, **change))) is reached


def test_wrong_values_are_explained():
    command = [sys.executable, str(SCRIPT), "--metres", "0"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "--metres must be > 0, got 0.0" in run.stderr
