"""Credits, lanes, attempts and overload: who gets which tile, and what becomes a gap."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.dispatch import Dispatcher, DispatchSettings
from streamer.message import GapReason, Halo, ProfileState, Tile, TileAddress
from streamer.protocol import Credit

MS = 1_000_000
PIXELS = np.zeros((8, 8), np.uint8)


def tile(sequence, lane=0):
    return Tile("r", "c", lane, sequence, sequence * 8, 8, lane * 8, 8, Halo(), PIXELS, 0, "d")


def dispatcher(**fields):
    fields = {
        "overload": "block",
        "capacity": 4,
        "max_attempts": 2,
        "worker_timeout_ms": 100,
        "verdict_timeout_ms": 1000,
        **fields,
    }
    return Dispatcher(DispatchSettings(**fields))


def ask(d, worker, tiles=1, now_ns=0, held=(), busy_until_ns=0):
    d.credit(Credit(worker, tiles, tuple(held), busy_until_ns), now_ns)


def sent(d, now_ns=0):
    return [
        (s.worker, s.content.lane, s.content.sequence)
        for s in d.sendings(now_ns)
        if isinstance(s.content, Tile)
    ]


def test_nothing_is_sent_without_credit():
    d = dispatcher()
    d.add_row([tile(0)])
    assert sent(d) == []
    ask(d, "a", tiles=0)
    assert sent(d) == []
    ask(d, "a", tiles=1)
    assert sent(d) == [("a", 0, 0)]
    assert sent(d) == []


def test_a_lane_goes_to_one_worker_in_order():
    d = dispatcher(capacity=99)
    for n in range(4):
        d.add_row([tile(n, 0), tile(n, 1)])
    ask(d, "a", 10)
    ask(d, "b", 10)
    per_worker = {}
    for worker, lane, sequence in sent(d):
        per_worker.setdefault((worker, lane), []).append(sequence)
    assert sorted(per_worker.values()) == [[0, 1, 2, 3]] * 2
    assert {lane for _, lane in per_worker} == {0, 1}
    assert {worker for worker, _ in per_worker} == {"a", "b"}


def test_a_tile_is_kept_until_its_verdict_is_stored():
    d = dispatcher(capacity=1)
    d.add_row([tile(0)])
    ask(d, "a")
    sent(d)
    assert d.is_full
    d.settle([TileAddress("c", 0, 0), TileAddress("c", 0, 99)])
    assert d.waiting == 0
    assert not d.is_full


def test_a_silent_worker_loses_its_tiles_to_another_in_order():
    d = dispatcher()
    d.add_row([tile(0)])
    d.add_row([tile(1)])
    ask(d, "a", 2)
    assert len(sent(d)) == 2
    assert d.expire(99 * MS) == ()
    assert d.expire(101 * MS) == ()
    ask(d, "b", 2, now_ns=102 * MS)
    assert sent(d, 102 * MS) == [("b", 0, 0), ("b", 0, 1)]
    assert d.workers == ("b",)


def test_an_announced_long_call_is_not_silence():
    d = dispatcher()
    ask(d, "a", busy_until_ns=500 * MS)
    d.expire(550 * MS)
    assert d.workers == ("a",)
    d.expire(601 * MS)
    assert d.workers == ()


def test_a_tile_that_kills_its_workers_becomes_a_gap_and_its_neighbour_does_not():
    d = dispatcher()
    d.add_row([tile(0)])
    d.add_row([tile(1)])
    gaps = []
    for n, name in enumerate(("a", "b")):
        now_ns = n * 1000 * MS
        ask(d, name, 2, now_ns)
        sent(d, now_ns)
        ask(d, name, 0, now_ns, held=[TileAddress("c", 0, 0), TileAddress("c", 0, 1)])
        gaps += d.expire(now_ns + 101 * MS)
    assert [(g.first_sequence, g.reason) for g in gaps] == [(0, GapReason.WORKER_LOST)]
    ask(d, "e", 2, 5000 * MS)
    assert sent(d, 5000 * MS) == [("e", 0, 1)]


def test_a_reported_failure_is_tried_again_and_then_given_up():
    d = dispatcher()
    d.add_row([tile(0)])
    address = TileAddress("c", 0, 0)
    ask(d, "a", 2)
    sent(d)
    assert d.failed(address, "NaN") == ()
    assert sent(d) == [("a", 0, 0)]
    (gap,) = d.failed(address, "NaN")
    assert (gap.reason, gap.detail) == (GapReason.ENGINE_ERROR, "NaN")
    assert d.failed(address, "NaN") == ()


def test_a_verdict_that_never_comes_is_a_timeout():
    d = dispatcher(worker_timeout_ms=10**6)
    d.add_row([tile(0)])
    assert d.expire(2000 * MS) == ()  # waiting for a worker is no timeout
    ask(d, "a", now_ns=2000 * MS)
    sent(d, 2000 * MS)
    assert d.expire(3000 * MS) == ()
    (gap,) = d.expire(3001 * MS)
    assert gap.reason is GapReason.TIMEOUT


def test_a_worker_that_cannot_be_reached_is_lost_at_once():
    d = dispatcher()
    d.add_row([tile(0)])
    ask(d, "a", 2)
    (sending,) = d.sendings(0)
    d.unsent(sending)
    ask(d, "b")
    assert sent(d) == [("b", 0, 0)]


def test_block_never_drops():
    d = dispatcher(capacity=2)
    assert [g for n in range(9) for g in d.add_row([tile(n)])] == []
    assert d.is_full


def test_drop_oldest_drops_what_waits_not_what_is_worked_on():
    d = dispatcher(overload="drop_oldest", capacity=2)
    d.add_row([tile(0)])
    ask(d, "a")
    sent(d)
    gaps = [g for n in range(1, 4) for g in d.add_row([tile(n)])]
    assert [(g.first_sequence, g.reason) for g in gaps] == [
        (1, GapReason.OVERLOAD),
        (2, GapReason.OVERLOAD),
    ]
    assert not d.is_full


def test_skip_lanes_alternates():
    d = dispatcher(overload="skip_lanes", capacity=2)
    skipped = []
    for n in range(4):
        skipped += [
            (g.first_sequence, g.lane)
            for g in d.add_row([tile(n, 0), tile(n, 1)])
            if g.detail == "lane skipped"
        ]
    assert skipped == [(1, 1), (2, 0), (3, 1)]
    assert d.waiting <= 4


def test_one_lane_under_skip_lanes_falls_back_to_dropping_the_oldest():
    d = dispatcher(overload="skip_lanes", capacity=2)
    gaps = [g for n in range(9) for g in d.add_row([tile(n)])]
    assert {g.detail for g in gaps} == {"oldest dropped"}
    assert d.waiting == 4


def state(lane=0, sequence=2, digest="digest"):
    return ProfileState("r", "c", lane, sequence, digest, b"profile")


def test_tiles_of_a_profile_are_sent_again_until_the_profile_exists():
    d = dispatcher(profile_tiles=2)
    for n in range(3):
        d.add_row([tile(n)])
    ask(d, "a", 3)
    sent(d)
    d.settle([TileAddress("c", 0, 0), TileAddress("c", 0, 1)])
    assert d.waiting == 1
    d.expire(500 * MS)
    ask(d, "b", 3, 500 * MS)
    assert sent(d, 500 * MS) == [("b", 0, 0), ("b", 0, 1), ("b", 0, 2)]


def test_a_new_worker_gets_the_profile_before_the_tiles():
    d = dispatcher(profile_tiles=2)
    for n in range(3):
        d.add_row([tile(n)])
    ask(d, "a", 3)
    sent(d)
    d.settle([TileAddress("c", 0, 0), TileAddress("c", 0, 1)])
    d.adopt_profile(state(), "a")
    d.expire(500 * MS)
    ask(d, "b", 3, 500 * MS)
    contents = [s.content for s in d.sendings(500 * MS)]
    assert isinstance(contents[0], ProfileState)
    assert [c.sequence for c in contents[1:]] == [2]


def profiles_sent(d):
    return [(s.worker, s.content) for s in d.sendings(0) if isinstance(s.content, ProfileState)]


def test_a_profile_that_another_worker_knows_reaches_the_lanes_worker_before_its_next_tile():
    d = dispatcher(profile_tiles=2)
    d.add_row([tile(5)])
    ask(d, "a", 2)
    assert sent(d) == [("a", 0, 5)]  # the capture before this one gave the lane to b
    d.adopt_profile(state(sequence=2), "b")
    d.add_row([tile(6)])
    contents = [(s.worker, s.content) for s in d.sendings(0)]
    assert contents[0] == ("a", state(sequence=2))
    assert [(w, c.sequence) for w, c in contents[1:]] == [("a", 6)]


def test_the_profile_that_holds_from_the_earliest_tile_is_the_lanes():
    d = dispatcher()
    ask(d, "a", 9)
    d.add_row([tile(5)])
    sent(d)
    d.adopt_profile(state(sequence=6, digest="relearnt"), "a")
    d.add_row([tile(6)])
    assert profiles_sent(d) == []  # its own
    d.adopt_profile(state(sequence=2), "b")
    d.add_row([tile(7)])
    assert profiles_sent(d) == [("a", state(sequence=2))]
    d.adopt_profile(state(sequence=7, digest="again"), "a")
    d.add_row([tile(8)])
    assert profiles_sent(d) == [("a", state(sequence=2))]
    d.adopt_profile(
        state(sequence=6, digest="relearnt"), "b"
    )  # not the lane's worker: nobody needs to know
    d.add_row([tile(9)])
    assert profiles_sent(d) == []


def test_no_tiles_are_kept_for_a_lane_whose_profile_a_worker_brought():
    d = dispatcher(profile_tiles=2)
    d.adopt_profile(state(sequence=2), "a")
    ask(d, "a", 9)
    d.add_row([tile(5)])
    sent(d)
    d.settle([TileAddress("c", 0, 5)])
    d.expire(10**12)
    ask(d, "b", 9, 10**12)
    assert sent(d, 10**12) == []


def learning(sequence, learnt_from=0):
    return ProfileState("r", "c", 0, sequence, f"{learnt_from}:{sequence}", b"", learnt_from)


def settle(d, *sequences):
    d.settle([TileAddress("c", 0, n) for n in sequences])


def given_to_a_new_worker(d):
    """What somebody gets who comes when all others are lost."""
    d.expire(10**12)
    ask(d, "new", 99, 10**12)
    return [s.content.sequence for s in d.sendings(10**12)]


def learning_lane(tiles=8, **fields):
    d = dispatcher(profile_tiles=6, capacity=99, **fields)
    for n in range(tiles):
        d.add_row([tile(n)])
    ask(d, "a", 99)
    sent(d)
    return d


def test_a_lane_that_goes_on_learning_keeps_the_tiles_since_its_last_state():
    d = learning_lane()
    settle(d, 0, 1, 2, 3)
    d.adopt_profile(learning(4), "a")
    settle(d, 4, 5, 6)
    assert d.waiting == 1
    assert given_to_a_new_worker(d) == [4, 4, 5, 6, 7]  # the state, then the tiles


def test_a_newer_state_counts_once_all_tiles_before_it_have_verdicts():
    d = learning_lane()
    settle(d, 0, 1, 2)
    d.adopt_profile(learning(2), "a")
    d.adopt_profile(learning(4), "a")
    settle(d, 4)
    assert given_to_a_new_worker(d) == [2, 2, 3, 4, 5, 6, 7]
    d = learning_lane()
    settle(d, 0, 1, 2, 4)
    d.adopt_profile(learning(2), "a")
    d.adopt_profile(learning(4), "a")
    settle(d, 3)
    assert given_to_a_new_worker(d) == [4, 4, 5, 6, 7]


def test_before_the_first_state_a_new_worker_gets_all_tiles():
    d = learning_lane(tiles=5)
    settle(d, 0, 1, 2)
    assert given_to_a_new_worker(d) == [0, 1, 2, 3, 4]


def test_the_worker_that_makes_the_states_is_not_told_them():
    d = learning_lane(tiles=4)
    settle(d, 0, 1, 2, 3)
    for sequence in (2, 4):
        d.adopt_profile(learning(sequence), "a")
        d.add_row([tile(sequence + 2)])
        assert profiles_sent(d) == []


def test_a_late_state_of_a_worker_before_does_not_interrupt_the_lane():
    d = learning_lane(tiles=4)
    d.expire(500 * MS)
    ask(d, "b", 99, 500 * MS)
    assert sent(d, 500 * MS) == [("b", 0, n) for n in range(4)]
    settle(d, 0, 1)
    d.adopt_profile(learning(2), "a")  # it was thought lost
    d.add_row([tile(4)])
    assert profiles_sent(d) == []


def test_a_state_from_before_this_capture_reaches_the_lanes_worker():
    d = dispatcher(profile_tiles=6, capacity=99)
    d.add_row([tile(9)])
    ask(d, "b", 99)
    assert sent(d) == [("b", 0, 9)]
    settle(d, 9)
    d.adopt_profile(learning(8), "a")
    d.add_row([tile(10)])
    assert profiles_sent(d) == [("b", learning(8))]
    # What the lane's worker began anew meanwhile is not the lane's.
    d.adopt_profile(learning(11, learnt_from=9), "b")
    d.add_row([tile(11)])
    assert profiles_sent(d) == [("b", learning(8))]


def test_no_tile_is_forgotten_that_the_new_worker_still_has_to_see():
    d = learning_lane(tiles=8)
    settle(d, 0, 1, 2)
    d.adopt_profile(learning(2), "a")
    d.adopt_profile(learning(6), "a")
    d.expire(10**12)
    ask(d, "new", 2, 10**12)
    assert [s.content.sequence for s in d.sendings(10**12)] == [2, 2, 3]
    settle(d, 3, 4, 5)  # verdicts of the worker before
    ask(d, "new", 9, 10**12)
    assert [s.content.sequence for s in d.sendings(10**12)] == [4, 5, 6, 7]


def test_the_tiles_kept_for_a_state_are_bounded():
    d = learning_lane(tiles=40)
    settle(d, *range(40))
    assert len(given_to_a_new_worker(d)) == 6


def test_lanes_move_to_a_worker_that_joins():
    d = dispatcher(capacity=99)
    ask(d, "a", 99)
    for n in range(2):
        d.add_row([tile(n, lane) for lane in range(4)])
    sent(d)
    ask(d, "b", 99)
    d.balance()
    d.add_row([tile(2, lane) for lane in range(4)])
    assert {w for w, *_ in sent(d)} == {"a"}  # lanes in flight stay where they are
    d.settle([TileAddress("c", lane, n) for lane in range(4) for n in range(3)])
    for n in range(3, 6):
        d.balance()
        d.add_row([tile(n, lane) for lane in range(4)])
        last = sent(d)
        d.settle([TileAddress("c", lane, n) for lane in range(4)])
    assert sorted(w for w, *_ in last) == ["a", "a", "b", "b"]


def test_abandon_gives_up_everything():
    d = dispatcher()
    d.add_row([tile(0), tile(0, 1)])
    gaps = d.abandon(GapReason.WORKER_LOST, "drained")
    assert {(g.lane, g.reason) for g in gaps} == {
        (0, GapReason.WORKER_LOST),
        (1, GapReason.WORKER_LOST),
    }
    assert d.waiting == 0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["row", "ask", "send", "settle", "fail", "silence", "balance"]),
            st.integers(0, 3),
        ),
        max_size=60,
    ),
    st.sampled_from(["block", "drop_oldest", "skip_lanes"]),
)
def test_every_tile_ends_settled_or_as_one_gap_or_waits(events, overload):
    d = dispatcher(overload=overload, capacity=4)
    now_ns, sequence = 0, 0
    known, settled, lost = set(), set(), []
    in_flight = []
    for event, n in events:
        now_ns += MS
        gaps = ()
        if event == "row":
            row = [tile(sequence, lane) for lane in range(3)]
            known |= {t.address for t in row}
            gaps, sequence = d.add_row(row), sequence + 1
        elif event == "ask":
            ask(d, f"w{n}", 2, now_ns)
        elif event == "send":
            in_flight += [s.content.address for s in d.sendings(now_ns)]
        elif event == "settle" and in_flight:
            address = in_flight.pop(n % len(in_flight))
            if address not in {g[0] for g in lost}:
                settled.add(address)
            d.settle([address])
        elif event == "fail" and in_flight:
            gaps = d.failed(in_flight[n % len(in_flight)], "x")
        elif event == "silence":
            now_ns += 200 * MS
            gaps = d.expire(now_ns)
        elif event == "balance":
            d.balance()
        lost += [(TileAddress("c", g.lane, g.first_sequence), g.reason) for g in gaps]
    lost += [
        (TileAddress("c", g.lane, g.first_sequence), g.reason)
        for g in d.abandon(GapReason.WORKER_LOST, "")
    ]
    addresses = [a for a, _ in lost]
    assert len(addresses) == len(set(addresses))
    assert settled.isdisjoint(addresses)
    assert settled | set(addresses) == known


@pytest.mark.parametrize(("policy", "most"), [("block", 3), ("drop_oldest", 3), ("skip_lanes", 6)])
def test_the_store_is_bounded_as_it_says(policy, most):
    d = dispatcher(overload=policy, capacity=3)
    assert d.settings.most_waiting == most
    for sequence in range(20):
        if not d.is_full:
            d.add_row([tile(sequence)])
        assert d.waiting <= most
