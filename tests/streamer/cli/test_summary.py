"""The summary: what a person reads at the end of a run."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from streamer.cli import summary as module
from streamer.cli.summary import match_manifest, print_summary, summary_rows
from streamer.compose.line import RunResult, read_manifest
from streamer.config_file import load_config
from streamer.message import Defect, DefectState, GapReason, Interval
from streamer.outputs.roll_folder import RollFolder
from streamer.ports import RollSummary
from streamer.web import Coverage, LaneCoverage, Strip, WebGeometry

GEOMETRY = WebGeometry(64, 0.5, 0.5, 60.0)
CONFIG = load_config(None, ("web.columns=72", "source.columns=72", "roll.name=r1"))


def planted(ident, first):
    return {
        "id": ident, "kind": "hole", "first_line": first, "end_line": first + 8,
        "first_column": 8, "end_column": 16,
    }  # fmt: skip


@pytest.fixture
def result(tmp_path):
    """A finished roll of 128 lines with a defect at line 0, and a gap; `truth` is planted."""

    def make(truth=(), outcome="complete", own_px=0):
        folder = RollFolder(tmp_path / "r1", CONFIG, GEOMETRY, 8)
        for first in (0, 64):
            whole = (LaneCoverage(0, Interval(0, 64), "inspected"),)
            folder.add_strip(
                Strip(first, 64, 8, np.zeros((8, 8), np.float32), first == 0, 1, whole)
            )
        lines, columns = Interval(0, 8), Interval(8, 16)
        region = GEOMETRY.region(lines, columns)
        for state in (DefectState.NEW, DefectState.END):
            folder.add_defect(Defect(1, state, region, 3.0, 2.0, 16.0, 0, 8, 1))
        coverage = Coverage(8192, 6144).add_not_inspected(GapReason.TIMEOUT, 2048)
        given = json.dumps({"version": 1, "defects": list(truth)}).encode() if truth else b""
        folder.finish(
            RollSummary(
                roll="r1", camera="cam0", source="s", last_line=128, columns=64,
                coverage=coverage, started_ns=0, ended_ns=2_000_000_000, latency_p50_s=0.1,
                latency_p99_s=0.5, defects=1, engine="fake:cpu", workers=("w",),
                capture_starts=1, self_judged_px=own_px,
                model_digests=("m",), profile_digests={"0": "p"}, outcome=outcome, truth=given,
            )
        )  # fmt: skip
        return RunResult(tmp_path / "r1", 5, read_manifest(tmp_path / "r1"), (), {})

    return make


def test_masked_area_is_shown_where_there_is_any(result):
    made = result()
    assert "masked" not in dict(summary_rows(made, CONFIG))
    coverage = made.manifest["totals"]["coverage"]
    coverage |= {"masked_px": 2048, "masked_m2": 0.25}
    assert dict(summary_rows(made, CONFIG))["masked"] == "0.25 m2, 25.0 % of what was captured"


def test_the_figures_of_a_roll(result):
    rows = dict(summary_rows(result(), CONFIG))
    assert rows["outcome"] == "complete"
    assert rows["inspected"].startswith("0.06 m")
    assert rows["not inspected"] == "25.000 % (timeout 2048 px)"
    assert rows["defects"] == "1"
    assert rows["latency"] == "p50 100 ms, p99 500 ms = 500 mm of web at 60 m/min"
    assert rows["throughput"] == "0.00 Mpix/s = 1.9 m/min of this web"
    assert rows["report"].endswith("r1/report.html")
    assert "planted found" not in rows


def test_planted_defects_are_found_missed_or_false(result):
    rows = dict(summary_rows(result([planted("a", 0), planted("b", 100)]), CONFIG))
    assert rows["planted found"] == "1 of 2 (hole 1/2)"
    assert rows["planted missed"] == "hole at 0.05 m"
    assert rows["false alarms"] == "0"


def test_a_detection_far_from_everything_planted_is_a_false_alarm(result):
    made = result([planted("b", 100)])
    assert match_manifest(made, CONFIG).false_alarms == (1,)
    assert dict(summary_rows(made, CONFIG))["false alarms"] == "1"


def test_boxes_may_miss_by_two_cells_of_the_grid(result):
    made = result([planted("near", 24), planted("far", 25)])
    assert [truth.id for truth in match_manifest(made, CONFIG).found] == ["near"]


def test_what_was_judged_by_itself_is_shown_where_a_profile_was_to_be_made(result):
    made = result(own_px=40_000)
    assert dict(summary_rows(made, CONFIG))["judged by itself"] == (
        "0.01 m2, before the profile was made"
    )
    alone = load_config(None, ("web.columns=72", "source.columns=72", "profile.mode=per_tile"))
    assert "judged by itself" not in dict(summary_rows(made, alone))


def test_a_new_article_is_a_row(result):
    made = result()
    assert "new article" not in dict(summary_rows(made, CONFIG))
    made.manifest["new_articles"] = {"0": [64], "1": [64, 96]}
    rows = dict(summary_rows(made, CONFIG))
    metres = [GEOMETRY.metres(line) for line in (64, 96)]
    assert rows["new article"] == (
        f"lane 0 from {metres[0]:.2f} m, lane 1 from {metres[0]:.2f} m, "
        f"lane 1 from {metres[1]:.2f} m"
    )


def test_nothing_judged_by_itself_is_no_row(result):
    assert "judged by itself" not in dict(summary_rows(result(), CONFIG))


def test_coverage_that_does_not_add_up_is_shouted(result):
    made = result()
    made.manifest["totals"]["coverage"]["is_exact"] = False
    assert "DOES NOT ADD UP" in dict(summary_rows(made, CONFIG))["not inspected"]


def test_text_that_looks_like_markup_is_printed_as_it_is(result, monkeypatch):
    screen = io.StringIO()
    made = Console(file=screen, width=200, highlight=False, markup=False)
    monkeypatch.setattr(module, "AnswerConsole", lambda **_: made)
    print_summary(result(outcome="OSError: [/dev/video0] is [red]busy"), CONFIG)
    assert "OSError: [/dev/video0] is [red]busy" in screen.getvalue()


def test_a_run_without_a_manifest_points_at_the_logs(tmp_path, capsys):
    print_summary(RunResult(tmp_path, 1, {}, (), {}), CONFIG)
    assert "no manifest was written" in capsys.readouterr().out
