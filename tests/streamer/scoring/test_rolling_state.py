from dataclasses import replace

import numpy as np
import pytest
import torch

from streamer.scoring.bands import BandMedians, BandPlace, BandReference
from streamer.scoring.features import fixed_scale
from streamer.scoring.profile import complete_profile
from streamer.scoring.rolling_state import Change, RollingState
from streamer.scoring.segment import Segment


@pytest.fixture
def state(backbone, lesson) -> RollingState:
    generator = torch.Generator().manual_seed(0)
    reference = torch.randint(0, 16, (3, 4, 81), generator=generator).sort(dim=-1).values
    reference = reference.to(torch.uint8)
    maps = [np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30)]
    profile = complete_profile(fixed_scale(backbone.spec), reference, maps, lesson)
    medians = BandMedians(BandReference(reference, 2), torch.tensor([40, 80, 2]))
    return RollingState(
        since=12,
        article_line=640,
        learnt_from=3,
        change=Change(1408, 128),
        step=0.25,
        drift=0.5,
        profile=replace(profile, bands=BandPlace(8, 2)),
        first=BandReference(reference // 2, 1),
        segments=(Segment.of(4, medians, maps), Segment.of(5, None, [])),
    )


def test_a_state_comes_back_as_it_was(state) -> None:
    back = RollingState.from_bytes(state.to_bytes())
    for name in ("since", "article_line", "learnt_from", "change", "step", "drift"):
        assert getattr(back, name) == getattr(state, name)
    assert back.profile.digest == state.profile.digest
    assert torch.equal(back.first.reference, state.first.reference)
    assert back.first.first == 1
    assert [one.number for one in back.segments] == [4, 5]
    np.testing.assert_array_equal(back.segments[0].scores[0], state.segments[0].scores[0])
    assert back.segments[1].medians is None
    assert back.to_bytes() == state.to_bytes()


def test_a_lane_that_knows_nothing_yet_is_a_state_too() -> None:
    back = RollingState.from_bytes(RollingState(since=7, article_line=99).to_bytes())
    assert (back.since, back.article_line, back.profile, back.first) == (7, 99, None, None)
    assert (back.segments, back.learnt_from) == ((), None)


def test_what_is_no_state_is_refused(state, lesson) -> None:
    for content in (b"", b"nonsense" * 10, state.profile.to_bytes()):
        with pytest.raises(ValueError, match="state of a lane must be that of a rolling profile"):
            RollingState.from_bytes(content)
    with pytest.raises(ValueError, match="state of a lane must be complete"):
        RollingState.from_bytes(state.to_bytes()[:-9])
    other = state.to_bytes().replace(b'\\"format\\": 1, \\"learnt', b'\\"format\\": 9, \\"learnt')
    with pytest.raises(ValueError, match="state of a lane must have format 1, got 9"):
        RollingState.from_bytes(other)


def test_a_flipped_bit_of_the_profile_is_noticed(state) -> None:
    content = bytearray(state.to_bytes())
    place = bytes(content).rindex(state.profile.reference.numpy().tobytes())
    content[place + 5] ^= 1
    with pytest.raises(ValueError, match="profile must have the digest"):
        RollingState.from_bytes(bytes(content))
