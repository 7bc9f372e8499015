"""Figures of a class against stored vectors, the plain definitions and redrawn images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from streamer.evaluation import class_figures
from streamer.evaluation.class_figures import BOX_METRICS, METRICS, Protocol, evaluate_class
from streamer.evaluation.judging import ScoredImage, judge

GOLDEN = __file__.rsplit("/", 3)[0] + "/golden"
WHOLE = Protocol(crop_share=0)


def image(name, scores, mask, stride=1):
    scores, mask = np.asarray(scores, np.float32), np.asarray(mask, np.uint8)
    return ScoredImage(name, "c", mask.shape, bool(mask.any()), lambda: mask, scores, stride)


def made(seed, contrast=0.3, defective=True, side=48):
    """Noise, and a block where it is higher by `contrast`."""
    scores = np.random.default_rng(seed).random((side, side))
    mask = np.zeros((side, side), np.uint8)
    if defective:
        mask[8 + seed : 14 + seed, 10:16] = 1
    scores[mask > 0] += contrast
    return image(f"{seed}", scores, mask)


def several(contrast=0.3):
    return [made(0, contrast), made(1, contrast), made(2, defective=False), made(3, contrast)]


def evaluate(images, protocol=WHOLE, weights=None):
    drawn = np.ones((1, len(images))) if weights is None else np.asarray(weights, float)
    return evaluate_class(images, drawn, protocol)


def pooled(images):
    pixels = [judge(one, 0) for one in images]
    scores = np.concatenate([one.scores for one in pixels])
    return scores, np.concatenate([one.regions > 0 for one in pixels])


@pytest.mark.parametrize(("seed", "crop"), [(0, 0.095), (1, 0.09), (2, 0.09), (3, 0.09)])
def test_stored_vectors_of_the_published_evaluation(seed, crop):
    """The crop of 5 pixels that they were made with; odd seeds have tied scores."""
    stored = np.load(f"{GOLDEN}/metrics_s{seed}.npz")
    pairs = zip(stored["upsampled"], stored["gt"], strict=True)
    images = [image(str(n), scores, mask) for n, (scores, mask) in enumerate(pairs)]
    result = evaluate(images, Protocol(crop_share=crop))
    assert result.counting == "exact"
    assert [one.is_defective for one in result.images] == stored["image_labels"].astype(
        bool
    ).tolist()
    for name in ("pro30", "pro05", "auroc", "f1", "image_auroc"):
        assert result.figures[name][0] == pytest.approx(float(stored[name]), abs=1e-6)


def test_pixel_figures_are_those_of_scikit_learn():
    images = several()
    scores, truth = pooled(images)
    figures = evaluate(images).figures
    assert figures["auroc"][0] == pytest.approx(metrics.roc_auc_score(truth, scores), abs=1e-12)
    average = metrics.average_precision_score(truth, scores)
    assert figures["ap"][0] == pytest.approx(average, abs=1e-12)
    precision, recall, _ = metrics.precision_recall_curve(truth, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    assert figures["f1"][0] == pytest.approx(f1.max(), abs=1e-12)


def slow_figures(pairs, false_area=0.1):
    """PRO(0.3) and region hits from their definitions, threshold by threshold, region by region.

    `pairs` of scores (NaN: masked) and masks whose regions are single blocks.
    """
    normal = np.concatenate([s[(m == 0) & ~np.isnan(s)] for s, m in pairs])
    regions = [s[m == n] for s, m in pairs for n in range(1, m.max() + 1)]
    seen = [region[~np.isnan(region)] for region in regions]
    points = [(0.0, 0.0)]
    for threshold in np.unique(np.concatenate([normal, *seen]))[::-1]:
        covered = [(r >= threshold).mean() if r.size else 0.0 for r in seen]
        points.append(((normal >= threshold).mean(), np.mean(covered)))
    area = 0.0
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        end = min(x1, 0.3)
        if end > x0:
            area += (end - x0) * (y0 + y0 + (y1 - y0) * (end - x0) / (x1 - x0)) / 2 / 0.3
    allowed = [t for t in np.unique(normal) if (normal >= t).mean() > false_area]
    level = max(allowed, default=-np.inf)
    hits = [bool((r > level).any()) for r in seen]
    return area, np.mean(hits)


@st.composite
def labelled(draw):
    """Up to three images with blocks as regions, ties, masked cells and constant maps."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([1, 3, 40, 100_000]))
    masked = draw(st.sampled_from([0.0, 0.2]))
    pairs = []
    for _ in range(draw(st.integers(1, 3))):
        scores = (generator.integers(0, levels, (16, 16)) / levels).astype(np.float32)
        mask = np.zeros((16, 16), np.uint8)
        mask[2:5, 2:6], mask[9:12, 8:10] = 1, 2
        scores[generator.random((16, 16)) < masked] = np.nan
        pairs.append((scores, mask))
    return pairs


@given(labelled())
@settings(max_examples=60, deadline=None)
def test_figures_of_regions_are_those_of_their_definitions(pairs):
    images = [image(str(n), scores, mask) for n, (scores, mask) in enumerate(pairs)]
    figures = evaluate(images, Protocol(0, 0.1)).figures
    area, hits = slow_figures(pairs)
    assert figures["pro30"][0] == pytest.approx(area, abs=1e-6)
    assert figures["region_hits"][0] == pytest.approx(hits, abs=1e-9)


def test_image_figures():
    images = several()
    figures = evaluate(images).figures
    own = [evaluate([one]).figures["auroc"][0] for one in images if one.has_defect]
    assert figures["image_mean_auroc"][0] == pytest.approx(np.mean(own))
    peaks = [one.scores.max() for one in images]
    labels = [one.has_defect for one in images]
    assert figures["image_auroc"][0] == pytest.approx(metrics.roc_auc_score(labels, peaks))


def test_bins_are_as_good_as_every_score(monkeypatch):
    images = [made(seed, 0.2, seed % 3 > 0) for seed in range(6)]
    exact = evaluate(images)
    monkeypatch.setattr(class_figures, "CLASS_EXACT_PIXELS", 100)
    binned = evaluate(images)
    assert binned.counting == "8192 bins"
    for metric in METRICS:
        assert binned.figures[metric][0] == pytest.approx(exact.figures[metric][0], abs=2e-3)


class TestRegionHits:
    def test_the_level_is_the_one_that_the_stated_share_of_normal_pixels_passes(self):
        """Of the regions one is above 99 % of the normal pixels, one is not."""
        mask = np.zeros((50, 50), np.uint8)
        mask[10, 10] = mask[30, 30] = 1
        scores = np.linspace(0, 1, 2500).reshape(50, 50)
        scores[10, 10], scores[30, 30] = 0.995, 0.985
        hits = evaluate([image("a", scores, mask)], Protocol(0, 0.01)).figures["region_hits"]
        assert hits[0] == 0.5

    def test_a_masked_region_counts_as_missed(self):
        scores, mask = np.zeros((40, 40)), np.zeros((40, 40), np.uint8)
        mask[8:12, 8:12] = mask[30:34, 30:34] = 1
        scores[8:12, 8:12] = 1
        scores[28:36, 28:36] = np.nan
        result = evaluate([image("a", scores, mask)])
        assert result.regions == (2, 1)
        assert result.figures["region_hits"][0] == 0.5
        assert result.figures["pro30"][0] == pytest.approx(0.5)
        assert result.figures["auroc"][0] == 1


class TestLowRates:
    def test_thresholds_come_from_clean_images(self):
        assert evaluate(several()).low_rates_from == "clean images"

    def test_without_one_from_the_normal_pixels_of_all(self):
        result = evaluate([made(0, 2.0), made(1, 2.0)])
        assert result.low_rates_from == "normal pixels of all images"
        assert result.figures["aupimo"][0] == pytest.approx(1)


class TestDraws:
    def test_images_drawn_once_give_the_figures_on_all(self):
        figures = evaluate(several()).figures
        for metric in METRICS:
            assert figures[metric][1] == pytest.approx(figures[metric][0], abs=2e-3), metric

    def test_a_draw_is_the_figure_of_the_drawn_images(self):
        images = several()
        drawn = evaluate(images, weights=[[2, 0, 1, 0]]).figures
        again = evaluate([images[0], images[0], images[2]]).figures
        for metric in METRICS:
            assert drawn[metric][1] == pytest.approx(again[metric][0], abs=3e-3), metric

    def test_a_draw_without_a_defect_is_undefined(self):
        figures = evaluate(several(), weights=[[0, 0, 4, 0]]).figures
        assert all(np.isnan(figures[metric][1]) for metric in METRICS)


def test_boxes_have_figures_of_regions_alone():
    figures = evaluate(several(), Protocol(0, boxes=True)).figures
    assert set(figures) == set(BOX_METRICS)
    assert "auroc" not in figures


def test_a_constant_map_is_worth_a_coin():
    mask = np.zeros((20, 20), np.uint8)
    mask[8:12, 8:12] = 1
    figures = evaluate([image("a", np.full((20, 20), 0.3), mask)]).figures
    assert figures["auroc"][0] == pytest.approx(0.5)
    assert figures["ap"][0] == pytest.approx(16 / 400)
    assert figures["aupimo"][0] == 0
    assert figures["region_hits"][0] == 0


def test_a_masked_image_leaves_the_others_alone():
    blind = image("blind", np.full((48, 48), np.nan), made(1).read_mask())
    figures = evaluate([*several(), blind]).figures
    assert figures["auroc"][0] == evaluate(several()).figures["auroc"][0]
    assert figures["region_hits"][0] == pytest.approx(
        evaluate(several()).figures["region_hits"][0] * 3 / 4, abs=1e-9
    )
