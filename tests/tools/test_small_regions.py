"""Hits of regions by size against a slow count, on made-up maps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_regions import CROP_SHARE, Peaks, SizeLimit, paired_hits

from streamer.evaluation.judging import ScoredImage, judge

SHAPE = (40, 40)  # 32 x 32 are judged


def image(seed: int, spots: dict[tuple[int, int], int], lift: float = 0.0) -> ScoredImage:
    """A noisy map of stride 1 with square defects, (line, column) -> side, higher by `lift`."""
    rng = np.random.default_rng(seed)
    mask, scores = np.zeros(SHAPE, np.uint8), rng.uniform(0, 1, SHAPE).astype(np.float32)
    for (line, column), side in spots.items():
        place = slice(line, line + side), slice(column, column + side)
        mask[place] = 255
        scores[place] += np.float32(lift)
    return ScoredImage(f"{seed}", "c", SHAPE, bool(spots), mask.copy, scores, 1)


def slow_hits(images, limit: SizeLimit, drawn) -> float:
    """Region by region, with the normal pixels written out as often as their image is drawn."""
    judged = [judge(one, CROP_SHARE) for one in images]
    pairs = list(zip(judged, drawn, strict=True))
    normal = np.concatenate([np.repeat(p.scores[p.regions == 0], int(n)) for p, n in pairs])
    hits, total = 0, 0
    for pixels, count in pairs:
        for region in range(1, pixels.region_total + 1):
            own = pixels.scores[pixels.regions == region]
            if limit.least <= own.size < limit.end:
                share = (normal >= own.max()).mean()
                hits, total = hits + int(count) * (share < limit.false_area), total + int(count)
    return hits / total if total else float("nan")


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1), st.sampled_from([0.3, 0.05, 0.005]))
def test_hits_are_those_of_a_slow_count(seed, lift, false_area) -> None:
    spots = ({(6, 6): 2, (20, 20): 5}, {(10, 28): 3}, {})
    base = [image(seed + n, one, lift) for n, one in enumerate(spots)]
    form = [image(seed + n, one, lift / 2) for n, one in enumerate(spots)]
    rng = np.random.default_rng(seed)
    draws = np.vstack([np.ones(3), rng.integers(0, 3, (4, 3)) + [0, 0, 1], [0, 0, 1]]).astype(float)
    for limit in (SizeLimit(1, 10, false_area), SizeLimit(10, 99, false_area)):
        pair = paired_hits([Peaks.of(base)], [Peaks.of(form)], limit, [draws])
        slow = [[slow_hits(images, limit, drawn) for drawn in draws] for images in (base, form)]
        assert (pair.base, pair.form) == (pytest.approx(slow[0][0]), pytest.approx(slow[1][0]))
        expected = np.array(slow[1][1:]) - np.array(slow[0][1:])
        assert np.allclose(pair.resampled, expected, equal_nan=True)


def test_regions_of_several_pools_count_alike() -> None:
    clear, lost = image(1, {(6, 6): 2}, 5.0), image(2, {(6, 6): 2, (16, 16): 2, (26, 26): 2}, -5.0)
    pools = [Peaks.of([clear]), Peaks.of([lost])]
    draws = [np.ones((2, 1))] * 2
    pair = paired_hits(pools, pools, SizeLimit(1, 99, 0.01), draws)
    assert pair.base == pair.form == 0.25
    assert pair.resampled.tolist() == [0.0]


def test_a_masked_region_is_not_small() -> None:
    """Nothing of it is seen, so that its size is not known: it is left out."""
    one = image(3, {(6, 6): 2, (20, 20): 2}, 5.0)
    one.scores[4:10, 4:10] = np.nan
    peaks = Peaks.of([one])
    assert peaks.sizes.tolist() == [0, 4]
    pair = paired_hits([peaks], [peaks], SizeLimit(1, 99, 0.01), [np.ones((1, 1))])
    assert pair.base == 1.0


def test_no_region_of_that_size_is_undefined() -> None:
    peaks = [Peaks.of([image(4, {(6, 6): 2})])]
    pair = paired_hits(peaks, peaks, SizeLimit(100, 200, 0.01), [np.ones((3, 1))])
    assert np.isnan([pair.base, pair.form, *pair.resampled]).all()
