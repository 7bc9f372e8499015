"""Marks of a roller are found among other defects, and nothing else is called one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.decision import MERGED
from streamer.message import Defect, DefectState, RegionMm
from streamer.repeats import (
    MOST_REMEMBERED,
    RepeatSettings,
    RepeatState,
    find_repeats,
    finish_repeats,
)

NEW, UPDATE, END = DefectState
SETTINGS = RepeatSettings()


def mark(number, down_mm, cross_mm=200.0, peak=2.0, length_mm=6.0):
    box = RegionMm(down_mm - length_mm / 2, down_mm + length_mm / 2, cross_mm - 2, cross_mm + 2)
    return Defect(number, END, box, peak, 1.0, 24.0, int(down_mm), int(down_mm) + 6, 1)


def told(defects, rules=SETTINGS, state=None, step_mm=100.0):
    """Everything that is announced when the web is decided in strips of `step_mm`."""
    state, news = state or RepeatState(), []
    waiting = sorted(defects, key=lambda defect: defect.region.down_end)
    reached = 0.0
    end = max((defect.region.down_end for defect in waiting), default=0.0) + step_mm
    while reached <= end:
        now = [d for d in waiting if d.region.down_end <= reached + step_mm]
        waiting = waiting[len(now) :]
        state, more = find_repeats(state, now, reached, rules)
        news += more
        reached += step_mm
    return state, news


def train(count, period_mm, first_mm=1000.0, cross_mm=200.0, first_id=1):
    return [mark(first_id + n, first_mm + n * period_mm, cross_mm) for n in range(count)]


def test_the_fourth_of_equal_marks_makes_a_repeat_with_its_period():
    _, (new,) = told(train(4, 628.3))
    assert (new.state, new.count, new.missed) == (NEW, 4, 0)
    assert new.period_mm == pytest.approx(628.3)
    assert (new.first_mm, new.last_mm) == (1000.0, pytest.approx(1000 + 3 * 628.3))
    assert sorted(new.defects) == [1, 2, 3, 4]


def test_three_are_none():
    assert told(train(3, 628.3))[1] == []


@settings(max_examples=60, deadline=None)
@given(
    st.floats(60, 3000),
    st.floats(0, 2.0),
    st.integers(0, 2**32 - 1),
)
def test_the_period_is_found_however_long_the_marks_shake_a_little(period_mm, shake_mm, seed):
    random = np.random.default_rng(seed)
    shaken = [mark(n, 500 + n * period_mm + random.uniform(-shake_mm, shake_mm)) for n in range(8)]
    state, news = told(shaken)
    last = (*news, *finish_repeats(state))[-1]
    assert last.count == 8
    assert last.period_mm == pytest.approx(period_mm, abs=2 * shake_mm / 3 + 0.01)


def test_the_longest_period_is_found_in_strips_as_short_as_a_row():
    pitch_mm = SETTINGS.max_period_mm - 1
    marks = [mark(n, 1000 + n * pitch_mm, length_mm=45.0) for n in (0, 2, 3, 4)]
    _, news = told(marks, step_mm=1.6)
    assert (news[0].count, news[0].missed) == (4, 1)


def test_one_missing_mark_is_counted_as_missed():
    marks = train(7, 300.0)
    _, news = told(marks[:2] + marks[3:])
    assert news[0].missed == 1
    assert news[0].period_mm == pytest.approx(300.0)


def test_other_defects_between_the_marks_do_not_disturb_it():
    others = [
        mark(100 + n, 1033.0 + 171.0 * n**1.3, cross_mm=200.0 + 40 * (n % 5 + 1)) for n in range(20)
    ]
    _, news = told(train(6, 400.0) + others + [mark(300, 1777.0)])
    assert {repeat.id for repeat in news} == {1}
    assert news[0].period_mm == pytest.approx(400.0)


@pytest.mark.parametrize("seed", range(5))
def test_where_other_defects_are_dense_more_marks_tell(seed):
    random = np.random.default_rng(seed)
    downs = random.uniform(1000, 1000 + 30 * 400.0, 20)  # at the very place of the mark
    others = [mark(100 + n, down, 200.0) for n, down in enumerate(downs)]
    state, news = told(train(30, 400.0) + others)
    assert {repeat.id for repeat in news} == {1}
    assert news[0].count >= 4
    assert news[0].period_mm == pytest.approx(400.0, abs=1)
    assert (*news, *finish_repeats(state))[-1].count >= 30


def test_two_rollers_at_two_places_are_two_repeats():
    _, news = told(train(5, 400.0) + train(5, 523.0, cross_mm=90.0, first_id=50))
    found = {(repeat.id, round(repeat.period_mm)) for repeat in news if repeat.state is NEW}
    assert {period for _, period in found} == {400, 523}
    assert len(found) == 2


def test_marks_at_other_cross_web_places_are_none():
    scattered = [mark(n, 1000 + 400.0 * n, cross_mm=20.0 * n) for n in range(8)]
    assert told(scattered)[1] == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_defects_at_random_are_hardly_ever_called_a_repeat(seed):
    random = np.random.default_rng(seed)
    places = zip(random.uniform(0, 100_000, 60), random.uniform(0, 500, 60), strict=True)
    found = [mark(n, down + 5, cross + 5) for n, (down, cross) in enumerate(places)]
    assert told(found)[1] == []


def test_a_repeat_is_told_again_every_metre_and_ends_when_its_marks_stay_away():
    late = [mark(900, 30_000.0, cross_mm=20.0)]
    _, news = told(train(20, 300.0) + late)
    assert [repeat.state for repeat in news] == [NEW, *[UPDATE] * 4, END]
    ways = np.diff([repeat.last_mm for repeat in news[:-1]])
    assert all(way >= SETTINGS.reannounce_mm for way in ways)
    assert news[-1].count == 20
    every = [number for repeat in news for number in repeat.defects]
    assert sorted(every) == list(range(1, 21))


def test_the_end_of_the_roll_ends_it():
    state, news = told(train(5, 300.0))
    (ended,) = finish_repeats(state)
    assert (news[-1].id, ended.id, ended.state) == (1, 1, END)
    assert ended.count == 5


def test_merged_and_long_defects_do_not_count():
    merged = [replace(one, defect_class=MERGED) for one in train(6, 300.0)]
    assert told(merged)[1] == []
    long = [mark(n, 1000 + 300.0 * n, length_mm=60.0) for n in range(6)]
    assert told(long)[1] == []


def test_only_ended_defects_count():
    state, news = find_repeats(
        RepeatState(), [replace(one, state=NEW) for one in train(6, 300.0)], 5000.0, SETTINGS
    )
    assert news == ()
    assert len(state.single) == 0


def test_memory_is_bounded_however_many_defects_come():
    random = np.random.default_rng(1)
    state = RepeatState()
    for step in range(60):
        flood = [
            mark(step * 300 + n, step * 100 + random.uniform(0, 100), random.uniform(0, 1e4))
            for n in range(300)
        ]
        state, _ = find_repeats(state, flood, step * 100.0, SETTINGS)
    assert len(state.single) <= MOST_REMEMBERED


def test_the_given_state_is_left_alone():
    state, _ = told(train(3, 300.0))
    before = state.single.copy()
    find_repeats(state, [mark(4, 1900.0)], 1900.0, SETTINGS)
    assert np.array_equal(state.single, before)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"min_count": 2}, "min_count must be >= 3"),
        ({"max_missed": -1}, "max_missed must be >= 0"),
        ({"tolerance_down_mm": 0.0}, "tolerances must be > 0 mm"),
        ({"min_period_mm": 10.0}, "periods must have 4"),
        ({"max_period_mm": 20.0}, "periods must have 4"),
    ],
)
def test_settings_refuse_what_makes_no_sense(changes, text):
    with pytest.raises(ValueError, match=text):
        RepeatSettings(**changes)
