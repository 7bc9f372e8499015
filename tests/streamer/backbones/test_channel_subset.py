"""Which channels are kept: evenly spread, always the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.backbones.channel_subset import chosen_channels, subset_digest


@given(st.integers(1, 600).flatmap(lambda total: st.tuples(st.integers(1, total), st.just(total))))
def test_channels_are_ascending_and_distinct(sizes: tuple[int, int]) -> None:
    count, total = sizes
    kept = chosen_channels(count, total)
    assert kept.shape == (count,)
    assert np.all(np.diff(kept) > 0)
    assert set(kept.tolist()) <= set(range(total))


@given(st.integers(2, 300).flatmap(lambda total: st.tuples(st.integers(2, total), st.just(total))))
def test_a_smaller_subset_is_part_of_a_larger_one(sizes: tuple[int, int]) -> None:
    count, total = sizes
    larger = set(chosen_channels(count, total).tolist())
    assert set(chosen_channels(count - 1, total).tolist()) < larger


def test_all_channels_are_all_channels() -> None:
    assert chosen_channels(7, 7).tolist() == list(range(7))


def test_the_choice_is_frozen() -> None:
    """A profile learnt on a subset must fit the next release's."""
    assert chosen_channels(8, 240).tolist() == [37, 71, 74, 108, 109, 156, 220, 227]


@pytest.mark.parametrize("count", [0, -1, 9])
def test_more_than_there_are_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=r"backbone.channels must be within 1..8 for this.*got"):
        chosen_channels(count, 8)


def test_digests_differ_by_count_and_model() -> None:
    texts = {subset_digest(digest, count) for digest in "ab" for count in (8, 16)}
    assert len(texts) == 4
