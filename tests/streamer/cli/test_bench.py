"""`linescan bench`: every step is measured, and the sums are those of its own figures."""

import json

import pytest

from streamer.cli import run_command
from streamer.cli.bench import STAGE_OF

SMALL = [
    "--set", "source.columns=256", "--set", "source.length_m=1", "--set", "tiles.lines=128",
    "--set", "tiles.columns=128", "--set", "backbone.threads=1",
]  # fmt: skip


def run(capsys, *more):
    code = run_command(["bench", *SMALL, *more])
    return code, capsys.readouterr()


def test_json_has_every_step_and_consistent_sums(capsys):
    code, out = run(capsys, "--rows", "3", "--json")
    assert code == 0, out.err
    found = json.loads(out.out)
    steps = {step["step"]: step for step in found["steps"]}
    assert list(steps) == list(STAGE_OF)
    assert all(step["ms_per_row"] > 0 for step in steps.values())
    assert sum(step["share_percent"] for step in steps.values()) == pytest.approx(100)
    assert (found["columns"], found["lanes"], found["halo_px"], found["rows"]) == (256, 2, 128, 3)
    by_stage: dict[str, float] = {}
    for step in steps.values():
        by_stage[step["stage"]] = by_stage.get(step["stage"], 0) + step["ms_per_row"]
    slowest_ms = max(by_stage.values())
    assert found["slowest_stage"] == max(by_stage, key=by_stage.get)
    assert found["line_rate_hz"] == pytest.approx(128 / slowest_ms * 1000)
    assert found["mpix_s"] == pytest.approx(found["line_rate_hz"] * 256 / 1e6)
    assert found["web_speed_m_min"] == pytest.approx(found["line_rate_hz"] * 0.0005 * 60)
    # 128 lines with 128 of halo above and below, lanes of 128 columns with 128 on one side.
    assert found["halo_share_percent"] == pytest.approx(100 * (1 - 128 * 128 / (384 * 256)))


def test_table_names_engine_halo_and_web_speed(capsys):
    code, out = run(capsys, "--rows", "2")
    assert code == 0, out.err
    assert "efficientnet_lite0 on onnxruntime:CPUExecutionProvider" in out.out
    assert "halo 128 px" in out.out
    assert "m/min" in out.out


def test_the_kernel_that_scored_is_named_with_the_reason(capsys, monkeypatch):
    monkeypatch.setenv("LINESCAN_KERNEL", "reference")
    code, out = run(capsys, "--rows", "2", "--json")
    assert code == 0, out.err
    found = json.loads(out.out)
    assert found["engine"].endswith("fca_fast on reference")
    assert found["kernel"] == "fca_score_fast runs on reference: LINESCAN_KERNEL asks for it"
    code, out = run(capsys, "--rows", "2")
    assert found["kernel"] in out.out


def test_a_source_that_is_too_short_is_a_usage_fault(capsys):
    code, out = run(capsys, "--rows", "1000")
    assert code == 2
    assert "source must last for 1000 tile rows" in out.err
    assert "Traceback" not in out.err


def test_a_profile_that_is_none_is_a_usage_fault(capsys, tmp_path):
    path = tmp_path / "normal"
    path.write_text("something else")
    code, out = run(capsys, "--rows", "2", "--set", f"profile.file={path}")
    assert code == 2
    assert out.err.startswith(f"error: {path}: profile must be a file of")
