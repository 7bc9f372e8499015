"""Severity: the worst of peak, area and length, then the class, then the place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.message import Defect, DefectState, RegionMm, Severity
from streamer.severity import ASCENDING, SeverityRules, length_mm, severity_of
from streamer.zones import Zone

LOW, MEDIUM, HIGH = Severity.LOW, Severity.MEDIUM, Severity.HIGH
BY_SIZE = SeverityRules(
    high_area_mm2=100, medium_area_mm2=10, high_length_mm=50, medium_length_mm=20
)


def defect(peak=1.0, area=1.0, box=(0, 1, 40, 41), defect_class="unknown"):
    region = RegionMm(*box)
    return Defect(1, DefectState.NEW, region, peak, peak, area, 0, 8, 0, defect_class)


@pytest.mark.parametrize(
    ("peak", "severity"), [(1.0, LOW), (1.5, MEDIUM), (2.49, MEDIUM), (2.5, HIGH)]
)
def test_by_default_the_peak_counts_alone(peak, severity):
    assert severity_of(defect(peak)) is severity
    assert severity_of(defect(peak, area=1e9, box=(0, 1e6, 0, 1e6))) is severity


@pytest.mark.parametrize(
    ("found", "severity"),
    [
        (defect(area=9.9), LOW),
        (defect(area=10), MEDIUM),
        (defect(area=100), HIGH),
        (defect(box=(0, 20, 0, 1)), MEDIUM),
        (defect(box=(0, 1, 10, 60)), HIGH),
        (defect(peak=1.6, area=100), HIGH),
        (defect(peak=3.0, area=1), HIGH),
    ],
)
def test_the_worst_figure_counts(found, severity):
    assert severity_of(found, BY_SIZE) is severity


def test_a_figure_without_steps_does_not_count():
    rules = SeverityRules(high_peak=None, medium_peak=None, medium_area_mm2=10)
    assert severity_of(defect(peak=99, area=5), rules) is LOW
    assert severity_of(defect(peak=99, area=10), rules) is MEDIUM


def test_a_class_has_its_own_severity():
    rules = SeverityRules(classes=(("hole", HIGH), ("lint", LOW)))
    assert severity_of(defect(1.0, defect_class="hole"), rules) is HIGH
    assert severity_of(defect(9.0, defect_class="lint"), rules) is LOW
    assert severity_of(defect(9.0, defect_class="stain"), rules) is HIGH


def test_a_zone_raises_what_touches_it_and_caps_what_lies_inside():
    rules = SeverityRules(
        zones=(Zone("edge", 0, 30, at_most=LOW), Zone("print", 100, 200, at_least=MEDIUM))
    )
    assert severity_of(defect(9.0, box=(0, 1, 10, 30)), rules) is LOW
    assert severity_of(defect(9.0, box=(0, 1, 10, 31)), rules) is HIGH
    assert severity_of(defect(1.0, box=(0, 1, 90, 101)), rules) is MEDIUM
    assert severity_of(defect(9.0, box=(0, 1, 90, 101)), rules) is HIGH


def test_where_zones_disagree_the_raise_counts():
    zones = (Zone("print", 0, 20, at_least=HIGH), Zone("edge", 0, 30, at_most=LOW))
    found = defect(1.0, box=(0, 1, 10, 12))
    assert severity_of(found, SeverityRules(zones=zones)) is HIGH
    assert severity_of(found, SeverityRules(zones=zones[::-1])) is HIGH


@given(st.floats(0, 200), st.floats(0, 200), st.floats(1, 5), st.floats(1, 5))
def test_growth_never_lowers_the_severity(area, more, peak, higher):
    small = defect(min(peak, higher), area)
    large = defect(max(peak, higher), area + more)
    ranks = [ASCENDING.index(severity_of(d, BY_SIZE)) for d in (small, large)]
    assert ranks == sorted(ranks)


def test_length_is_the_longer_extent():
    assert length_mm(RegionMm(5, 15, 0, 3)) == 10
    assert length_mm(RegionMm(5, 6, 0, 3)) == 3


@pytest.mark.parametrize("name", ["peak", "area_mm2", "length_mm"])
def test_steps_that_descend_are_refused(name):
    text = rf"medium_{name} must be <= high_{name}, got \(4.0, 3.0\)"
    with pytest.raises(ValueError, match=text):
        SeverityRules(**{f"medium_{name}": 4.0, f"high_{name}": 3.0})
