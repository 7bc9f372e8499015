"""Signs of blindness are found at the right moments, whatever else is read."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plc_view import WATCHDOG_S, Glimpse, PlcView, sight, standing, trusted_since


def glimpse(at_s, beat=None, valid=1, blind=0):
    if beat is None:
        return Glimpse(at_s, None)
    return Glimpse(at_s, {"heartbeat": beat, "data_valid": valid, "not_inspected_active": blind})


def beating(first_s, end_s, step_s=0.1, **fields):
    steps = round((end_s - first_s) / step_s)
    return [
        glimpse(first_s + n * step_s, round((first_s + n * step_s) * 10), **fields)
        for n in range(steps)
    ]


def test_a_line_that_beats_shows_nothing():
    seen = sight(beating(0, 5), 1.0)
    assert (seen.blind_s, seen.no_answer_s, seen.not_inspected_s) == (None, None, None)


def test_the_first_of_each_sign_counts_from_the_fault():
    seen = [*beating(0, 2), *beating(2, 3, valid=0), *beating(3, 4, valid=0, blind=1)]
    found = sight(seen, 1.5)
    assert found.data_invalid_s == pytest.approx(0.5)
    assert found.not_inspected_s == pytest.approx(1.5)
    assert found.blind_s == pytest.approx(0.5)


def test_signs_before_the_fault_do_not_count():
    seen = [*beating(0, 1, valid=0), *beating(1, 3)]
    assert sight(seen, 1.0).blind_s is None


def test_a_beat_that_stands_is_seen_after_the_watchdog():
    frozen = [glimpse(1 + n * 0.1, 9) for n in range(20)]
    found = sight([*beating(0, 1), *frozen], 1.05)
    assert found.heartbeat_stands_s == pytest.approx(0.4, abs=0.06)  # it last moved at 0.9
    assert found.blind_s == found.heartbeat_stands_s
    assert found.data_invalid_s is None


def test_no_answer_is_a_beat_that_stands():
    silent = [glimpse(1 + n * 0.1) for n in range(20)]
    found = sight([*beating(0, 1), *silent], 1.0)
    assert found.no_answer_s == pytest.approx(0.0)
    assert found.blind_s == pytest.approx(0.45, abs=0.06)  # it last moved at 0.9


@given(st.floats(0.0, 5.0), st.floats(0.02, 0.3))
def test_a_standing_beat_is_never_seen_before_the_watchdog_nor_a_poll_late(pause_s, step_s):
    before = beating(0, 1)
    last_s = before[-1].at_s
    frozen = [glimpse(last_s + step_s * n, before[-1].registers["heartbeat"]) for n in range(1, 40)]
    frozen = [g for g in frozen if g.at_s - last_s <= pause_s]
    found = list(standing([*before, *frozen]))
    assert all(at_s - last_s >= WATCHDOG_S for at_s in found)
    assert bool(found) == any(g.at_s - last_s >= WATCHDOG_S for g in frozen)


def test_trust_begins_after_the_last_sign():
    seen = [*beating(0, 1), *beating(1, 2, blind=1), *beating(2, 4)]
    assert trusted_since(seen) == pytest.approx(2.0)
    assert trusted_since(seen[:15]) is None
    assert trusted_since([]) is None


def test_a_line_that_comes_back_is_trusted_when_its_beat_moves():
    silent = [glimpse(1 + n * 0.1) for n in range(10)]
    assert trusted_since([*beating(0, 1), *silent]) is None
    assert trusted_since([*beating(0, 1), *silent, *beating(2, 3)]) == pytest.approx(2.0)


def test_a_view_polls_until_it_is_closed():
    beats = iter(range(10_000))

    def read():
        return {"heartbeat": next(beats), "data_valid": 1, "not_inspected_active": 0}

    view = PlcView(read)
    try:
        since_s = view.wait_trusted(0.1, 20)
        assert since_s <= time.monotonic() - 0.1
    finally:
        view.close()
    count = len(view.glimpses)
    time.sleep(0.1)
    assert len(view.glimpses) == count


def test_a_line_that_is_never_trusted_is_named():
    view = PlcView(lambda: None)
    try:
        with pytest.raises(TimeoutError, match="must be trusted for 1 s"):
            view.wait_trusted(1, 0.1)
    finally:
        view.close()
