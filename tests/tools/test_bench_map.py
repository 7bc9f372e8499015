"""The benchmark of the roll map on a short roll: what it measures, how its figures fit together."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import bench_map
import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "bench_map.py"


def arguments(*more):
    return bench_map.read_arguments(["--columns", "800", "--metres", "3", *more])


@pytest.mark.parametrize("keep", [[], ["--keep"]])
def test_figures_belong_together(tmp_path, keep):
    one = bench_map.measure(arguments("--metres", "4", *keep), tmp_path)
    assert (one.columns, one.rows) == (100, 4992)
    assert one.metres == pytest.approx(4992 * 8 * 0.1 / 1000)
    assert one.ratio == pytest.approx(one.written_mb_s / one.needed_mb_s)
    assert one.needed_rows_s == 625
    assert one.longest_ms >= one.strip_ms > 0
    assert 0.5 * one.scores_mb < one.disk_mb < 2 * one.scores_mb  # noise hardly compresses


def test_what_is_measured_is_gone_afterwards(tmp_path):
    bench_map.measure(arguments(), tmp_path)
    assert bench_map.clear(tmp_path) == 0


@pytest.mark.parametrize(("change", "reached"), [
    ({}, True), ({"ratio": 9.0}, False), ({"growth_mb": 50.0}, False),
])  # fmt: skip
def test_goals_are_speed_and_memory(tmp_path, change, reached):
    one = bench_map.measure(arguments(), tmp_path)
    one = replace(replace(one, ratio=20.0, growth_mb=0.0), **change)
    assert one.reaches_goals == reached
    assert ("missed" in bench_map.table(one)) == (not reached)


def test_the_command_prints_json():
    command = [sys.executable, SCRIPT, "--columns", "80", "--metres", "2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["columns"] == 10


def test_nonsense_is_refused(capsys):
    with pytest.raises(SystemExit):
        bench_map.read_arguments(["--metres", "0"])
    assert "--metres must be > 0, got 0" in capsys.readouterr().err
