"""Maps against labels on images made up here, where every figure is known beforehand."""

import numpy as np
import pytest
from fca_forms import BASE, Scored
from form_evaluation import METRICS, ScoredImage, evaluate_set, upsample

from streamer.evaluation.paired_bootstrap import draw_weights
from streamer.evaluation.pixel_metrics import auroc, count_exactly, label_regions, region_shares

SHAPE = (160, 160)
JUDGED = (128, 128)


def regions(*boxes):
    mask = np.zeros(JUDGED, np.uint8)
    for lines, columns in boxes:
        mask[lines, columns] = 1
    return label_regions(mask)


def texture(seed):
    return np.random.default_rng(seed).random((20, 20)).astype(np.float32)


def image(class_name, labels, maps):
    scored = {name: Scored(scores, 0.5) for name, scores in maps.items()}
    return ScoredImage(class_name, labels, SHAPE, scored)


def evaluate(images, metrics=tuple(METRICS), resamples=20):
    classes = [one.class_name for one in images]
    weights = draw_weights(classes, resamples, np.random.default_rng(0))
    return dict(evaluate_set(images, metrics, weights))


HOLE = (slice(40, 72), slice(40, 72))


def defective(seed, contrast):
    """A map that is `contrast` higher over the hole, at the same place as the label."""
    scores = texture(seed)
    scores[7:11, 7:11] += contrast
    return scores


class TestUpsample:
    def test_stored_vectors(self):
        """Half-pixel centres; the border, which differs between libraries, is cut off."""
        vectors = np.load(f"{__file__.rsplit('/', 2)[0]}/golden/metrics_s0.npz")
        for low, high in zip(vectors["lowres"], vectors["upsampled"], strict=True):
            found = upsample(low, high.shape)
            lines, columns = (round(0.1 * size) for size in high.shape)
            expected = high[lines:-lines, columns:-columns]
            assert np.abs(found - expected).max() < 1e-5 * high.max()

    def test_an_image_that_is_no_multiple_of_the_stride(self):
        ramp = np.tile(np.arange(20, dtype=np.float32), (20, 1))
        found = upsample(ramp, (155, 153))
        assert found.shape == (155 - 2 * 16, 153 - 2 * 15)
        assert found[0, 0] == pytest.approx((15 + 0.5) / 8 - 0.5)


class TestFigures:
    def test_they_are_those_of_the_metrics(self):
        labels = regions(HOLE)
        scores = defective(1, 0.3)
        results = evaluate([image("a", labels, {BASE: scores})])
        counts = count_exactly(upsample(scores, SHAPE), labels, region_shares(labels))
        assert results[BASE].per_image["auroc"].base == auroc(counts)
        assert results[BASE].pooled["auroc"].base == pytest.approx(auroc(counts), abs=1e-4)

    def test_the_base_differs_from_itself_by_nothing(self):
        images = [image("a", regions(HOLE), {BASE: defective(s, 0.4)}) for s in range(4)]
        result = evaluate(images)[BASE]
        assert all(pair.difference == 0 for pair in result.per_image.values())
        assert not np.nan_to_num(result.pooled["pro"].resampled).any()
        assert result.correlation == pytest.approx(1)
        assert result.decisions.agreeing == result.decisions.regions == 4

    def test_a_sharper_map_is_better_and_its_interval_says_so(self):
        images = [
            image("a", regions(HOLE), {BASE: defective(s, 0.3), "sharp": defective(s, 2.0)})
            for s in range(6)
        ]
        result = evaluate(images)["sharp"]
        for figures in (result.per_image, result.pooled):
            assert figures["auroc"].difference > 0.1
            assert figures["auroc"].interval[0] > 0
        assert result.decisions.hits == 6

    def test_images_without_defects_count_only_where_pooled(self):
        """A clean class that scores high spoils the pooled figures, not those per image."""
        found = [image("a", regions(HOLE), {BASE: defective(s, 1.5)}) for s in range(2)]
        loud = image("clean", regions(), {BASE: texture(9) + 2})
        alone, together = evaluate(found)[BASE], evaluate([*found, loud])[BASE]
        assert together.per_image["auroc"].base == alone.per_image["auroc"].base
        assert together.pooled["auroc"].base < alone.pooled["auroc"].base - 0.2

    def test_a_clean_class_belongs_to_every_class(self):
        quiet = image("clean", regions(), {BASE: texture(3)})
        both = [image(name, regions(HOLE), {BASE: defective(1, 1.0)}) for name in "ab"]
        one = evaluate([both[0], quiet])[BASE]
        two = evaluate([*both, quiet])[BASE]
        assert two.pooled["ap"].base == pytest.approx(one.pooled["ap"].base)

    def test_only_the_wanted_metrics(self):
        results = evaluate([image("a", regions(HOLE), {BASE: defective(0, 1.0)})], ("pro",))
        assert list(results[BASE].per_image) == list(results[BASE].pooled) == ["pro"]

    def test_scale_and_offset_of_a_map_change_nothing(self):
        images = [
            image("a", regions(HOLE), {BASE: m, "scaled": 1000 * m + 5})
            for m in (defective(1, 0.4), defective(2, 0.4))
        ]
        result = evaluate(images)["scaled"]
        assert abs(result.per_image["auroc"].difference) < 1e-6
        assert abs(result.pooled["pro"].difference) < 1e-3
        assert result.correlation == pytest.approx(1)

    def test_maps_that_rank_nothing_have_no_correlation(self):
        flat = np.ones((20, 20), np.float32)
        images = [
            image("a", regions(HOLE), {BASE: texture(0), "other": scores})
            for scores in (flat, -texture(0))
        ]
        assert evaluate(images)["other"].correlation == pytest.approx(-1)
        assert np.isnan(evaluate(images[:1])["other"].correlation)

    def test_time_is_per_megapixel(self):
        results = evaluate([image("a", regions(HOLE), {BASE: texture(0)})])
        assert results[BASE].seconds_per_mpix == pytest.approx(0.5 / 0.0256)


class TestDecisions:
    def test_the_threshold_comes_from_other_images(self):
        """A loud image is flooded by the threshold of a quiet one, and the other way round not."""
        quiet, loud = texture(1), texture(2) + 3
        images = [image("a", regions(HOLE), {BASE: scores}) for scores in (quiet, loud)]
        decisions = evaluate(images)[BASE].decisions
        assert decisions.base_area == pytest.approx(0.5, abs=1e-3)
        assert decisions.base_hits == 1

    @pytest.mark.parametrize(("above", "hits"), [(-0.01, 0), (0.01, 1)])
    def test_a_region_is_hit_from_the_threshold_on(self, above, hits):
        """The other image is a ramp, whose quantile is known; this one is flat."""
        ramp = np.tile(np.linspace(0, 1, 20, dtype=np.float32), (20, 1))
        threshold = np.quantile(upsample(ramp, SHAPE), 0.995)
        flat = np.full((20, 20), threshold + above, np.float32)
        images = [image("a", regions(HOLE), {BASE: flat}), image("a", regions(), {BASE: ramp})]
        assert evaluate(images)[BASE].decisions.hits == hits

    def test_agreement_counts_misses_too(self):
        """Each map sees another region of three; nobody sees the third."""
        second, third = (slice(90, 110), slice(90, 110)), (slice(8, 20), slice(90, 110))
        images = []
        for seed in range(4):
            turned = texture(seed)
            turned[13:16, 13:16] += 3
            maps = {BASE: defective(seed, 3.0), "turned": turned}
            images.append(image("a", regions(HOLE, second, third), maps))
        decisions = evaluate(images)["turned"].decisions
        assert decisions.regions == 12
        assert decisions.base_hits == decisions.hits == 4
        assert decisions.agreeing == 4

    def test_the_false_area_is_about_what_was_asked_for(self):
        images = [image("a", regions(HOLE), {BASE: defective(s, 3.0)}) for s in range(20)]
        assert evaluate(images)[BASE].decisions.area == pytest.approx(0.005, abs=0.004)

    def test_one_image_judges_itself(self):
        decisions = evaluate([image("a", regions(HOLE), {BASE: defective(0, 3.0)})])[BASE].decisions
        assert decisions.hits == decisions.regions == 1

    def test_all_figures_by_name(self):
        result = evaluate([image("a", regions(HOLE), {BASE: defective(0, 3.0)})])[BASE]
        figures = result.as_dict()
        assert figures["decisions"]["hits"] == 1
        assert figures["decisions"]["area_percent"] == 100 * result.decisions.area
        assert figures["per_image"]["pro"]["form"] == result.per_image["pro"].form
        assert set(figures["pooled"]) == set(METRICS)
