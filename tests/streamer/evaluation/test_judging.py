"""From a map and a mask to judged pixels: the crop first, then the regions; masked cells out."""

import numpy as np
import pytest

from streamer.evaluation import judging
from streamer.evaluation.judging import ScoredImage, count, image_figures, judge, region_peaks
from streamer.evaluation.pixel_metrics import auroc, average_precision, count_exactly, pro


def image(scores, mask, stride=1):
    scores, mask = np.asarray(scores, np.float32), np.asarray(mask, np.uint8)
    return ScoredImage("a", "c", mask.shape, bool(mask.any()), lambda: mask, scores, stride)


def noise(shape=(40, 40), seed=0):
    return np.random.default_rng(seed).random(shape)


def boxes(shape, *places):
    mask = np.zeros(shape, np.uint8)
    for lines, columns in places:
        mask[lines, columns] = 255
    return mask


class TestJudge:
    def test_a_region_cut_by_the_crop_is_the_smaller_region(self):
        mask = boxes((40, 40), (slice(0, 6), slice(10, 14)))
        pixels = judge(image(noise(), mask), 0.1)
        assert (pixels.regions > 0).sum() == 2 * 4
        assert pixels.shares.sum() == pytest.approx(1)

    def test_the_crop_may_cut_one_region_in_two(self):
        mask = boxes((40, 40), (slice(2, 9), slice(8, 10)), (slice(2, 9), slice(20, 22)))
        mask[2:4, 8:22] = 255
        assert judge(image(noise(), mask), 0).region_total == 1
        assert judge(image(noise(), mask), 0.1).region_total == 2

    def test_defects_in_the_border_alone_make_a_clean_image(self):
        pixels = judge(image(noise(), boxes((40, 40), (slice(0, 3), slice(0, 40)))), 0.1)
        assert not pixels.is_defective

    def test_masked_cells_take_no_part(self):
        scores = noise((5, 5)).astype(np.float32)
        scores[:, 3:] = np.nan
        mask = boxes((40, 40), (slice(8, 12), slice(20, 28)), (slice(30, 34), slice(30, 34)))
        pixels = judge(image(scores, mask, 8), 0)
        assert pixels.scores.size == 40 * 24
        assert (pixels.region_total, pixels.region_masked) == (2, 1)
        assert (pixels.regions > 0).sum() == 4 * 4
        assert region_peaks(pixels)[1] == -np.inf

    def test_all_masked_has_no_peak(self):
        pixels = judge(image(np.full((4, 4), np.nan), np.zeros((4, 4))), 0)
        assert np.isnan(pixels.peak)
        assert all(np.isnan(value) for value in image_figures(pixels).values())


class TestFigures:
    def test_they_are_those_of_the_metrics(self):
        scores, mask = noise(), boxes((40, 40), (slice(8, 20), slice(8, 20)))
        scores[mask > 0] += 0.4
        pixels = judge(image(scores, mask), 0)
        exact = count_exactly(pixels.scores, pixels.regions, pixels.shares)
        assert image_figures(pixels) == {
            "image_mean_auroc": auroc(exact),
            "image_mean_ap": average_precision(exact),
            "image_mean_pro30": pro(exact),
        }

    def test_a_region_that_is_masked_counts_as_missed(self):
        scores = boxes((40, 40), (slice(8, 12), slice(8, 12))).astype(np.float32)
        scores[30:34, 30:34] = np.nan
        mask = boxes((40, 40), (slice(8, 12), slice(8, 12)), (slice(30, 34), slice(30, 34)))
        figures = image_figures(judge(image(scores, mask), 0))
        assert figures["image_mean_auroc"] == 1
        assert figures["image_mean_pro30"] == pytest.approx(0.5)

    def test_large_images_are_counted_in_fine_bins(self, monkeypatch):
        scores, mask = noise((200, 200)), boxes((200, 200), (slice(40, 80), slice(40, 80)))
        scores[mask > 0] += 0.3
        pixels = judge(image(scores, mask), 0)
        exact = image_figures(pixels)
        monkeypatch.setattr(judging, "EXACT_PIXELS", 100)
        assert count(pixels).normal.size == judging.FINE_BINS
        assert image_figures(pixels) == pytest.approx(exact, abs=1e-4)

    def test_large_constant_images_are_worth_a_coin(self, monkeypatch):
        monkeypatch.setattr(judging, "EXACT_PIXELS", 10)
        mask = boxes((20, 20), (slice(8, 12), slice(8, 12)))
        figures = image_figures(judge(image(np.full((20, 20), 0.2), mask), 0))
        assert figures["image_mean_auroc"] == pytest.approx(0.5)


def test_peaks_of_regions():
    mask = boxes((20, 20), (slice(2, 4), slice(2, 4)), (slice(10, 14), slice(10, 14)))
    scores = np.zeros((20, 20))
    scores[3, 3], scores[12, 11] = 0.4, 0.9
    assert region_peaks(judge(image(scores, mask), 0)) == pytest.approx([0.4, 0.9])
