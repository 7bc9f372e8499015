"""Which channels are kept: evenly spread, always the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.backbones.channel_subset import even_channels, subset_digest


@given(st.integers(1, 600).flatmap(lambda total: st.tuples(st.integers(1, total), st.just(total))))
def test_channels_are_ascending_distinct_and_evenly_spread(sizes: tuple[int, int]) -> None:
    count, total = sizes
    kept = even_channels(count, total)
    assert kept.shape == (count,)
    assert kept[0] >= 0
    assert kept[-1] < total
    gaps = np.diff(kept)
    if count > 1:
        assert gaps.min() >= 1
        assert gaps.max() - gaps.min() <= 1
    # As much is left out before the first as behind the last, up to rounding.
    assert abs(int(kept[0]) - (total - 1 - int(kept[-1]))) <= 1


def test_all_channels_are_all_channels() -> None:
    assert even_channels(7, 7).tolist() == list(range(7))
    assert even_channels(2, 8).tolist() == [2, 6]


@pytest.mark.parametrize("count", [0, -1, 9])
def test_more_than_there_are_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=r"backbone.channels must be within 1..8 for this.*got"):
        even_channels(count, 8)


def test_digests_differ_by_count_and_model() -> None:
    texts = {subset_digest(digest, count) for digest in "ab" for count in (8, 16)}
    assert len(texts) == 4
