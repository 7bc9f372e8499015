import pytest
import torch

from streamer.message import Halo, Interval
from streamer.scoring.features import Edges, embed_web, fixed_scale, learn_scale
from streamer.scoring.profile import learn_profile
from streamer.scoring.web_profile import learn_web_profile


def test_profile_is_that_of_the_cores_of_all_tiles(backbone, lesson, web, tile_of) -> None:
    halo = Halo(top=16, bottom=16)
    tiles = [tile_of(web(160, 256, seed), seed, line_count=128, halo=halo) for seed in range(3)]
    learnt = learn_web_profile(iter(tiles), backbone, lesson)
    scale = fixed_scale(backbone.spec)
    cores = [embed_web(backbone, tile.pixels, Edges())[:, 2:18] for tile in tiles]
    expected = learn_profile([lesson.method.quantise(c, scale) for c in cores], scale, lesson)
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
