"""Codes of what became of a cell: a gap is never hidden by what lies beside it."""

import numpy as np

from streamer.message import GapReason, Interval
from streamer.outputs.roll_map_coverage import COVERAGE_CODES, coverage_of, coverage_of_scores
from streamer.web import LaneCoverage, Strip


def strip(*parts, columns=6):
    scores = np.zeros((2, columns), np.float32)
    coverage = tuple(LaneCoverage(0, Interval(*ends), status) for *ends, status in parts)
    return Strip(0, 16, 8, scores, True, 1, coverage)


def test_every_status_has_a_code_of_its_own():
    assert len(set(COVERAGE_CODES.values())) == len(COVERAGE_CODES) == 3 + len(GapReason)
    assert {reason.value for reason in GapReason} < set(COVERAGE_CODES)
    assert max(COVERAGE_CODES.values()) < 256


def test_codes_that_are_in_files_stay_what_they_are():
    first = ["unwritten", "masked", "inspected", "camera_loss", "partial_frame", "overload"]
    assert list(COVERAGE_CODES)[:6] == first
    assert (COVERAGE_CODES["too_short"], COVERAGE_CODES["timeout"]) == (12, 7)


def test_a_strip_is_coded_by_column():
    found = coverage_of(strip((0, 8, "masked"), (8, 32, "inspected"), (32, 48, "timeout")))
    assert found.dtype == np.uint8
    assert found.tolist() == [[1, 2, 2, 2, 7, 7]] * 2


def test_a_cell_of_two_kinds_counts_as_the_graver():
    found = coverage_of(strip((0, 12, "masked"), (12, 20, "inspected"), (20, 48, "overload")))
    assert found[0].tolist() == [1, 2, 5, 5, 5, 5]


def test_what_nobody_speaks_of_is_not_written():
    assert coverage_of(strip((0, 8, "inspected")))[0].tolist() == [2, 0, 0, 0, 0, 0]


def test_scores_alone_say_what_was_inspected():
    assert coverage_of_scores(np.float32([[0.0, np.nan]])).tolist() == [[2, 0]]
