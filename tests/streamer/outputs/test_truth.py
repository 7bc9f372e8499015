"""Truth matching: found, missed and false alarms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.message import RegionMm
from streamer.outputs.truth import (
    TruthDefect,
    default_tolerance_mm,
    match_truth,
    parse_truth,
)
from streamer.web import WebGeometry

GEOMETRY = WebGeometry(columns=100, pixel_mm=0.5, line_mm=0.25, speed_m_min=60)
ENTRY = {
    "id": 4,
    "kind": "knot",
    "first_line": 8,
    "end_line": 16,
    "first_column": 10,
    "end_column": 20,
    "more": "ignored",
}


def truth(name, *box, kind="hole"):
    return TruthDefect(name, kind, RegionMm(*box))


def test_truth_is_read_in_millimetres():
    (found,) = parse_truth({"version": 1, "defects": [ENTRY]}, GEOMETRY, 10**9)
    assert found == TruthDefect("4", "knot", RegionMm(2.0, 4.0, 5.0, 10.0))


@pytest.mark.parametrize("version", [None, 2, "1"])
def test_another_version_is_refused(version):
    with pytest.raises(ValueError, match="truth version must be 1, got"):
        parse_truth({"version": version, "defects": []}, GEOMETRY, 10**9)


@pytest.mark.parametrize("name", ["id", "kind", "first_line", "end_column"])
def test_a_missing_field_is_named(name):
    entry = {key: value for key, value in ENTRY.items() if key != name}
    with pytest.raises(ValueError, match=f"truth must have the field '{name}'"):
        parse_truth({"version": 1, "defects": [entry]}, GEOMETRY, 10**9)


def test_found_missed_and_false_alarms():
    truths = [truth("a", 0, 10, 0, 10), truth("b", 50, 60, 0, 10, kind="scratch")]
    match = match_truth(truths, {1: RegionMm(5, 6, 5, 6), 2: RegionMm(30, 31, 5, 6)})
    assert match.hits == ((1,), ())
    assert [t.id for t in match.found] == ["a"]
    assert [t.id for t in match.missed] == ["b"]
    assert match.false_alarms == (2,)
    assert match.by_kind() == {"hole": (1, 1), "scratch": (0, 1)}


def test_one_detection_may_find_two_and_two_may_find_one():
    truths = [truth("a", 0, 10, 0, 10), truth("b", 12, 20, 0, 10)]
    match = match_truth(truths, {1: RegionMm(5, 15, 5, 6), 2: RegionMm(0, 1, 0, 1)})
    assert match.hits == ((1, 2), (1,))
    assert match.false_alarms == ()


@pytest.mark.parametrize(
    ("tolerance_mm", "found"), [(0.0, False), (0.9, False), (1.0, True), (5.0, True)]
)
@pytest.mark.parametrize("box", [(11, 12, 0, 10), (0, 10, 11, 12), (11, 12, 11, 12)])
def test_the_tolerance_counts_in_both_directions(tolerance_mm, found, box):
    match = match_truth([truth("a", 0, 10, 0, 10)], {1: RegionMm(*box)}, tolerance_mm)
    assert bool(match.found) is found


def test_the_default_tolerance_is_two_cells_of_the_coarser_direction():
    assert default_tolerance_mm(GEOMETRY, stride=8) == 8.0


def test_a_negative_tolerance_is_refused():
    with pytest.raises(ValueError, match="tolerance_mm must be >= 0, got -1"):
        match_truth([], {}, -1)


def boxes():
    sides = st.tuples(st.integers(0, 20), st.integers(1, 5))
    return st.tuples(sides, sides).map(lambda s: RegionMm(s[0][0], sum(s[0]), s[1][0], sum(s[1])))


@given(st.lists(boxes(), max_size=6), st.lists(boxes(), max_size=6), st.integers(0, 3))
def test_every_truth_and_every_detection_is_accounted_for_once(planted, found, tolerance_mm):
    truths = [
        truth(str(n), b.down_first, b.down_end, b.cross_first, b.cross_end)
        for n, b in enumerate(planted)
    ]
    match = match_truth(truths, dict(enumerate(found)), tolerance_mm)
    assert len(match.found) + len(match.missed) == len(planted)
    hit = {key for ids in match.hits for key in ids}
    assert sorted([*hit, *match.false_alarms]) == list(range(len(found)))
    assert sum(planted_count for _, planted_count in match.by_kind().values()) == len(planted)


def test_a_defect_beyond_the_last_line_was_never_on_the_roll():
    truth = {"version": 1, "defects": [ENTRY]}
    assert parse_truth(truth, GEOMETRY, ENTRY["first_line"] + 1)
    assert parse_truth(truth, GEOMETRY, ENTRY["first_line"]) == ()
