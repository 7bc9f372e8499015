"""The Pareto benchmark on few configurations: real figures, ratios, and what does not run."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import bench_backbones
import pytest
from backbone_candidates import Candidate, candidates
from bench_backbones import DEFAULT, Figures, document, measure, table

from streamer.backbones import installed
from streamer.presets import PRESETS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_backbones, "LINES", 64)
    monkeypatch.setattr(bench_backbones, "COLUMNS", 128)


def _figures(backbone_s: float, kernel_s: float) -> Figures:
    return Figures(1, 0.5, "engine", 64, backbone_s, kernel_s)


def test_candidates_are_valid_and_have_their_own_names(tmp_path: Path) -> None:
    found = candidates(tmp_path / "resnet50v2_stride8.onnx")
    names = [one.name for one in found]
    assert len(set(names)) == len(names)
    assert set(PRESETS) < set(names)
    assert sum(name.startswith("resnet50v2_stride8") for name in names) == 3
    digests = {one.settings(1).digest for one in found}
    assert len(digests) == len(found), "two candidates are the same"


def test_a_candidate_runs_on_the_threads_it_is_given() -> None:
    settings = Candidate("x", {"channels": 8}, {"levels": 8}).settings(3)
    assert (settings.backbone.threads, settings.scoring.threads) == (3, 3)
    assert (settings.backbone.channels, settings.scoring.levels) == (8, 8)


@pytest.mark.parametrize("clock", ["wall", "cpu"])
def test_each_is_measured_and_the_smaller_one_has_its_channels(clock: str) -> None:
    chosen = [Candidate(DEFAULT), Candidate("16", {"channels": 16})]
    found = measure(chosen, threads=1, rounds=1, clock=clock)
    whole, subset = found[DEFAULT], found["16"]
    assert isinstance(whole, Figures)
    assert isinstance(subset, Figures)
    assert (whole.channels, subset.channels) == (240, 16)
    assert whole.engine == "onnxruntime:CPUExecutionProvider"
    assert whole.megapixels == 64 * 128 / 1e6
    for one in (whole, subset):
        assert 0 < one.backbone_s < 10
        assert 0 < one.kernel_s < 10
        assert one.mpix_s == pytest.approx(one.megapixels / (one.backbone_s + one.kernel_s))


def test_what_does_not_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "has_openvino", lambda: False)
    found = measure([Candidate("ov", {"engine": "openvino"})], threads=1, rounds=1)
    assert "pip install" in str(found["ov"])
    assert "does not run | - | -" in table({1: found}, {})[-1]
    assert document({1: found}, {})["rows"] == [{"configuration": "ov", "reason": found["ov"]}]


def test_ratios_are_to_the_default_on_as_many_threads() -> None:
    one = {DEFAULT: _figures(0.08, 0.02), "fast": _figures(0.02, 0.005)}
    two = {DEFAULT: _figures(0.04, 0.01), "fast": _figures(0.02, 0.005)}
    head, rule, *rows = table({1: dict(one), 2: dict(two)}, {"fast": 0.91234})
    assert head.count("|") == rule.count("|") == rows[0].count("|") == 10
    assert rows[1] == (
        "| fast | 64 | 20.0 / 5.0 | 20.0 | 4.00x | 20.0 / 5.0 | 20.0 | 2.00x | 0.9123 |"
    )
    assert rows[0].endswith("| 1.00x |  |")


def test_the_command_writes_a_table_and_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    accuracy, out = tmp_path / "accuracy.json", tmp_path / "out.json"
    accuracy.write_text('{"balanced": 0.9}')
    arguments = ["--rounds", "1", "--threads", "1", "--only", "lite0 8 levels"]
    files = ["--accuracy", str(accuracy), "--json", str(out)]
    monkeypatch.setattr(sys, "argv", ["bench_backbones.py", *arguments, *files])
    bench_backbones.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| balanced", "| lite0 8 levels"]
    assert lines[2].endswith("| 1.00x | 0.9000 |")
    rows = json.loads(out.read_text())["rows"]
    assert [row["configuration"] for row in rows] == ["balanced", "lite0 8 levels"]
    assert all(row["mpix_s"] > 0 for row in rows)


def test_no_rounds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_backbones.py", "--rounds", "0"])
    with pytest.raises(SystemExit) as ended:
        bench_backbones.main()
    assert ended.value.code == 2
