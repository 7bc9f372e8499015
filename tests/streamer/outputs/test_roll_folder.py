"""The roll folder: everything of a roll in one place, that says the same everywhere."""

import json
from dataclasses import replace

import numpy as np
import pytest
import zarr

from streamer.config_file import load_config
from streamer.decision import MERGED
from streamer.message import (
    Alarm,
    AlarmKind,
    Defect,
    DefectState,
    GapReason,
    Interval,
    RegionMm,
    ScoreMap,
    Severity,
)
from streamer.outputs.defect_log import read_log
from streamer.outputs.roll_folder import RollFolder
from streamer.ports import RollSummary
from streamer.repeats import Repeat
from streamer.web import Coverage, LaneCoverage, Strip, WebGeometry

GEOMETRY = WebGeometry(32, 0.5, 0.5, 60.0)
CONFIG = load_config(None, ("web.columns=72", "source.columns=72", "roll.name=r1"))
SUMMARY = RollSummary(
    roll="r1",
    camera="cam0",
    source="s",
    last_line=32,
    columns=32,
    coverage=Coverage(1024, 768).add_not_inspected(GapReason.TIMEOUT, 256),
    started_ns=0,
    ended_ns=2_000_000_000,
    latency_p50_s=0.1,
    latency_p99_s=0.5,
    defects=1,
    engine="fake:cpu",
    workers=("w", "x"),
    capture_starts=2,
    self_judged_px=256,
    model_digests=("m1", "m2"),
    profile_digests={"0": "p"},
    profile_drift={"0": 0.125},
    new_articles={"0": [16]},
    camera_health={"reconnects": 1.0},
    outcome="complete",
    truth=b'{"version": 1, "defects": []}',
)


def strip(first, value, starts=False, status="inspected"):
    scores = np.full((2, 4), value, np.float32)
    coverage = (
        LaneCoverage(0, Interval(0, 16), "inspected"),
        LaneCoverage(1, Interval(16, 32), status, "why"),
    )
    return Strip(first, 16, 8, scores, starts or first == 0, 1, coverage)


def defect(state, defect_class="unknown"):
    region = RegionMm(0.0, 8.0, 0.0, 8.0)
    return Defect(1, state, region, 2.0, 1.5, 64.0, 0, 16, 1, defect_class)


def evidence():
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    scores = np.full((2, 2), 2.0, np.float32)
    place = (0, 0, 0, 16, 0, 16, 8)
    made = ScoreMap("r1", "cam0", *place, scores, 0.0, 1.0, "p", "m", 1, 2, "w")
    return replace(made, evidence=pixels)


def alarm(sequence):
    return Alarm(
        "r1/cam0/x", sequence, AlarmKind.SYSTEM, DefectState.NEW, Severity.HIGH, "r1", "cam0",
        RegionMm(0, 1, 0, 1), 0, 1, 5, 4, 0.0, "c", "m", "failure", "silent",
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    made = RollFolder(tmp_path / "rolls" / "r1", CONFIG, GEOMETRY, 8)
    yield made
    made.close()
    made.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rolls" / "r1"


def test_a_finished_roll_is_all_there(folder, path):
    folder.add_strip(strip(0, 0.5))
    folder.add_evidence(evidence())
    folder.add_strip(strip(16, np.nan, status="timeout"))
    for state in DefectState:
        folder.add_defect(defect(state))
    folder.add_alarm(alarm(1))
    folder.finish(SUMMARY)
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["outcome"] == "complete"
    assert manifest["totals"]["lines"] == 32
    assert manifest["totals"]["coverage"]["not_inspected_px"] == {"timeout": 256}
    assert manifest["latency_ms"] == {"p50": 100.0, "p99": 500.0}
    assert manifest["workers"] == ["w", "x"]
    assert manifest["capture_starts"] == 2
    assert manifest["totals"]["coverage"]["self_judged_px"] == 256
    assert manifest["camera_health"] == {"reconnects": 1.0}
    assert (manifest["profile_drift"], manifest["new_articles"]) == ({"0": 0.125}, {"0": [16]})
    assert manifest["totals"]["coverage"]["is_exact"]
    assert manifest["throughput_mpix_s"] == pytest.approx(1024 / 2 / 1e6)
    assert manifest["model_digest"] == "m1,m2"
    assert manifest["config_digest"] == CONFIG.digest
    assert manifest["truth"] == {"version": 1, "defects": []}
    assert (path / "report.html").stat().st_size > 0
    roll_map = zarr.open_group(path / "map.zarr", mode="r")
    assert roll_map["0"].shape == (4, 4)
    timeout = roll_map["labels/coverage"].attrs["codes"]["timeout"]
    assert roll_map["labels/coverage/0"][:].tolist() == [[2] * 4] * 2 + [[2, 2] + [timeout] * 2] * 2
    assert len(list((path / "evidence").glob("*.png"))) == 2


@pytest.mark.parametrize(
    "change",
    [{"last_line": 33}, {"columns": 31}, {"coverage": Coverage(1024, 1023)}],
)
def test_only_what_covers_every_pixel_is_exact(folder, path, change):
    folder.finish(replace(SUMMARY, **change))
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["totals"]["coverage"]["is_exact"] is False


def test_the_log_holds_defect_coverage_and_alarm(folder, path):
    folder.add_strip(strip(0, 0.5, status="overload"))
    folder.add_defect(defect(DefectState.NEW))
    folder.add_alarm(alarm(1))
    folder.close()
    log = read_log(path)
    assert [d.id for d in log.defects] == [1]
    assert [(row.status, row.columns) for row in log.coverage] == [
        ("inspected", Interval(0, 16)),
        ("overload", Interval(16, 32)),
    ]
    assert log.alarm_count == 1


def test_the_log_says_which_defects_are_marks_of_a_roller(folder, path):
    folder.add_defect(defect(DefectState.END))
    folder.add_repeat(Repeat(4, DefectState.NEW, 4.0, 314.16, 4, 0, 8.0, 950.5, defects=(1, 77)))
    folder.close()
    (logged,) = read_log(path).defects
    assert (logged.repeat_id, logged.repeat_period_mm) == (4, 314.16)


def test_the_map_says_which_cells_are_a_defect_when_the_roll_has_ended(folder, path):
    folder.add_strip(strip(0, 0.5))
    scores = np.float32([[2.0, 0.7, 0.1, 0.9], [0.1, 0.7, 0.1, 0.9]])
    folder.add_strip(replace(strip(16, 0.0), scores=scores))
    region = RegionMm(8.0, 16.0, 0.0, 8.0)
    folder.add_defect(Defect(5, DefectState.END, region, 2.0, 1.5, 64.0, 16, 32, 1))
    folder.finish(SUMMARY)
    roll_map = zarr.open_group(path / "map.zarr", mode="r")
    assert roll_map["labels"].attrs["ome"]["labels"] == ["coverage", "defects"]
    assert roll_map["labels/defects/0"][2:].tolist() == [[5, 5, 0, 0], [0, 5, 0, 0]]
    assert roll_map["labels/defects"].attrs["grow_level"] == CONFIG.decision.grow_ratio


@pytest.mark.parametrize(("setting", "strips", "there"), [("on", 1, True), ("on", 0, False),
                                                          ("off", 1, False)])  # fmt: skip
def test_the_map_is_a_tiff_too_when_asked_for(tmp_path, setting, strips, there):
    config = load_config(None, ("web.columns=72", "source.columns=72", f"roll.tiff={setting}"))
    made = RollFolder(tmp_path / "r1", config, GEOMETRY, 8)
    for number in range(strips):
        made.add_strip(strip(16 * number, 0.5))
    made.finish(SUMMARY)
    assert (tmp_path / "r1" / "map.ome.tif").is_file() == there


def test_what_takes_long_comes_after_the_report_and_says_that_it_goes_on(tmp_path, path):
    config = load_config(None, ("web.columns=72", "source.columns=72", "roll.tiff=on"))
    made, seen = RollFolder(path, config, GEOMETRY, 8), []
    made.add_strip(strip(0, 2.0))
    made.add_defect(defect(DefectState.END))
    made.finish(SUMMARY, lambda: seen.append((path / "report.html").is_file()))
    assert len(seen) >= 10 + 1  # a shard of every level of labels, a row of tiles
    assert all(seen)


def test_pieces_say_which_rows_belong_to_which_lines(folder, path):
    for first, starts in ((0, True), (16, False), (100, True)):
        folder.add_strip(strip(first, 0.0, starts=starts))
    folder.close()
    pieces = [(p.first_line, p.first_row, p.line_count) for p in read_log(path).pieces]
    assert pieces == [(0, 0, 32), (100, 4, 16)]


def test_a_defect_that_went_into_another_has_no_picture_of_its_own(folder, path):
    folder.add_strip(strip(0, 0.5))
    folder.add_evidence(evidence())
    folder.add_defect(defect(DefectState.NEW))
    folder.add_defect(defect(DefectState.END, MERGED))
    folder.finish(SUMMARY)
    assert list((path / "evidence").glob("*.png")) == []


def test_the_same_verdicts_have_the_same_digests(tmp_path):
    digests = []
    for name, value in (("a", 0.5), ("b", 0.5), ("c", 0.6)):
        made = RollFolder(tmp_path / name, CONFIG, GEOMETRY, 8)
        made.add_strip(strip(0, value))
        made.add_alarm(alarm(1))
        made.finish(SUMMARY)
        digests.append(json.loads((tmp_path / name / "manifest.json").read_text())["digests"])
    assert digests[0] == digests[1]
    assert digests[0]["scores"] != digests[2]["scores"]
    assert digests[0]["coverage"] == digests[2]["coverage"]


def test_a_roll_without_a_line_is_a_roll(folder, path):
    folder.finish(replace(SUMMARY, coverage=Coverage(), last_line=0, truth=b""))
    manifest = json.loads((path / "manifest.json").read_text())
    assert (manifest["totals"]["lines"], manifest["truth"]) == (0, None)


def test_a_roll_is_never_written_over(folder, path):
    folder.finish(SUMMARY)
    with pytest.raises(OSError, match="r1"):
        RollFolder(path, CONFIG, GEOMETRY, 8)
    assert json.loads((path / "manifest.json").read_text())["roll"] == "r1"


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="must be writable"):
        RollFolder(tmp_path / "file" / "r1", CONFIG, GEOMETRY, 8)
