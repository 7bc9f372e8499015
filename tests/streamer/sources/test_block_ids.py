"""Block ids are counted on over their wrap, whatever the camera does at it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.sources.block_ids import MOST_LATE, BlockCount, follow


def counts(ids):
    newest, found = None, []
    for raw in ids:
        followed = follow(newest, raw)
        assert followed is not None
        newest, count = followed
        found.append(count)
    return found


def standard(count):
    """The id that GigE Vision 1.x gives to the block of this count: 1 to 65535."""
    return (count - 1) % 65535 + 1


@given(start=st.integers(1, 65535), steps=st.lists(st.integers(1, 1000), max_size=200))
def test_a_standard_camera_loses_no_count_at_its_wrap(start, steps):
    true = [start]
    for step in steps:
        true.append(true[-1] + step)
    assert counts(standard(count) for count in true) == true


@given(start=st.integers(0, 3), length=st.integers(1, 50))
def test_a_camera_that_has_shown_0_uses_it_at_the_wrap_too(start, length):
    ids = [0, 20000, 40000, 60000, 65530, *((65531 + start + n) % 65536 for n in range(length))]
    found = counts(ids)
    assert found[5:] == [65531 + start + n for n in range(length)]


def test_0_at_a_wrap_is_a_block_of_its_own():
    assert counts([65534, 65535, 0, 1]) == [65534, 65535, 65536, 65537]


@given(start=st.integers(0, 1 << 40), length=st.integers(2, 20))
def test_long_ids_are_taken_as_they_are(start, length):
    first = start + 65536
    assert counts(range(first, first + length)) == list(range(first, first + length))


def test_long_ids_pass_16_bits_without_a_wrap():
    assert counts(range(65530, 65545)) == list(range(65530, 65545))


@given(late=st.integers(1, MOST_LATE), at=st.integers(1, 65535))
def test_a_straggler_keeps_its_own_count_and_the_newest_stays(late, at):
    newest = BlockCount(standard(at + 200), at + 200, uses_zero=False)
    followed = follow(newest, standard(at + 200 - late))
    assert followed == (newest, at + 200 - late)


def test_the_same_block_twice_has_one_count():
    assert counts([7, 8, 8, 9]) == [7, 8, 8, 9]


@pytest.mark.parametrize(("before", "raw"), [(5000, 1), (1 << 40, 3), (1000, 1000 - MOST_LATE - 1)])
def test_a_camera_that_counts_anew_is_noticed(before, raw):
    assert follow(BlockCount(before, before, uses_zero=False), raw) is None
