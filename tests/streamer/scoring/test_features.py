from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from streamer.scoring.features import (
    SCALE_SAMPLES,
    ChannelScale,
    Edges,
    embed_web,
    fixed_scale,
    learn_scale,
)


def test_scale_brings_values_to_0_1_and_leaves_its_input() -> None:
    scale = ChannelScale(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.5]))
    values = torch.tensor([[1.0, 2.0], [3.0, 9.0]])
    torch.testing.assert_close(scale.apply(values, 1), torch.tensor([[0.0, 0.0], [0.5, 1.0]]))
    torch.testing.assert_close(values, torch.tensor([[1.0, 2.0], [3.0, 9.0]]))


def test_bounded_activation_fixes_the_scale(backbone, unbounded_backbone) -> None:
    scale = fixed_scale(backbone.spec)
    assert scale.offset.tolist() == [0.0] * 4
    torch.testing.assert_close(scale.factor, torch.full((4,), 1 / 6))
    assert fixed_scale(unbounded_backbone.spec) is None


def test_learnt_scale_clips_a_thousandth_at_each_end() -> None:
    ramp = torch.arange(10_000, dtype=torch.float32).reshape(1, 100, 100)
    scale = learn_scale([ramp])
    assert scale.offset.item() == pytest.approx(10, abs=1)
    assert 1 / scale.factor.item() == pytest.approx(9980, abs=2)


def test_one_hot_position_does_not_rescale_its_channel() -> None:
    features = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    hot = features.clone()
    hot[1, 10, 10] = 1e6
    scales = learn_scale([hot]).factor, learn_scale([features]).factor
    torch.testing.assert_close(*scales, rtol=1e-3, atol=0)


def test_constant_channel_becomes_zero() -> None:
    features = torch.full((1, 9, 9), 3.0)
    assert learn_scale([features]).apply(features, 0).abs().max() == 0


def test_scale_is_learnt_over_all_maps_and_from_a_sample_of_many() -> None:
    low, high = torch.zeros(1, 40, 40), torch.ones(1, 40, 60)
    scale = learn_scale([low, high])
    assert (scale.offset.item(), scale.factor.item()) == (0.0, 1.0)
    many = torch.linspace(0, 1, 3 * SCALE_SAMPLES).reshape(1, 3, -1)
    assert learn_scale([many]).factor.item() == pytest.approx(1 / 0.998, rel=1e-3)


@given(st.integers(1, 2000))
def test_scaled_features_fill_0_1(count: int) -> None:
    values = torch.rand(1, 1, count, generator=torch.Generator().manual_seed(count)) * 7 - 3
    scaled = learn_scale([values]).apply(values, 0)
    assert scaled.min() == 0
    assert scaled.max() <= 1
    if count > 1:
        assert scaled.max() > 0.9


def test_features_of_an_edge_see_the_web_mirrored(backbone, web) -> None:
    pixels = web(64, 80)
    features = embed_web(backbone, pixels, Edges())
    assert features.shape == (4, 8, 10)
    beyond = np.pad(pixels, 16, mode="symmetric")
    torch.testing.assert_close(features, backbone.embed(beyond)[:, 2:-2, 2:-2])


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_only_own_edges_are_mirrored(backbone, web, side: str) -> None:
    pixels = web(64, 80)
    none = embed_web(backbone, pixels, Edges(*[False] * 4))
    torch.testing.assert_close(none, backbone.embed(pixels))
    one = embed_web(backbone, pixels, replace(Edges(*[False] * 4), **{side: True}))
    changed = (one != none).any(dim=0)
    border = {
        "top": changed[0],
        "bottom": changed[-1],
        "left": changed[:, 0],
        "right": changed[:, -1],
    }[side]
    assert border.all()
    assert changed.sum() == border.numel()


def test_colour_is_mirrored_too(backbone, web) -> None:
    grey = web(64, 80)
    colour = np.stack([grey] * 3, axis=2)
    torch.testing.assert_close(
        embed_web(backbone, colour, Edges()), embed_web(backbone, grey, Edges())
    )


def test_nan_and_infinity_of_the_engine_are_errors(backbone) -> None:
    pixels = np.zeros((24, 24), np.uint8)
    assert embed_web(backbone, pixels, Edges()).shape == (4, 3, 3)
    backbone.broken = True
    with pytest.raises(RuntimeError, match="features must be finite, got NaN .* from torch:cpu"):
        embed_web(backbone, pixels, Edges())


@pytest.mark.parametrize("value", [torch.inf, -torch.inf, torch.nan])
def test_a_single_bad_value_is_seen(backbone, monkeypatch, value: float) -> None:
    features = torch.zeros(4, 7, 7)
    features[2, 3, 3] = value
    monkeypatch.setattr(backbone, "embed", lambda _: features)
    with pytest.raises(RuntimeError, match="features must be finite"):
        embed_web(backbone, np.zeros((24, 24), np.uint8), Edges())
