from dataclasses import replace

import numpy as np
import pytest
import torch

import kernels
from streamer.message import Halo, Interval
from streamer.scoring.bands import BandPlace
from streamer.scoring.brightness import BOX_RADIUS, log_brightness
from streamer.scoring.features import Edges, embed_web, fixed_scale, learn_scale
from streamer.scoring.lesson import Lesson
from streamer.scoring.profile import learn_profile
from streamer.scoring.web_profile import learn_web_profile


def test_profile_is_that_of_the_cores_of_all_tiles(backbone, lesson, web, tile_of) -> None:
    halo = Halo(top=16, bottom=16)
    tiles = [tile_of(web(160, 256, seed), seed, line_count=128, halo=halo) for seed in range(3)]
    learnt = learn_web_profile(iter(tiles), backbone, lesson)
    scale = fixed_scale(backbone.spec)
    cores = [embed_web(backbone, tile.pixels, Edges())[:, 2:18] for tile in tiles]
    strip = lesson.method.quantise(torch.cat(cores, dim=1), scale)
    assert learnt.digest == learn_profile([strip], scale, lesson).digest


def test_pieces_of_web_are_learnt_apart(backbone, lesson, web, tile_of) -> None:
    tiles = [tile_of(web(128, 256, seed), seed) for seed in range(3)]
    learnt = learn_web_profile(tiles, backbone, lesson)
    scale = fixed_scale(backbone.spec)
    maps = [embed_web(backbone, tile.pixels, lesson.edges(tile.halo)) for tile in tiles]
    expected = learn_profile([lesson.method.quantise(m, scale) for m in maps], scale, lesson)
    assert learnt.digest == expected.digest


def test_masked_columns_teach_nothing(backbone, lesson, web, tile_of) -> None:
    clean = tile_of(web(128, 256))
    dirty = clean.pixels.copy()
    dirty[:, :56] = 255
    masked = tile_of(dirty, masked=(Interval(0, 80),))
    # Beyond the receptive field of what lies under the mask, both see the same web.
    beyond = tile_of(clean.pixels, masked=(Interval(0, 80),))
    learnt = [learn_web_profile([tile], backbone, lesson) for tile in (masked, beyond)]
    assert learnt[0].digest == learnt[1].digest
    assert learnt[0].digest != learn_web_profile([clean], backbone, lesson).digest


def test_unbounded_features_are_scaled_over_the_whole_web(
    unbounded_backbone, lesson, web, tile_of
) -> None:
    tiles = [tile_of(web(128, 256, seed) // (1 + seed)) for seed in range(2)]
    learnt = learn_web_profile(tiles, unbounded_backbone, lesson)
    features = [embed_web(unbounded_backbone, tile.pixels, Edges()) for tile in tiles]
    torch.testing.assert_close(learnt.scale.factor, learn_scale(features).factor)


def test_nothing_to_learn_from_is_an_error(backbone, lesson, web, tile_of) -> None:
    with pytest.raises(ValueError, match="maps must hold a window of 9 x 9 features, got"):
        learn_web_profile([], backbone, lesson)
    with pytest.raises(ValueError, match="maps must hold a window"):
        learn_web_profile([tile_of(web(64, 256))], backbone, lesson)


@pytest.fixture
def banded(lesson) -> Lesson:
    return replace(lesson, band_width=8)


def test_bands_are_those_of_the_web_in_one_lane_or_in_two(backbone, banded, web, tile_of) -> None:
    pixels = web(160, 512)
    pixels[:, 384:] //= 2  # a margin
    halo = Halo(bottom=32)
    whole = tile_of(pixels, line_count=128, halo=halo)
    core = {"line_count": 128, "column_count": 256}
    left = tile_of(pixels[:, :352], halo=replace(halo, right=96), **core)
    right = tile_of(pixels[:, 160:], lane=1, first_column=256, halo=replace(halo, left=96), **core)
    one, two = (learn_web_profile(tiles, backbone, banded) for tiles in ([whole], [left, right]))
    assert one.bands == two.bands == BandPlace(8, 0)
    assert one.reference.shape == two.reference.shape == (8, 4, 81)
    inner = [0, 1, 2, 5, 6, 7]  # windows across both lanes are in neither
    assert torch.equal(one.reference[inner], two.reference[inner])
    features = embed_web(backbone, pixels, Edges())[:, :16]
    quantised = banded.method.quantise(features, one.scale)
    expected = kernels.median_reference(quantised, 9, band_width=8)
    assert torch.equal(one.reference[1:7], expected[1:7])  # the outermost have few windows


def test_a_margin_is_normal_where_it_is_normal(backbone, lesson, banded, web, tile_of) -> None:
    pixels = web(256, 512)
    pixels[:, 384:] = 240
    flawed = web(128, 512, 3)
    flawed[:, 384:] = 240
    flawed[40:88, 120:168] = 240  # the margin's grey where the fabric is
    shares = {}
    for name, how in (("one", lesson), ("bands", banded)):
        profile = learn_web_profile([tile_of(pixels)], backbone, how)
        quantised = how.method.quantise(embed_web(backbone, flawed, Edges()), profile.scale)
        scores = profile.calibration.normalise(profile.score(how.method, quantised, 0))
        shares[name] = scores[6:10, 16:20].min()
    assert shares["bands"] > 1 > shares["one"]


def test_masked_columns_and_seams_are_in_no_window_of_a_band(
    backbone, banded, web, tile_of
) -> None:
    clean = [tile_of(web(128, 256, n), n) for n in range(2)]
    masked = (Interval(0, 80),)
    tiles = [replace(tile, masked=masked) for tile in clean]
    dirty = []
    for tile in tiles:
        pixels = tile.pixels.copy()
        pixels[:, :56] = 255
        dirty.append(replace(tile, pixels=pixels))
    learnt = [learn_web_profile(one, backbone, banded) for one in (tiles, dirty)]
    assert torch.equal(learnt[0].reference, learnt[1].reference)
    # Each tile is a piece of its own: order says nothing.
    again = learn_web_profile(reversed(tiles), backbone, banded)
    assert torch.equal(again.reference, learnt[0].reference)


def test_unbounded_features_share_one_scale_over_all_lanes(
    unbounded_backbone, banded, web, tile_of
) -> None:
    tiles = [tile_of(web(128, 256, n) // (1 + n), lane=n, first_column=256 * n) for n in range(2)]
    learnt = learn_web_profile(tiles, unbounded_backbone, banded)
    features = [embed_web(unbounded_backbone, tile.pixels, Edges()) for tile in tiles]
    torch.testing.assert_close(learnt.scale.factor, learn_scale(features).factor)
    assert learnt.reference.shape[0] == 8


def test_no_bands_without_a_window(backbone, banded, web, tile_of) -> None:
    for tiles in (
        [],
        [tile_of(web(64, 256))],
        [tile_of(web(128, 256), masked=(Interval(0, 256),))],
    ):
        with pytest.raises(ValueError, match="maps must hold a window of 9 x 9 features, got"):
            learn_web_profile(tiles, backbone, banded)


@pytest.mark.parametrize("band_width", [None, 8])
def test_brightness_is_that_of_the_web_in_one_lane_or_in_two(
    band_width, backbone, lesson, web, tile_of
) -> None:
    lesson = replace(lesson, band_width=band_width, brightness=True)
    pixels = web(160, 512)
    halo = Halo(bottom=32)
    whole = tile_of(pixels, line_count=128, halo=halo)
    core = {"line_count": 128, "column_count": 256}
    left = tile_of(pixels[:, :352], halo=replace(halo, right=96), **core)
    right = tile_of(pixels[:, 160:], lane=1, first_column=256, halo=replace(halo, left=96), **core)
    one, two = (
        learn_web_profile(tiles, backbone, lesson).brightness for tiles in ([whole], [right, left])
    )
    assert torch.equal(one.median, two.median)
    assert (one.first_column, one.noise) == (two.first_column, two.noise)
    expected = np.median(log_brightness(pixels, 8)[:16], axis=0)
    np.testing.assert_allclose(one.median, expected, rtol=1e-6)


def test_masked_columns_teach_no_brightness(backbone, lesson, web, tile_of) -> None:
    lesson = replace(lesson, brightness=True)
    pixels = web(128, 256)
    pixels[:, :80] = 255
    masked = tile_of(pixels, masked=(Interval(0, 80),))
    learnt = learn_web_profile([masked], backbone, lesson).brightness
    expected = np.median(log_brightness(pixels, 8), axis=0)
    np.testing.assert_allclose(learnt.median[10:], expected[10:], rtol=1e-6)
    assert set(learnt.median[:10].tolist()) == {float(learnt.median[10])}
    assert BOX_RADIUS < 10


def test_texture_is_learnt_the_same_with_brightness(backbone, lesson, web, tile_of) -> None:
    tiles = [tile_of(web(128, 256, seed), seed) for seed in range(2)]
    plain = learn_web_profile(tiles, backbone, lesson)
    bright = learn_web_profile(tiles, backbone, replace(lesson, brightness=True))
    assert plain.brightness is None
    assert replace(bright, brightness=None).digest == plain.digest
