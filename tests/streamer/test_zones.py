"""Zones: factors by column, the last one listed counts, boxes that touch or lie inside."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.message import RegionMm, Severity
from streamer.web import WebGeometry
from streamer.zones import Zone, column_factors, in_units_of_zones

STRIDE = 8
WEB = WebGeometry(columns=44, pixel_mm=0.5, line_mm=0.25, speed_m_min=60)  # cells of 4 mm, last 2


def test_a_column_belongs_to_the_zone_that_holds_its_middle():
    # Middles lie at 2, 6, 10, 14, 18 and, since the last one is cut, 21 mm.
    zone = Zone("middle", 6.0, 14.0, 2.0)
    assert column_factors((zone,), WEB, STRIDE).tolist() == [1, 2, 2, 1, 1, 1]
    assert column_factors((Zone("end", 20.9, 99.0, 3.0),), WEB, STRIDE).tolist() == [1] * 5 + [3]
    assert column_factors((Zone("narrow", 6.5, 9.9, 3.0),), WEB, STRIDE).tolist() == [1] * 6


def test_where_zones_overlap_the_last_one_listed_counts():
    wide, inner = Zone("wide", 0, 16, 2.0), Zone("inner", 4, 12, 0.5)
    assert column_factors((wide, inner), WEB, STRIDE).tolist() == [2, 0.5, 0.5, 2, 1, 1]
    assert column_factors((inner, wide), WEB, STRIDE).tolist() == [2, 2, 2, 2, 1, 1]
    back = Zone("as the web", 4, 8, 1.0)
    assert column_factors((wide, back), WEB, STRIDE).tolist() == [2, 1, 2, 2, 1, 1]


def test_scores_are_divided_by_the_factor_and_nothing_stays_nothing():
    scores = np.array([[1, 1, np.nan, 3, 0, -1]], np.float32)
    found = in_units_of_zones(scores, (Zone("all", 0, 16, 2.0),), WEB, STRIDE)
    np.testing.assert_array_equal(found, np.array([[0.5, 0.5, np.nan, 1.5, 0, -1]], np.float32))
    assert found.dtype == np.float32


def test_without_other_levels_the_scores_are_not_copied():
    scores = np.ones((2, 6), np.float32)
    assert in_units_of_zones(scores, (), WEB, STRIDE) is scores
    severe = Zone("edge", 0, 4, at_least=Severity.HIGH)
    assert in_units_of_zones(scores, (severe,), WEB, STRIDE) is scores


def test_factors_cannot_be_changed_by_who_uses_them():
    with pytest.raises(ValueError, match="read-only"):
        column_factors((Zone("all", 0, 16, 2.0),), WEB, STRIDE)[0] = 5


@given(st.integers(0, 20), st.integers(1, 20), st.integers(0, 40), st.integers(0, 20))
def test_what_a_zone_holds_it_touches(first, width, cross, extent):
    zone, box = Zone("z", first, first + width), RegionMm(0, 1, cross, cross + extent)
    if extent > 0 and zone.holds(box):
        assert zone.touches(box)
    assert zone.touches(box) == (cross < first + width and first < cross + extent)


def test_a_box_beside_a_zone_neither_touches_it_nor_lies_inside():
    zone, beside = Zone("z", 10, 20), RegionMm(0, 1, 20, 25)
    assert not zone.touches(beside)
    assert not zone.holds(beside)
    assert zone.holds(RegionMm(0, 1, 10, 20))


@pytest.mark.parametrize(
    ("given_bounds", "factor", "text"),
    [
        ((4, 4), 1.0, "Zone must have 0 <= cross_first_mm < cross_end_mm"),
        ((-1, 4), 1.0, "Zone must have 0 <= cross_first_mm < cross_end_mm"),
        ((0, 4), 0.0, "Zone.alarm_factor must be > 0, got 0.0"),
    ],
)
def test_zones_that_make_no_sense_are_refused(given_bounds, factor, text):
    with pytest.raises(ValueError, match=text):
        Zone("z", *given_bounds, factor)
