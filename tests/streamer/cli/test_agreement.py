"""Agreement of two forms: every figure on cases that can be counted by hand."""

from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.cli.agreement import Agreement, Judgement, Tolerance, compare, departures, worst
from streamer.cli.image_report import FoundRegion
from streamer.message import Interval, RegionMm

LIMITS = Tolerance(feature_mean=0.1, score_max=0.2, score_mean=0.1, flipped=0.25, peak=1.5)


def region(lines, columns, peak):
    box = RegionMm(0.0, 1.0, 0.0, 1.0)
    return FoundRegion(Interval(*lines), Interval(*columns), box, peak, peak, 1.0)


def judged(scores, regions=(), features=None):
    scores = np.asarray(scores, np.float32)
    if features is None:
        features = np.ones((2, *scores.shape), np.float32)
    return Judgement(np.asarray(features, np.float32), scores, scores / 2, tuple(regions))


REFERENCE = judged([[0, 2], [4, 1]], [region((8, 16), (0, 16), 2.0)])


def test_a_form_agrees_with_itself():
    found = compare(REFERENCE, REFERENCE)
    assert found == Agreement(regions=1)
    assert departures(found, Tolerance(0, 0, 0, 0, 0)) == []


def test_scores_are_relative_to_the_maximum_of_the_reference():
    found = compare(REFERENCE, judged([[0, 2], [3, 1]], REFERENCE.regions))
    assert found.score_max == pytest.approx(1 / 4)
    assert found.score_mean == pytest.approx(1 / 16)


def test_features_are_relative_to_the_largest_of_the_reference():
    reference = judged([[1, 1]], features=[[[0, 5]], [[1, 1]]])
    found = compare(reference, judged([[1, 1]], features=[[[1, 5]], [[1, 0]]]))
    assert found.feature_max == pytest.approx(1 / 5)
    assert found.feature_mean == pytest.approx(2 / 4 / 5)


def test_flipped_cells_are_above_the_level_in_one_map_only():
    """Levels are half the scores here: 2 is at the level, which counts as above it."""
    found = compare(REFERENCE, judged([[0, 1.9], [4, 2.1]], REFERENCE.regions))
    assert found.flipped == 0.5
    assert compare(REFERENCE, judged([[1.9, 2], [40, 1]], REFERENCE.regions)).flipped == 0


def test_regions_without_an_overlap_are_lost_or_new():
    moved = region((12, 24), (8, 32), 1.2)  # shares a corner with the reference's
    assert compare(REFERENCE, replace(REFERENCE, regions=(moved,))).lost == 0
    apart = region((16, 24), (0, 16), 1.2)  # begins where the reference's ends
    found = compare(REFERENCE, replace(REFERENCE, regions=(apart,)))
    assert (found.regions, found.lost, found.new) == (1, 1, 1)
    assert (found.lost_peak, found.new_peak) == (2.0, 1.2)


def test_a_map_of_zeros_is_no_division_by_zero():
    zeros = judged([[0, 0]])
    assert compare(zeros, judged([[0, 0.5]])).score_max == 0.5


def test_scores_of_other_channels_are_compared_after_the_factor_that_fits_best():
    half = replace(REFERENCE, scores=REFERENCE.scores / 2)
    found = compare(REFERENCE, half, own_scale=True)
    assert found.gain == pytest.approx(2)
    assert found.score_max == pytest.approx(0, abs=1e-7)
    assert compare(REFERENCE, half).score_max == pytest.approx(1 / 2)
    zeros = judged([[0, 0], [0, 0]])
    assert compare(REFERENCE, zeros, own_scale=True).gain == 1


def test_no_other_factor_fits_better():
    rng = np.random.default_rng(3)
    a, b = judged(rng.random((5, 6))), judged(rng.random((5, 6)))
    gain = compare(a, b, own_scale=True).gain
    errors = [np.square(a.scores - f * gain * b.scores).sum() for f in (0.99, 1.0, 1.01)]
    assert errors[1] < min(errors[0], errors[2])


def test_the_worst_of_several_images():
    first = Agreement(0.1, 0.01, 0.3, 0.02, 0.0, 3, 1, 0, 1.1, 0.0)
    second = Agreement(0.2, 0.0, 0.1, 0.03, 0.5, 4, 1, 2, 1.4, 1.2)
    assert worst([first, second]) == Agreement(0.2, 0.01, 0.3, 0.03, 0.5, 7, 2, 2, 1.4, 1.2)
    assert worst([first]) == first


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("feature_mean", 0.11, "mean difference of features must be <= 0.1, got 0.11"),
        ("score_max", 0.3, "largest difference of scores must be <= 0.2, got 0.3"),
        ("score_mean", 0.2, "mean difference of scores must be <= 0.1, got 0.2"),
        ("flipped", 0.5, "share of flipped cells must be <= 0.25, got 0.5"),
        ("lost_peak", 1.6, "peak of a lost region must be <= 1.5, got 1.6"),
        ("new_peak", 2.0, "peak of a new region must be <= 1.5, got 2"),
        ("score_max", float("nan"), "largest difference of scores must be <= 0.2, got nan"),
    ],
)
def test_each_departure_is_named_with_its_limit(key, value, shown):
    assert departures(replace(Agreement(), **{key: value}), LIMITS) == [shown]


def test_a_region_near_the_level_may_go_either_way():
    found = replace(Agreement(), regions=4, lost=1, new=1, lost_peak=1.4, new_peak=1.4)
    assert departures(found, LIMITS) == []


@given(st.lists(st.integers(0, 10), min_size=4, max_size=4), st.integers(0, 10))
def test_figures_are_symmetric_where_they_count_and_never_negative(scores, shift):
    a, b = judged([scores]), judged([[value + shift for value in scores]])
    there, back = compare(a, b), compare(b, a)
    assert there.flipped == back.flipped
    assert all(value >= 0 for value in astuple(there))
    assert there.score_max == pytest.approx(shift / (max(scores) or 1.0), rel=1e-4, abs=1e-5)


def test_two_departures_have_the_sum_of_their_tolerances():
    both = LIMITS + Tolerance(0.0, 0.5, 0.1, 0.05, 2.0)
    assert both.score_max == pytest.approx(0.7)
    assert both.peak == pytest.approx(2.5)
