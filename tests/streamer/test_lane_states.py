from hypothesis import given
from hypothesis import strategies as st

from streamer.lane_states import LaneStates
from streamer.message import ProfileState


def state(sequence: int, learnt_from: int | None = 0) -> ProfileState:
    return ProfileState("r", "c", 0, sequence, f"{learnt_from}:{sequence}", b"", learnt_from)


def states_of(*sequences: int) -> LaneStates:
    states = LaneStates()
    assert all(states.add(state(sequence)) for sequence in sequences)
    return states


def test_a_state_is_no_base_before_the_tiles_before_it_have_verdicts() -> None:
    states = states_of(4)
    states.advance(3)
    assert states.base is None
    states.advance(4)
    assert states.base == state(4)


def test_the_base_moves_on_with_the_verdicts() -> None:
    states = states_of(4, 8, 12)
    for unsettled, base in ((5, 4), (7, 4), (8, 8), (11, 8), (None, 12)):
        states.advance(unsettled)
        assert states.base == state(base)


def test_a_state_that_is_made_again_changes_nothing() -> None:
    states = states_of(4, 8)
    states.advance(9)
    assert states.add(state(4))
    assert states.add(state(8))
    states.advance(6)
    assert states.base == state(8)


def test_who_learnt_from_earlier_tiles_knows_the_lane() -> None:
    states = LaneStates()
    assert states.add(state(20, learnt_from=16))
    states.advance(None)
    assert not states.is_of(state(12, learnt_from=0))
    assert states.add(state(12, learnt_from=0))
    assert states.base is None
    states.advance(21)
    assert states.base == state(12, learnt_from=0)
    assert not states.add(state(24, learnt_from=16))
    assert states.add(state(16, learnt_from=0))
    assert states.is_of(state(99, learnt_from=0))


@given(
    steps=st.lists(st.integers(1, 5), min_size=1, max_size=20),
    unsettled=st.lists(st.integers(0, 60), max_size=10),
)
def test_the_base_never_needs_a_tile_that_is_settled_and_gone(
    steps: list[int], unsettled: list[int]
) -> None:
    states, sequence, settled_to = LaneStates(), 0, 0
    for step in steps:
        sequence += step
        states.add(state(sequence))
    for first in sorted(unsettled):
        settled_to = max(settled_to, first)
        states.advance(settled_to)
        if states.base is not None:
            assert states.base.sequence <= settled_to
            newer = range(states.base.sequence + 1, settled_to + 1)
            assert all(state(n) not in states._states[1:] for n in newer)
