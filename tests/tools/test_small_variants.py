"""Each variant on a woven still: its grid, what it must not change, and what it is made of."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_variants import (
    BASE,
    VARIANTS,
    MergedFca,
    OrderedFca,
    RememberingBackbone,
    Subject,
    by_noise,
    plain,
    standardised,
    to_stride,
    top_channels,
)

import kernels
from streamer.backbones import open_backbone
from streamer.cli.stills import still_lesson
from streamer.config import Config
from streamer.correction.still import Still
from streamer.scoring import open_scorer

SHAPE, HOLE = (164, 176), (slice(76, 92), slice(84, 100))


def weave(shape=SHAPE) -> np.ndarray:
    down, across = np.mgrid[: shape[0], : shape[1]]
    noise = np.random.default_rng(5).normal(0, 4, shape)
    pixels = 120 + 25 * np.sin(down * 1.1) + 25 * np.sin(across * 0.9) + noise
    return pixels.astype(np.uint8)


@pytest.fixture(scope="module")
def backbone():
    config = Config.model_validate({"backbone": {"threads": 1}})
    with closing(RememberingBackbone(open_backbone(config.backbone))) as opened:
        yield opened


@pytest.fixture
def subject(backbone) -> Subject:
    pixels = weave()
    pixels[HOLE] = 20
    config = Config.model_validate({"backbone": {"threads": 1}})
    still = Still(pixels)
    return Subject(still, backbone, still_lesson(still, config, backbone.spec))


@pytest.mark.parametrize("name", list(VARIANTS))
class TestEach:
    def test_a_hole_scores_highest(self, name, subject) -> None:
        found = VARIANTS[name](subject)
        size = [-(-length // found.stride) for length in SHAPE]
        assert found.scores.shape == tuple(size)
        place = np.array(np.unravel_index(np.argmax(found.scores), size)) * found.stride
        assert np.abs(place - [84, 92]).max() <= 16

    def test_what_is_off_the_web_stays_masked(self, name, subject) -> None:
        off = np.zeros(SHAPE, bool)
        off[:, :40] = True
        masked = replace(subject, still=replace(subject.still, off_web=off))
        found = VARIANTS[name](masked)
        cells = 40 // found.stride
        # A grid that is moved, or flipped on cells that are cut, may lose half a cell beside it.
        assert np.isnan(found.scores[:, : cells - 1]).all()
        assert np.isfinite(found.scores[:, cells + 1 :]).all()


def test_the_first_is_the_product_and_names_differ() -> None:
    assert next(iter(VARIANTS)) == BASE
    assert VARIANTS[BASE] is plain


def draw(channels=5, size=14, levels=12) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    drawn = torch.randint(0, levels, (channels, size, size), generator=generator).to(torch.uint8)
    return drawn, kernels.median_reference(drawn, 9)


class TestMethods:
    def test_the_mean_of_the_channels_is_the_product(self) -> None:
        levels, reference = draw()
        known = open_scorer(Config().scoring)
        merged = MergedFca(9, 12, 2, 0.8).score(levels, reference)
        assert np.allclose(merged, known.score(levels, reference), atol=1e-6)

    def test_fewer_windows_lie_on_both_sides_of_all(self) -> None:
        levels, reference = draw()
        low, every, high = (
            OrderedFca(9, 12, 2, 0.8, count=n).score(levels, reference) for n in (-8, 25, 8)
        )
        assert (low < every).all()
        assert (every < high).all()
        assert np.isfinite(high).all()

    def test_all_windows_whichever_way_they_are_sorted(self) -> None:
        levels, reference = draw()
        up, down = (OrderedFca(9, 12, 2, 0.8, count=n).score(levels, reference) for n in (25, -25))
        assert np.allclose(up, down, atol=1e-6)


class TestMerging:
    def test_a_noisy_channel_counts_less(self) -> None:
        maps = torch.stack([torch.full((6, 6), 0.1), torch.full((6, 6), 0.9)])
        maps[0, 2, 2] = maps[1, 4, 4] = 1.0
        plain_mean, weighted = maps.mean(dim=0), by_noise(maps, 1.0)
        gain = weighted / weighted.median()
        assert gain[2, 2] > plain_mean[2, 2] / plain_mean.median()
        assert gain[2, 2] > gain[4, 4]

    def test_no_power_is_the_mean(self) -> None:
        maps = torch.rand(4, 6, 6, generator=torch.Generator().manual_seed(2))
        assert torch.allclose(by_noise(maps, 0.0), maps.mean(dim=0))

    def test_standardised_maps_have_no_unit(self) -> None:
        maps = torch.rand(4, 8, 8, generator=torch.Generator().manual_seed(3))
        assert torch.allclose(standardised(maps), standardised(3 * maps), atol=1e-4)
        assert standardised(maps).flatten(1).mean(dim=1).abs().max() < 0.1
        assert standardised(maps).flatten(1).std(dim=1).sub(0.9).abs().max() < 0.1

    def test_channels_that_are_mostly_silent_have_noise_of_their_own(self) -> None:
        """Nine of ten cells are 0, so that all medians are."""
        generator = torch.Generator().manual_seed(4)
        spikes = (torch.rand(2, 20, 20, generator=generator) < 0.1).float()
        maps = spikes * torch.tensor([0.1, 0.9]).view(2, 1, 1)
        assert maps.flatten(1).median(dim=1).values.tolist() == [0, 0]
        weighted = by_noise(maps, 1.0)
        alone = [weighted[(spikes[n] > 0) & (spikes[1 - n] == 0)].mean() for n in range(2)]
        assert alone[1] < 2 * alone[0] < alone[0] * 9

    def test_a_defect_is_no_noise(self) -> None:
        maps = torch.rand(2, 20, 20, generator=torch.Generator().manual_seed(5)) * 0.1
        spoilt = maps.clone()
        spoilt[0, 3, 3] = 1.0
        clean, dirty = by_noise(maps, 1.0), by_noise(spoilt, 1.0)
        assert torch.allclose(clean[10:], dirty[10:], rtol=0.01)

    def test_a_silent_channel_does_not_divide_by_nothing(self) -> None:
        maps = torch.zeros(2, 5, 5)
        maps[1, 2, 2] = 1.0
        for merge in (standardised, lambda m: by_noise(m, 1.0)):
            assert torch.isfinite(merge(maps)).all()

    def test_the_top_share(self) -> None:
        maps = torch.arange(8.0).view(8, 1, 1).expand(8, 3, 3)
        assert (top_channels(maps, 0.25) == 6.5).all()
        assert (top_channels(maps, 0.01) == 7).all()


class TestRemembering:
    def test_the_same_pixels_are_embedded_once(self, subject) -> None:
        asked = []

        class Counting:
            spec = subject.backbone.spec

            def embed(self, pixels):
                asked.append(pixels.shape)
                return subject.backbone.embed(pixels)

        counting = RememberingBackbone(Counting())
        one = replace(subject, backbone=counting)
        first, again = plain(one), plain(one)
        assert np.array_equal(first.scores, again.scores)
        assert len(asked) == 1
        assert counting.saved_s > 0
        counting.forget()
        plain(one)
        assert len(asked) == 2

    def test_who_writes_into_features_spoils_none(self, subject) -> None:
        backbone = RememberingBackbone(subject.backbone)
        pixels = weave((64, 64))
        first = backbone.embed(pixels)
        kept = first.clone()
        first.zero_()
        assert torch.equal(backbone.embed(pixels), kept)


def test_a_finer_grid_keeps_the_place(subject) -> None:
    coarse = plain(subject)
    fine = to_stride(coarse, SHAPE, 4)
    assert fine.scores.shape == (41, 44)
    rows, columns = (np.unravel_index(np.argmax(one.scores), one.scores.shape)
                     for one in (coarse, fine))  # fmt: skip
    assert np.abs(np.array(rows) * 8 + 4 - (np.array(columns) * 4 + 2)).max() <= 4


def test_other_methods_are_refused(subject) -> None:
    method = open_scorer(Config.model_validate({"scoring": {"method": "fca"}}).scoring)
    other = replace(subject, lesson=replace(subject.lesson, method=method))
    with pytest.raises(ValueError, match="method must be fca_fast, got fca"):
        VARIANTS["windows 5"](other)
