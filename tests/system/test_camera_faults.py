"""Faults before the camera, in real processes: the roll's ledger says what the truth says."""

import json
import sqlite3

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

BLOCK = 64
MANY = [
    {"kind": "counter_start", "frame_id": 65_530, "line_id": 65_000, "encoder": 4_294_965_000},
    {"kind": "lost_frames", "at_m": 0.3, "frames": 2},
    {"kind": "partial_frame", "at_m": 0.6, "valid_share": 0.5},
    {"kind": "duplicate", "at_m": 0.7, "frames_later": 1},
    {"kind": "reorder", "at_m": 0.8, "frames_later": 2},
    {"kind": "reverse", "at_m": 1.0, "back_m": 0.3},
    {"kind": "camera_loss", "at_m": 1.3, "length_m": 0.1},
]
FAST = [{"kind": "overspeed", "at_m": 0.5, "length_m": 0.2, "factor": 2.0}]
STILL = [{"kind": "encoder_stop", "at_m": 0.5, "lines": 640}, {"kind": "stop", "at_m": 0.9}]


def start(start_line, faults, **changes):
    return start_line(
        source__faults=json.dumps(faults),
        source__length_m=2.0,
        source__block_lines=BLOCK,
        source__line_camera=json.dumps({"stamps": "lines"}),
        **changes,
    )


def lost_lines(line):
    """(first, end, reason) of the web that was not inspected, in the defect log."""
    log = sqlite3.connect(line.folder / "defects.sqlite")
    rows = log.execute(
        "SELECT first_line, end_line, status FROM coverage"
        " WHERE status NOT IN ('inspected', 'masked') ORDER BY first_line"
    ).fetchall()
    log.close()
    return rows


def truth_of(manifest):
    return [
        (first, end, fault["reason"])
        for fault in manifest["truth"]["faults"]
        for first, end in fault["lost"]
    ]


def finished(line):
    code, _, err = line.finish()
    assert code in (0, 5), err + line.log()  # 5: more was lost than the limit allows
    manifest = line.manifest()
    coverage = manifest["totals"]["coverage"]
    assert coverage["is_exact"]
    assert coverage["captured_px"] == manifest["totals"]["lines"] * manifest["web"]["columns"]
    assert line.leftovers() == []
    return manifest


def test_what_the_camera_loses_is_lost_and_nothing_else(start_line):
    line = start(start_line, MANY)
    manifest = finished(line)
    assert manifest["totals"]["lines"] == 4000
    assert lost_lines(line) == sorted(truth_of(manifest))


def test_lines_that_were_never_exposed_are_overspeed(start_line):
    line = start(start_line, FAST)
    manifest = finished(line)
    lost = manifest["totals"]["coverage"]["not_inspected_px"]
    assert set(lost) <= {"overspeed", "too_short"}
    assert lost["overspeed"] >= 190 * manifest["web"]["columns"]


def test_a_web_that_stands_still_costs_nothing(start_line):
    line = start(start_line, STILL)
    manifest = finished(line)
    assert manifest["totals"]["lines"] == 4000
    assert manifest["totals"]["coverage"]["not_inspected_percent"] == 0


def test_the_same_script_twice_gives_the_same_roll(start_line):
    digests = []
    for name in ("one", "two"):
        line = start(start_line, MANY, roll__name=name)
        digests.append(finished(line)["digests"])
    assert digests[0] == digests[1]
