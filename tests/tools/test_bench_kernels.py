"""The kernel benchmark on tiny maps: every goal has a row, in the table and as JSON."""

from __future__ import annotations

import json
import os

import bench_kernels
import jsonschema
import pytest
import torch
from bench_kernels import BIG, Bench, PathRow, Report, as_text, goals, measure, name, path_line
from kernel_cases import Case
from kernel_goals import Goal

from kernels.compiled import PATH_VARIABLE

TINY = Bench(big=(4, 20, 20), small=((2, 12, 12),), repeats=1)
SCHEMA = {
    "type": "object",
    "required": ["cpu", "torch", "path", "shape", "goals", "paths", "load_average"],
    "properties": {
        "cpu": {"type": "string"},
        "path": {"enum": ["avx512", "avx2", "portable", "reference"]},
        "shape": {"type": "array", "items": {"type": "integer"}, "minItems": 3, "maxItems": 3},
        "sort_based_ms": {"type": ["number", "null"]},
        "load_average": {"type": "array", "items": {"type": "number"}, "minItems": 2},
        "goals": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["what", "reach", "measured", "unit", "at_least", "verdict"],
                "properties": {
                    "measured": {"type": ["number", "null"]},
                    "unit": {"enum": ["ms", "x", "MB"]},
                    "verdict": {"enum": ["reached", "missed", "not measured"]},
                },
            },
        },
    },
}


@pytest.fixture(autouse=True)
def _memory_without_processes(monkeypatch):
    """A process per row takes seconds; one of them is run by the tests of kernel_memory."""
    monkeypatch.setattr(bench_kernels, "extra_mb", lambda case: 12.5)
    monkeypatch.delenv(PATH_VARIABLE, raising=False)


def test_tiny_maps_give_every_goal_and_path() -> None:
    threads = torch.get_num_threads()
    report = measure(TINY, paths=True)
    plain = json.loads(json.dumps(report.as_json()))
    jsonschema.validate(plain, SCHEMA)
    rows = [line for line in as_text(report).splitlines() if line.startswith("| ")]
    assert len(rows) == len(report.goals) + len(report.paths) + 2
    assert len({goal.what for goal in report.goals}) == len(report.goals)
    assert all(goal.measured is None or goal.measured >= 0 for goal in report.goals)
    assert len({row.what for row in report.paths}) == len(report.paths)
    assert PATH_VARIABLE not in os.environ
    assert torch.get_num_threads() == threads


def fixed_goals(monkeypatch, sorting: float | None) -> dict[str, Goal]:
    """Goals when every call takes 10 ms, those with mean ties and four references 15."""

    def spans(cases, repeats):
        return {
            case: 15.0 if case.ties == "mean" or case.references > 1 else 10.0 for case in cases
        }

    monkeypatch.setattr(bench_kernels, "least_ms", spans)
    monkeypatch.setattr(bench_kernels, "two_thread_gain", lambda case, repeats: 1.9)
    monkeypatch.setattr(bench_kernels, "usable_paths", lambda: ["avx512", "avx2", "portable"])
    return {goal.what: goal for goal in goals(Bench(), sorting)}


def test_ratios_are_of_figures_of_the_same_run(monkeypatch) -> None:
    rows = fixed_goals(monkeypatch, 20_000.0)
    assert len(rows) == 50
    assert rows["u8, ties first, to sorting"].measured == 2000.0
    assert rows["exact, ties mean, to ties first"].measured == 1.5
    assert rows["u8, ties mid, 71 % zeros, to ties first"].measured == 1.0
    assert rows["u8, ties first, 4 references, to one"].measured == 1.5
    assert rows["exact, ties first, AVX2 to AVX-512"].measured == 1.0
    # As many ms for a map of fewer features: so much more for each of them.
    small = rows["fast form, 16 levels, window stride 2, (128, 40, 40), per feature"]
    assert small.measured == pytest.approx(512 * 128 * 128 / (128 * 40 * 40))
    assert (small.reach, small.verdict) == (1.5, "missed")


def test_goals_are_those_that_were_set(monkeypatch) -> None:
    rows = fixed_goals(monkeypatch, 20_000.0)
    for what, reach, at_least in (
        ("u8, ties first", 60, False),
        ("exact, ties first", 150, False),
        ("u8, ties first, to sorting", 1000, True),
        ("exact, ties first, to sorting", 440, True),
        ("u8, ties mid, to ties first", 1.3, False),
        ("exact, ties mean, 71 % zeros, to ties first", 1.5, False),
        ("fast form, 8 levels, window stride 1", 35, False),
        ("fast form, 16 levels, window stride 2", 15, False),
        ("fast form, 12 levels, window stride 2", 15, False),
        ("fast form, 16 levels, window stride 2, to sorting", 4400, True),
        ("median reference, 16 levels, stride 1", 200, False),
        ("median reference, 16 levels, stride 9", 15, False),
        ("u8, ties first, 4 references, to one", 1.6, False),
        ("exact, ties first, two threads, wall clock", 1.85, True),
        ("u8, ties first, peak extra memory", 64, False),
    ):
        assert (rows[what].reach, rows[what].at_least) == (reach, at_least), what


def test_what_is_left_out_is_not_reached(monkeypatch) -> None:
    quick = fixed_goals(monkeypatch, None)
    left_out = [what for what, goal in quick.items() if goal.verdict == "not measured"]
    assert len(left_out) == 5
    assert all(what.endswith("to sorting") for what in left_out)


def test_without_avx512_its_comparison_is_not_measured(monkeypatch) -> None:
    monkeypatch.setattr(bench_kernels, "usable_paths", lambda: ["avx2", "portable"])
    rows = list(bench_kernels.path_goals(TINY))
    assert [goal.verdict for goal in rows] == ["not measured"] * 4


def test_the_text_warns_of_a_busy_machine() -> None:
    report = Report("a cpu", "2.9", "avx2", BIG, None, [Goal("u8", 60.0, 50.0)], [], (3.25, 4.0))
    text = as_text(report)
    assert "means nothing on a busy machine" in text
    assert "load average 3.2 and 4.0" in text
    assert "sort-based torch: left out" in text
    assert "| u8 | <= 60 ms | 50.00 ms | reached |" in text


def test_a_case_is_named_by_what_sets_it_apart() -> None:
    assert name(Case("u8", BIG, "mean", True, path="avx2")) == "u8, ties mean, 71 % zeros, avx2"
    assert name(Case("exact", BIG, references=4)) == "exact, ties first, 4 references"
    assert name(Case("median", BIG, stride=9)) == "median reference, 16 levels, stride 9"
    assert path_line(PathRow("u8", 41.0, 4.89, None)) == "| u8 | 41.00 | 4.89 |  |"


def test_no_calls_are_refused(monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["bench_kernels.py", "--repeats", "0"])
    with pytest.raises(SystemExit) as ended:
        bench_kernels.main()
    assert ended.value.code == 2
    assert "--repeats must be >= 1, got 0" in capsys.readouterr().err


def test_the_options_reach_the_measurement(monkeypatch, capsys) -> None:
    asked: list[tuple[Bench, bool]] = []

    def measure_nothing(bench: Bench, paths: bool) -> Report:
        asked.append((bench, paths))
        return Report("a cpu", "2.9", "avx2", BIG, None, [], [], (0.0, 0.0))

    monkeypatch.setattr(bench_kernels, "measure", measure_nothing)
    words = ["bench_kernels.py", "--quick", "--json", "--paths", "--repeats", "3"]
    monkeypatch.setattr("sys.argv", words)
    bench_kernels.main()
    assert asked == [(Bench(repeats=3, quick=True), True)]
    assert json.loads(capsys.readouterr().out)["sort_based_ms"] is None
