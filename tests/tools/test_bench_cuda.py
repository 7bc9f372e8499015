"""Measuring on a device: what can be held to without one."""

from __future__ import annotations

import json

import bench_cuda
import pytest
import torch
from bench_cuda import CASES, Case, Timing


def test_without_a_device_nothing_is_measured(monkeypatch, capsys) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["bench_cuda.py", "--json"])
    with pytest.raises(SystemExit) as ended:
        bench_cuda.main()
    assert ended.value.code == bench_cuda.NO_DEVICE
    captured = capsys.readouterr()
    assert (captured.out, "no CUDA device" in captured.err) == ("", True)


def test_megapixels_are_those_of_the_web() -> None:
    assert Case("fca_score", (1, 512, 128, 128)).megapixels == pytest.approx(1.048576)
    assert Case("fca_score_batch", (4, 240, 32, 32)).megapixels == pytest.approx(0.262144)


def timing(graph_ms: float) -> Timing:
    return Timing(CASES[0], "cuda", 9.0, graph_ms, graph_ms, graph_ms)


def test_a_verdict_is_against_goal_and_dream() -> None:
    assert [timing(ms).verdict for ms in (0.5, 0.51, 2.0, 2.01)] == [
        "dream",
        "goal",
        "goal",
        "missed",
    ]


def test_the_report_and_the_table_hold_every_case(monkeypatch, capsys) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    timings = [Timing(case, "cuda", 3.0, 1.0, 0.9, 1.1) for case in CASES]
    report = json.loads(json.dumps(bench_cuda.report(timings)))
    assert report["device"] == "a card"
    assert [one["verdict"] for one in report["timings"]] == ["goal"] * len(CASES)
    bench_cuda.print_table(timings)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| fca")]
    assert len(rows) == len(CASES)
    assert all(len(row.split("|")) == 10 for row in rows)
    assert any("K = 4" in row for row in rows)
    assert any("bands of 8" in row for row in rows)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kernel)
def test_every_case_is_a_valid_call(monkeypatch, case: Case) -> None:
    monkeypatch.setattr(torch.Tensor, "cuda", lambda self: self)
    batch = min(2, case.shape[0])
    small = Case(
        case.kernel,
        (batch, 2, 12, 17),
        case.window_stride,
        case.ties,
        case.precision,
        case.references,
        case.band_width,
    )
    result = bench_cuda.prepare(small)()
    shapes = [tuple(one.shape) for one in (result if isinstance(result, list) else [result])]
    expected = (2, 12, 17) if case.kernel == "fca_score_batch" else (12, 17)
    assert set(shapes) == {expected}
