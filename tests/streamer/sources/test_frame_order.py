"""Frames in the order of their counter: each once, bounded waiting, no stale frame ever."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.sources.frame_order import (
    OrderRules,
    OrderState,
    begin_anew,
    give_up_missing,
    put_in_order,
)

RULES = OrderRules()


def ordered(frames, rules=RULES):
    state, everything = OrderState(rules), []
    for frame in frames:
        state, due = put_in_order(state, frame)
        everything += due
        assert len(state.held) <= rules.max_frames
    state, due = give_up_missing(state)
    return state, [*everything, *due]


def ids(due):
    return [one.frame.frame_id for one in due]


def test_frames_in_order_pass_at_once(toy) -> None:
    state, due = ordered([toy.numbered(n) for n in range(5)])
    assert ids(due) == [0, 1, 2, 3, 4]
    assert [one.missing for one in due] == [None, 0, 0, 0, 0]
    assert [one.anew for one in due] == [True, False, False, False, False]
    assert state.counts.frames == 5


def test_the_counter_wraps(toy) -> None:
    _, due = ordered([toy.numbered(n) for n in range(65534, 65540)])
    assert [one.missing for one in due] == [None, 0, 0, 0, 0, 0]
    assert ids(due) == [65534, 65535, 0, 1, 2, 3]


def test_a_frame_that_came_too_late_by_two_is_put_back(toy) -> None:
    state, due = ordered([toy.numbered(n) for n in (0, 2, 3, 1, 4)])
    assert ids(due) == [0, 1, 2, 3, 4]
    assert state.counts.reordered_frames == 1


def test_duplicates_are_dropped_wherever_they_come(toy) -> None:
    state, due = ordered([toy.numbered(n) for n in (0, 0, 1, 3, 3, 1, 2, 0)])
    assert ids(due) == [0, 1, 2, 3]
    assert state.counts.duplicate_frames == 4


def test_what_is_missing_is_given_up_once_too_many_wait(toy) -> None:
    state, due = OrderState(OrderRules(max_frames=2)), []
    for number in (0, 2, 3, 4):
        state, more = put_in_order(state, toy.numbered(number))
        due += more
    assert ids(due) == [0, 2, 3, 4]
    assert [one.missing for one in due] == [None, 1, 0, 0]
    state, more = put_in_order(state, toy.numbered(1))
    assert more == ()
    assert state.counts.late_frames == 1


def test_what_is_missing_is_given_up_after_a_time(toy) -> None:
    state, _ = put_in_order(OrderState(OrderRules(max_ns=10)), toy.numbered(0))
    state, due = put_in_order(state, toy.numbered(2, captured_ns=100_000_000))
    assert due == ()
    state, due = put_in_order(state, toy.numbered(3, captured_ns=100_000_011))
    assert ids(due) == [2, 3]
    assert due[0].missing == 1


def test_a_stale_frame_is_never_taken_however_often_it_comes(toy) -> None:
    stale = [toy.numbered(0, captured_ns=10**9 + n) for n in range(20)]
    _, due = ordered([toy.numbered(n) for n in range(100)] + stale)
    assert ids(due) == list(range(100))


def test_a_counter_that_begins_anew_is_noticed(toy) -> None:
    rebooted = [toy.numbered(n + 100, frame_id=n) for n in range(8)]
    state, due = ordered([toy.numbered(n + 50) for n in range(40)] + rebooted)
    assert ids(due) == [*range(50, 90), 4, 5, 6, 7]
    assert due[40].anew
    assert state.counts.restarts == 1


def test_after_a_break_any_number_is_the_first(toy) -> None:
    state, _ = put_in_order(OrderState(), toy.numbered(7))
    state, due = put_in_order(begin_anew(state), toy.numbered(0))
    assert ids(due) == [0]
    assert due[0].anew


def test_without_a_counter_frames_pass_unless_they_are_stale(toy) -> None:
    frames = [toy.numbered(n, frame_id=None) for n in (0, 2, 1, 2, 3)]
    state, due = ordered(frames)
    assert [one.frame for one in due] == [frames[0], frames[1], frames[4]]
    assert all(one.missing is None for one in due)
    assert state.counts.late_frames == 2


def test_a_frame_that_lost_its_counter_is_taken_as_the_next(toy) -> None:
    frames = [toy.numbered(0), toy.numbered(1, frame_id=None), toy.numbered(2)]
    _, due = ordered(frames)
    assert [one.missing for one in due] == [None, None, 0]


def test_the_line_counter_orders_frames_too(toy) -> None:
    frames = [toy.numbered(n, frame_id=None, line_id=n * toy.LINES) for n in (0, 2, 1, 5, 5)]
    state, due = ordered(frames)
    assert [one.frame.line_id // toy.LINES for one in due] == [0, 1, 2, 5]
    assert [one.missing for one in due] == [None, 0, 0, 2 * toy.LINES]
    assert state.counts.duplicate_frames == 1


def test_the_line_counter_may_or_may_not_count_filler(toy) -> None:
    for following in (10, 16):
        frames = [
            toy.numbered(0, 10, frame_id=None, line_id=0),
            toy.numbered(1, frame_id=None, line_id=following),
        ]
        state, due = put_in_order(put_in_order(OrderState(), frames[0])[0], frames[1])
        assert [one.missing for one in due] == [following - 10]
        assert state.held == ()


@settings(max_examples=200, deadline=None)
@given(
    start=st.integers(0, 65535),
    lost=st.sets(st.integers(1, 39), max_size=10),
    swaps=st.lists(st.integers(0, 37), max_size=8, unique=True),
    copies=st.lists(st.integers(0, 39), max_size=8),
)
def test_each_frame_once_and_in_order_whatever_happens(toy, start, lost, swaps, copies) -> None:
    sent = [n for n in range(40) if n not in lost]
    for place in swaps:
        if place + 1 < len(sent):
            sent[place], sent[place + 1] = sent[place + 1], sent[place]
    for n in copies:
        if n in sent:
            sent.insert(sent.index(n) + 1, n)
    first = sent[0]
    _, due = ordered([toy.numbered(start + n) for n in sent], OrderRules(max_frames=12))

    numbers = [one.frame.captured_ns // toy.NS_PER_LINE // toy.LINES - 1 - start for one in due]
    assert numbers == [n for n in range(first, 40) if n not in lost and n in numbers]
    missing = sum(one.missing or 0 for one in due)
    assert missing + len(due) == numbers[-1] - first + 1
