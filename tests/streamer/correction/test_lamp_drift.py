import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.correction import lamp_drift
from streamer.correction.lamp_drift import (
    DARK_EVERY,
    DARK_SEGMENTS,
    DARK_SHARE,
    FIRST_SEGMENTS,
    LARGEST_FACTOR,
    LARGEST_STEP,
    DriftPlan,
    LampWatch,
    runs_of,
)

COLUMNS = 400
SIZE = 100  # lines of a segment


def watched(plan: DriftPlan, levels, columns=None) -> LampWatch:
    """After segments of these brightnesses; `columns` multiplies those of each."""
    watch = LampWatch(plan)
    for segment, level in enumerate(levels):
        watch.enter(segment * SIZE)
        shape = np.ones(COLUMNS) if columns is None else columns(segment)
        watch.add(level * shape * 3, 3)
    watch.enter(len(levels) * SIZE)
    return watch


def test_steady_light_is_left_alone():
    watch = watched(DriftPlan(SIZE, compensate=True, maintenance_share=0.1), [120.0] * 50)
    assert (watch.factor, watch.notices) == (1.0, ())
    assert watch.loss == pytest.approx(0)


def test_a_fading_lamp_is_followed_and_named():
    fading = 120 * np.linspace(1, 0.85, 300)
    watch = watched(DriftPlan(SIZE, compensate=True, maintenance_share=0.1), fading)
    assert watch.factor * fading[-1] == pytest.approx(120, rel=0.02)
    assert watch.notices == ("lamp has lost 10% of its light or more; clean or replace it",)
    assert watch.loss == pytest.approx(0.15, abs=0.015)


def test_only_watching_changes_no_gain():
    fading = 120 * np.linspace(1, 0.7, 300)
    watch = watched(DriftPlan(SIZE, maintenance_share=0.2), fading)
    assert watch.factor == 1.0
    assert len(watch.notices) == 1
    assert watched(DriftPlan(SIZE), fading).notices == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 255), min_size=1, max_size=80))
def test_the_factor_is_bounded_in_size_and_step(levels):
    plan, watch, before = DriftPlan(SIZE, compensate=True), LampWatch(DriftPlan(SIZE)), 1.0
    watch = LampWatch(plan)
    for segment, level in enumerate(levels):
        watch.enter(segment * SIZE)
        assert abs(watch.factor - before) <= LARGEST_STEP + 1e-12
        assert 1 / LARGEST_FACTOR <= watch.factor <= LARGEST_FACTOR
        before = watch.factor
        watch.add(np.full(COLUMNS, level), 1)


def test_a_metre_of_something_else_moves_nothing():
    levels = [120.0] * 40
    levels[20:23] = [30.0] * 3
    assert watched(DriftPlan(SIZE, compensate=True), levels).factor == 1.0


def test_lines_that_are_missing_are_not_waited_for():
    plan = DriftPlan(SIZE, compensate=True)
    watch = LampWatch(plan)
    watch.enter(0)
    watch.add(np.full(COLUMNS, 100.0), 1)
    watch.enter(7 * SIZE)  # six segments never came
    watch.add(np.full(COLUMNS, 100.0), 1)
    watch.enter(8 * SIZE)
    assert watch.factor == 1.0
    assert watch.loss == 0.0  # two segments are no start yet


def test_a_known_brightness_counts_from_the_first_metre():
    watch = watched(DriftPlan(SIZE, maintenance_share=0.2, web_level=120.0), [90.0])
    assert watch.loss == pytest.approx(0.25)
    assert watch.notices


def test_dust_is_named_by_its_columns_once_it_stays():
    def dusty(segment):
        shape = np.ones(COLUMNS)
        shape[200:210] = 0.6 if segment >= FIRST_SEGMENTS else 1
        return shape

    plan = DriftPlan(SIZE)
    early = watched(plan, [120.0] * (FIRST_SEGMENTS + DARK_SEGMENTS // 2 - 1), dusty)
    assert early.notices == ()
    late = watched(plan, [120.0] * (FIRST_SEGMENTS + DARK_SEGMENTS + DARK_EVERY), dusty)
    assert late.notices == ("columns 200-209 have gone dark: dust on lens, lamp or sensor?",)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_dust_is_what_the_medians_of_all_columns_say(seed):
    random = np.random.default_rng(seed)
    later = random.uniform(0.8, 0.9, (DARK_SEGMENTS, COLUMNS))  # around what counts as dark
    later[:, random.random(COLUMNS) < 0.9] = 1

    def dusty(segment):
        return later[segment % DARK_SEGMENTS] if segment >= FIRST_SEGMENTS else np.ones(COLUMNS)

    segments = FIRST_SEGMENTS + DARK_SEGMENTS + DARK_EVERY
    watch = watched(DriftPlan(SIZE), [120.0] * segments, dusty)
    dark = np.median(later, axis=0) < 1 - DARK_SHARE
    first = [f"{first}-{end - 1}" for first, end in runs_of(dark)[:1]]
    assert [notice.split()[1].rstrip(",") for notice in watch.notices] == first


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=40))
def test_the_median_is_that_of_numpy(levels):
    assert lamp_drift._median(np.array(levels)) == np.median(levels)


def test_a_wandering_edge_is_no_dust():
    def wandering(segment):
        shape = np.full(COLUMNS, 0.1)
        shape[40 + segment : COLUMNS - 40 + segment] = 1
        return shape

    assert watched(DriftPlan(SIZE), [120.0] * 30, wandering).notices == ()


def test_dust_and_a_fading_lamp_do_not_hide_each_other():
    def dusty(segment):
        shape = np.ones(COLUMNS)
        shape[200:210] = 0.7 if segment > 10 else 1
        return shape

    plan = DriftPlan(SIZE, maintenance_share=0.1)
    watch = watched(plan, 120 * np.linspace(1, 0.7, 60), dusty)
    assert [notice.split()[0] for notice in watch.notices] == ["lamp", "columns"]


@pytest.mark.parametrize(
    ("flags", "runs"),
    [([], []), ([0, 0], []), ([1], [(0, 1)]), ([1, 1, 0, 1], [(0, 2), (3, 4)])],
)
def test_runs(flags, runs):
    assert runs_of(np.array(flags, bool)) == runs


def test_a_segment_must_hold_lines():
    with pytest.raises(ValueError, match="segment_lines must be > 0, got 0"):
        DriftPlan(0)
