"""The benchmark of capture on a narrow web: what it measures, how its figures fit together."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import bench_capture
import numpy as np
import pytest

from streamer.correction.flat_field import bad_columns
from streamer.ports import WebFormat

SCRIPT = Path(__file__).parents[2] / "tools" / "bench_capture.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False
    )


def small(blocks: int = 12) -> argparse.Namespace:
    return argparse.Namespace(columns=2048, block_lines=128, blocks=blocks, halo=16)


def test_figures_belong_together(monkeypatch):
    monkeypatch.setattr(bench_capture, "RING_BYTES", 4 << 20)
    one = bench_capture.measure(small(), 8)
    assert (one.columns, one.bits, one.rounds) == (2048, 8, 12)
    together = 1 / (1 / one.watch_mpix_s + 1 / one.cut_mpix_s)
    assert one.both_mpix_s == pytest.approx(together)
    assert one.both_ratio_web == pytest.approx(one.both_mpix_s / one.copy_web_mpix_s)
    assert one.cut_ratio_tiles == pytest.approx(one.cut_mpix_s / one.copy_tiles_mpix_s)
    assert one.both_ratio_tiles == pytest.approx(one.both_mpix_s / one.copy_tiles_mpix_s)
    # 12 blocks of 128 lines complete three rows of 512, each with two halos; two lanes with one
    # inner side each.
    wanted = 3 * 2 * (1024 + 16) * (512 + 32) / (12 * 128 * 2048)
    assert one.halo_factor == pytest.approx(wanted)


def test_the_camera_delivers_its_own_memory_again_and_again(monkeypatch):
    monkeypatch.setattr(bench_capture, "RING_BYTES", 0)
    camera = bench_capture.RingCamera(WebFormat(32, 1, 16, ""), 8)
    blocks = [camera.read_into(np.empty(0)) for _ in range(3)]
    assert [block.first_line for block in blocks] == [0, 8, 16]
    assert blocks[0].pixels is blocks[2].pixels
    assert not np.array_equal(blocks[0].pixels, blocks[1].pixels)


def test_the_reference_has_a_few_dead_columns():
    assert len(bad_columns(bench_capture.reference(WebFormat(1000, 1, 8, "")))) == 4


def test_goals_are_both_speed_and_ratio(monkeypatch):
    monkeypatch.setattr(bench_capture, "RING_BYTES", 4 << 20)
    one = bench_capture.measure(small(), 16)
    monkeypatch.setattr(bench_capture, "LEAST_MPIX_S", one.both_mpix_s)
    monkeypatch.setattr(bench_capture, "LEAST_RATIO", one.both_ratio_tiles)
    assert one.reaches_goals
    monkeypatch.setattr(bench_capture, "LEAST_RATIO", one.both_ratio_tiles * 1.01)
    assert not one.reaches_goals
    assert bench_capture.table([one]).splitlines()[-1].endswith("| missed |")


def test_as_a_script_it_prints_a_table_or_json():
    small_web = ("--columns", "1024", "--blocks", "6", "--halo", "16")
    done = run(*small_web)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows] == ["| bits", "| 8", "| 16"]
    done = run(*small_web, "--bits", "8", "--json")
    (one,) = json.loads(done.stdout)
    assert one["both_mpix_s"] > 0


def test_no_blocks_are_refused():
    done = run("--blocks", "0")
    assert done.returncode == 2
    assert "--blocks must be >= 1, got 0" in done.stderr
