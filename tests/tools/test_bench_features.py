"""The script on one feature: its row, what it measures against, and what it refuses."""

import subprocess
import sys
from pathlib import Path

import pytest
from bench_features import BASE, POOLED, build, compare

from streamer.backbones.catalogue import find_entry

SCRIPT = Path(__file__).parents[2] / "tools" / "bench_features.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False
    )


def test_a_feature_is_measured_on_both_engines() -> None:
    done = run("--names", "colours_s4", "--repeats", "1")
    assert done.returncode == 0, done.stderr
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("| colours_s4")]
    name, channels, stride, onnx_ms, onnx_ratio, torch_ms, torch_ratio = row.strip("| ").split(
        " | "
    )
    assert (name, channels, stride) == ("colours_s4", "3", "4")
    assert float(onnx_ms) > 0
    assert float(torch_ms) > 0
    # Averaging three colours is far less than a network.
    assert float(onnx_ratio.rstrip("x")) < 1 > float(torch_ratio.rstrip("x"))


def test_the_fastest_of_the_later_turns_counts() -> None:
    waits = {"own": iter([9e-2, 1e-2, 3e-2]), "base": iter([9e-2, 4e-2, 2e-2])}

    def spend(seconds: float) -> None:
        import time

        until = time.thread_time() + seconds
        while time.thread_time() < until:
            pass

    cost = compare([lambda: spend(next(waits["own"])), lambda: spend(next(waits["base"]))], 2)
    assert cost.base_ms / cost.own_ms == pytest.approx(2, rel=0.3)


def test_names_are_those_of_the_catalogue() -> None:
    assert all(find_entry(name).name == name for name in (BASE, *POOLED))


def test_random_weights_stand_in_for_a_download() -> None:
    assert build("vgg19").channels == 128


def test_no_repeats_are_refused() -> None:
    done = run("--repeats", "0")
    assert done.returncode == 2
    assert "--repeats must be >= 1, got 0" in done.stderr
