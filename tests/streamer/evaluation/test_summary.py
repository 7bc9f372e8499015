"""Classes to sets to runs: which images are pooled, means over what is defined, paired runs."""

import numpy as np
import pytest

from streamer.evaluation.class_figures import Protocol
from streamer.evaluation.judging import ScoredImage
from streamer.evaluation.summary import (
    Resampling,
    RunResult,
    Seconds,
    estimates,
    evaluate_set,
    mean_figures,
    pair_figures,
)


def image(class_name, seed, defective=True, contrast=0.3):
    scores = np.random.default_rng(seed).random((40, 40)).astype(np.float32)
    mask = np.zeros((40, 40), np.uint8)
    mask[10:16, 10:16] = defective
    scores[mask > 0] += np.float32(contrast)
    return ScoredImage(f"{seed}", class_name, (40, 40), defective, lambda: mask, scores, 1)


def evaluate(images, resampling=None):
    weights = (resampling or Resampling(resamples=20)).weights("set", images)
    protocols = {one.class_name: Protocol() for one in images}
    return evaluate_set(images, weights, protocols)


class TestSets:
    def test_clean_images_of_other_classes_join_each_class_with_defects(self):
        images = [image("a", 0), image("b", 1), image("free", 2, False), image("free", 3, False)]
        result = evaluate(images)
        assert list(result.classes) == ["a", "b"]
        assert [len(one.images) for one in result.classes.values()] == [3, 3]

    def test_the_mean_is_over_the_classes(self):
        result = evaluate([image("a", 0), image("a", 1), image("b", 2)])
        of_classes = [one.figures["auroc"][0] for one in result.classes.values()]
        assert result.mean["auroc"][0] == pytest.approx(np.mean(of_classes))
        assert result.mean["auroc"].shape == (21,)

    def test_a_set_without_defects_has_no_figures(self):
        result = evaluate([image("a", 0, False)])
        assert (result.classes, result.mean) == ({}, {})

    def test_a_class_that_is_masked_altogether_has_none(self):
        blind = image("a", 0)
        blind.scores[:] = np.nan
        assert list(evaluate([blind, image("b", 1)]).classes) == ["b"]

    def test_the_same_seed_gives_the_same_intervals(self):
        images = [image("a", n) for n in range(4)]
        first, again = (evaluate(images, Resampling(3, 10)).mean["auroc"] for _ in range(2))
        other = evaluate(images, Resampling(4, 10)).mean["auroc"]
        assert np.array_equal(first, again)
        assert first[0] == other[0]
        assert not np.array_equal(first[1:], other[1:])


class TestMeans:
    def test_an_undefined_figure_is_left_out(self):
        nan = float("nan")
        means = mean_figures([{"auroc": np.array([0.6, 0.5])}, {"auroc": np.array([nan, nan])}])
        assert means["auroc"] == pytest.approx([0.6, 0.5])

    def test_no_figure_at_all_is_no_mean(self):
        assert mean_figures([{"auroc": np.full(3, np.nan)}]) == {}
        assert mean_figures([]) == {}


class TestPairs:
    def test_both_runs_are_redrawn_together(self):
        base, form = {"auroc": np.array([0.5, 0.4, 0.6])}, {"auroc": np.array([0.6, 0.6, 0.7])}
        pair = pair_figures(base, form)["auroc"]
        assert pair.difference == pytest.approx(0.1)
        assert pair.resampled == pytest.approx([0.2, 0.1])

    def test_what_one_of_them_lacks_is_left_out(self):
        nan = np.full(2, np.nan)
        assert pair_figures({"auroc": nan, "ap": nan}, {"auroc": np.ones(2)}) == {}

    def test_a_better_map_is_better_with_its_whole_interval(self):
        base = [image("a", n, contrast=0.1) for n in range(5)]
        form = [image("a", n, contrast=0.5) for n in range(5)]
        pair = pair_figures(evaluate(base).mean, evaluate(form).mean)["auroc"]
        assert 0 < pair.interval[0] <= pair.difference <= pair.interval[1]


def test_estimates_carry_their_interval():
    found = estimates({"auroc": np.array([0.5, 0.4, 0.6])})
    assert found["auroc"]["value"] == 0.5
    assert 0.4 <= found["auroc"]["low"] < found["auroc"]["high"] <= 0.6


def test_seconds_per_megapixel():
    total = Seconds(1, 2, 4, 1, 1).plus(Seconds(1, 0, 4, 3, 0))
    assert total.per_megapixel == {
        "backbone": 0.25,
        "scoring": 0.25,
        "backbone_cpu": 0.5,
        "scoring_cpu": 0.125,
    }
    assert np.isnan(Seconds().per_megapixel["scoring"])


def test_a_run_is_the_mean_of_its_sets():
    sets = {"s": evaluate([image("a", 0)]), "t": evaluate([image("b", 1), image("c", 2)])}
    run = RunResult.over("base", sets, {("s", "a"): Seconds(1, 1, 1), ("t", "b"): Seconds(2, 0, 1)})
    parts = [one.mean["ap"][0] for one in sets.values()]
    assert run.mean["ap"][0] == pytest.approx(np.mean(parts))
    assert run.total_seconds == Seconds(3, 1, 2)
