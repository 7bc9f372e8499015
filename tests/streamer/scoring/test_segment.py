import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.scoring.bands import BandMedians, BandReference
from streamer.scoring.rolling_brightness import ColumnLight, SegmentLight
from streamer.scoring.segment import Segment


def medians(seed: int, bands: int = 3) -> BandMedians:
    generator = torch.Generator().manual_seed(seed)
    reference = torch.randint(0, 32, (bands, 4, 81), generator=generator).sort(dim=-1).values
    return BandMedians(BandReference(reference.to(torch.uint8), seed), torch.arange(bands) * 7)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99), sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_a_segment_comes_back_as_it_was(seed: int, sizes: list[tuple[int, int]]) -> None:
    rng = np.random.default_rng(seed)
    maps = [rng.random(size).astype(np.float32) for size in sizes]
    one = Segment.of(seed, medians(seed), maps)
    back = Segment.unpack(seed, one.packed)
    assert torch.equal(back.medians.known.reference, one.medians.known.reference)
    assert back.medians.known.first == seed
    assert torch.equal(back.medians.windows, one.medians.windows)
    assert len(back.maps) == len(maps)
    for given_map, kept, again in zip(maps, one.scores, back.scores, strict=True):
        np.testing.assert_array_equal(kept, again)
        # Half precision: three digits, and steps of 2 ** -24 near zero.
        np.testing.assert_allclose(again, given_map, rtol=1e-3, atol=2**-24)
    assert {k: v.tolist() for k, v in back.packed.items()} == {
        k: v.tolist() for k, v in one.packed.items()
    }


def test_masked_cells_stay_masked_and_nothing_learnt_stays_nothing() -> None:
    masked = np.array([[0.5, np.nan]], np.float32)
    back = Segment.unpack(3, Segment.of(3, None, [masked]).packed)
    assert back.medians is None
    np.testing.assert_array_equal(back.scores[0], masked)


def test_light_goes_along_with_the_maps() -> None:
    rng = np.random.default_rng(1)
    maps = [rng.random(size).astype(np.float32) for size in ((3, 4), (2, 5))]
    columns = ColumnLight(np.array([0.5, np.nan, -1], np.float32), 7, 0.125)
    for learnt in (columns, None):
        one = Segment.of(3, None, maps, SegmentLight.of(learnt, [m / 2 for m in maps]))
        back = Segment.unpack(3, one.packed)
        for given_map, again in zip(one.light.distances, back.light.distances, strict=True):
            np.testing.assert_array_equal(given_map, again)
        assert (back.light.columns is None) == (learnt is None)
    assert Segment.unpack(3, Segment.of(3, None, maps).packed).light is None
    one = Segment.of(3, None, maps, SegmentLight.of(columns, maps))
    back = Segment.unpack(3, one.packed).light.columns
    np.testing.assert_array_equal(back.median, columns.median)
    assert (back.first_column, back.noise) == (7, 0.125)
    with pytest.raises(ValueError, match="segment must hold 44 bytes"):
        Segment.unpack(3, one.packed | {"light_maps": one.packed["light_maps"][:0]})


def test_a_reference_is_packed_to_a_small_share() -> None:
    learnt = medians(0, bands=16)
    size = sum(one.nbytes for one in Segment.of(0, learnt, []).packed.values())
    assert size < learnt.known.reference.numel() / 2


def test_damaged_bytes_are_refused() -> None:
    packed = Segment.of(0, medians(0), [np.ones((2, 2), np.float32)]).packed
    with pytest.raises(ValueError, match="segment must be readable, got"):
        Segment.unpack(0, packed | {"steps": packed["steps"][3:]})
    with pytest.raises(ValueError, match="segment must hold 8 bytes, got 0"):
        Segment.unpack(0, packed | {"maps": packed["maps"][:0]})
    # A small content that would grow without end is read no further than it should be.
    with pytest.raises(KeyError):
        Segment.unpack(0, {"maps": packed["maps"]})
