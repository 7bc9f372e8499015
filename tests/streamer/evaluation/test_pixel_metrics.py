"""The metrics against stored vectors of the published evaluation and against slow definitions."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.evaluation.pixel_metrics import (
    ScoreCounts,
    auroc,
    average_precision,
    count_bins,
    count_exactly,
    label_regions,
    max_f1,
    pool,
    pro,
    region_shares,
)

GOLDEN = Path(__file__).parents[2] / "golden"


def count(scores, mask):
    regions = label_regions(mask)
    return count_exactly(np.asarray(scores, np.float32), regions, region_shares(regions))


def stacked(maps, masks):
    """Several images as one, regions numbered through: what pooling means."""
    shares = [region_shares(label_regions(mask)) for mask in masks]
    return count_exactly(np.stack(maps), np.stack(masks).astype(np.int32), np.stack(shares))


@pytest.mark.parametrize("seed", range(4))
class TestStoredVectors:
    @pytest.fixture
    def stored(self, seed):
        vectors = np.load(GOLDEN / f"metrics_s{seed}.npz")
        inside = slice(int(vectors["pad"]), -int(vectors["pad"]))
        return vectors, stacked(
            list(vectors["upsampled"][:, inside, inside]), list(vectors["gt"][:, inside, inside])
        )

    def test_auroc(self, stored):
        vectors, counts = stored
        assert auroc(counts) == pytest.approx(float(vectors["auroc"]), abs=1e-6)

    def test_f1(self, stored):
        vectors, counts = stored
        assert max_f1(counts) == pytest.approx(float(vectors["f1"]), abs=1e-6)

    @pytest.mark.parametrize(("limit", "key"), [(0.3, "pro30"), (0.05, "pro05")])
    def test_pro(self, stored, limit, key):
        vectors, counts = stored
        assert pro(counts, limit) == pytest.approx(float(vectors[key]), abs=1e-6)


def slow_auroc(scores, mask):
    """Chance that a defective pixel scores above a normal one, ties half."""
    defective, normal = scores[mask > 0], scores[mask == 0]
    above = (defective[:, None] > normal).mean()
    return above + 0.5 * (defective[:, None] == normal).mean()


def slow_points(scores, mask):
    """(threshold's flags) from the highest threshold down."""
    return [scores >= threshold for threshold in np.unique(scores)[::-1]]


def slow_average_precision(scores, mask):
    total, recall = 0.0, 0.0
    for flagged in slow_points(scores, mask):
        hit = (flagged & (mask > 0)).sum()
        total += (hit / (mask > 0).sum() - recall) * hit / flagged.sum()
        recall = hit / (mask > 0).sum()
    return total


def slow_f1(scores, mask):
    best = 0.0
    for flagged in slow_points(scores, mask):
        hit = (flagged & (mask > 0)).sum()
        precision, recall = hit / flagged.sum(), hit / (mask > 0).sum()
        best = max(best, 2 * precision * recall / (precision + recall) if hit else 0.0)
    return best


def slow_pro(scores, mask, limit):
    """The curve point by point, every region by a flood fill of its own; exact area."""
    regions = flood_regions(mask)
    points = [(0.0, 0.0)]
    for flagged in slow_points(scores, mask):
        covered = np.mean([np.mean([flagged[p] for p in region]) for region in regions])
        points.append((flagged[mask == 0].mean(), covered))
    area = 0.0
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        if x0 >= limit or x1 == x0:
            continue
        end = min(x1, limit)
        y_end = y0 + (y1 - y0) * (end - x0) / (x1 - x0)
        area += (end - x0) * (y0 + y_end) / 2
    return area / limit


def flood_regions(mask):
    left = {tuple(p) for p in np.argwhere(mask > 0)}
    regions = []
    while left:
        border = [left.pop()]
        region = list(border)
        while border:
            y, x = border.pop()
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            border += near
            region += near
        regions.append(region)
    return regions


@st.composite
def labelled_maps(draw):
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(2, 12)), draw(st.integers(2, 12)))
    scores = generator.integers(0, draw(st.sampled_from([2, 5, 1000])), shape).astype(np.float32)
    mask = (generator.random(shape) < draw(st.sampled_from([0.1, 0.4, 0.8]))).astype(np.uint8)
    mask.flat[0], mask.flat[-1] = 0, 1  # both kinds are there
    return scores, mask


class TestSlowDefinitions:
    @given(labelled_maps())
    @settings(max_examples=60, deadline=None)
    def test_every_metric(self, labelled):
        scores, mask = labelled
        counts = count(scores, mask)
        assert auroc(counts) == pytest.approx(slow_auroc(scores, mask), abs=1e-9)
        assert average_precision(counts) == pytest.approx(slow_average_precision(scores, mask))
        assert max_f1(counts) == pytest.approx(slow_f1(scores, mask))

    @given(labelled_maps(), st.sampled_from([0.05, 0.3, 1.0]))
    @settings(max_examples=60, deadline=None)
    def test_pro(self, labelled, limit):
        scores, mask = labelled
        assert pro(count(scores, mask), limit) == pytest.approx(
            slow_pro(scores, mask, limit), abs=1e-9
        )

    @given(labelled_maps())
    @settings(max_examples=30, deadline=None)
    def test_a_monotone_change_of_the_scores_changes_nothing(self, labelled):
        scores, mask = labelled
        first, second = count(scores, mask), count(np.sqrt(scores + 3), mask)
        assert pro(first) == pro(second)
        assert auroc(first) == auroc(second)


class TestBins:
    def maps(self, seed):
        generator = np.random.default_rng(seed)
        scores = generator.gamma(2.0, 0.01, (200, 200)).astype(np.float32)
        mask = np.zeros((200, 200), np.uint8)
        mask[20:40, 30:60] = mask[150:152, 10:14] = 1
        scores[mask > 0] += 0.02
        return scores, mask

    @pytest.mark.parametrize("metric", [auroc, average_precision, max_f1, pro])
    def test_thousands_of_bins_are_as_good_as_every_score(self, metric):
        scores, mask = self.maps(3)
        regions = label_regions(mask)
        bins = (scores / scores.max() * 8191).astype(np.intp)
        binned = count_bins(bins, regions, region_shares(regions), 8192)
        assert metric(binned) == pytest.approx(metric(count(scores, mask)), abs=5e-4)

    def test_bins_that_keep_every_score_apart_are_exact(self):
        generator = np.random.default_rng(1)
        bins = generator.permutation(400).reshape(20, 20)
        regions = label_regions((generator.random((20, 20)) < 0.2).astype(np.uint8))
        shares = region_shares(regions)
        exact = count_exactly(bins.astype(np.float32), regions, shares)
        binned = count_bins(bins, regions, shares, 400)
        for metric in (auroc, average_precision, max_f1, pro):
            assert metric(binned) == pytest.approx(metric(exact), abs=1e-12)

    def test_pooled_counts_are_those_of_one_big_image(self):
        maps, masks = zip(*(self.maps(seed) for seed in (4, 5)), strict=True)
        bins = [np.minimum(scores * 40_000, 8191).astype(np.intp) for scores in maps]
        regions = [label_regions(mask) for mask in masks]
        parts = [
            count_bins(b, r, region_shares(r), 8192) for b, r in zip(bins, regions, strict=True)
        ]
        whole = stacked([b.astype(np.float32) for b in bins], list(masks))
        assert pro(pool(parts)) == pytest.approx(pro(whole), abs=1e-12)
        assert auroc(pool(parts)) == pytest.approx(auroc(whole), abs=1e-12)


class TestRegions:
    def test_corners_touch(self):
        assert label_regions(np.eye(4, dtype=np.uint8)).max() == 1

    def test_every_region_weighs_the_same(self):
        mask = np.zeros((9, 9), np.uint8)
        mask[0, 0] = mask[4:8, 4:8] = 255
        shares = region_shares(label_regions(mask))
        assert shares[0, 0] == 1
        assert shares[4:8, 4:8].sum() == pytest.approx(1)
        assert shares.sum() == pytest.approx(2)

    def test_a_perfect_map(self):
        mask = np.zeros((9, 9), np.uint8)
        mask[2:5, 2:5] = 1
        counts = count(mask, mask)
        assert [metric(counts) for metric in (auroc, average_precision, max_f1)] == [1, 1, 1]

    @pytest.mark.parametrize("metric", [auroc, average_precision, max_f1, pro])
    def test_one_kind_of_pixel_is_refused(self, metric):
        empty = ScoreCounts(np.array([2.0, 7.0]), np.zeros(2), np.zeros(2))
        assert not empty.has_both
        with pytest.raises(ValueError, match="must be both normal and defective, got 9 and 0"):
            metric(empty)
