"""The wiring of EfficientNet-lite, checked against what the published weights say of it."""

from __future__ import annotations

import pytest
import torch

from streamer.backbones.catalogue import find_entry
from streamer.backbones.efficientnet_lite import LITE0, Block, ConvNorm, LiteTrunk, _Kernel

_NAMES = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")


@pytest.mark.parametrize("name", _NAMES)
def test_batch_norms_expect_what_the_layers_before_them_give(name: str) -> None:
    """A batch norm's bias is the mean of its output, and a 1x1 convolution is linear.

    So over the training images the expansion of a block has the mean W @ (bias of the projection
    before it, plus the input's mean where that was added): the published running mean shows
    whether blocks, short cuts and batch norms are joined as they were in training.
    """
    trunk = find_entry(name).load()
    mean = trunk.blocks[0].project.norm.bias
    for block in [*trunk.blocks[1:], trunk]:
        expand = block.expand
        expected = expand.conv.weight[:, :, 0, 0] @ mean
        error = (expected - expand.norm.running_mean).norm() / expected.norm()
        assert float(error) < 0.005
        if block is not trunk:
            bias = block.project.norm.bias
            mean = mean + bias if block.adds_input else bias


@pytest.mark.parametrize("name", _NAMES)
def test_every_published_tensor_up_to_the_cut_is_used(name: str) -> None:
    entry = find_entry(name)
    trunk, published = entry.build(), entry.weights.load()
    used = {trunk.published_name(key) for key in trunk.state_dict() if "normal" not in key}
    last = len(trunk.blocks)
    heads = ("_conv_stem", "_bn0", f"_blocks.{last}._expand_conv", f"_blocks.{last}._bn0")
    inside = {
        key
        for key in published
        if key.startswith(tuple(f"_blocks.{index}." for index in range(last)))
        or key.rsplit(".", 1)[0] in heads
    }
    assert used == inside


@pytest.mark.parametrize(
    ("key", "published"),
    [
        ("stem.conv.weight", "_conv_stem.weight"),
        ("stem.norm.bias", "_bn0.bias"),
        ("blocks.0.depthwise.norm.weight", "_blocks.0._bn1.weight"),
        ("blocks.3.expand.norm.running_mean", "_blocks.3._bn0.running_mean"),
        ("blocks.4.project.conv.weight", "_blocks.4._project_conv.weight"),
        ("expand.conv.weight", "_blocks.5._expand_conv.weight"),
        ("expand.norm.bias", "_blocks.5._bn0.bias"),
    ],
)
def test_published_names(key: str, published: str) -> None:
    assert LiteTrunk(LITE0).published_name(key) == published


@pytest.mark.parametrize(
    ("name", "channels", "radius"),
    [
        ("efficientnet_lite0", 240, 33),
        ("efficientnet_lite1", 240, 53),
        ("efficientnet_lite2", 288, 53),
    ],
)
def test_geometry(name: str, channels: int, radius: int) -> None:
    trunk = find_entry(name).build()
    assert (trunk.channels, trunk.field.stride, trunk.field.radius) == (channels, 8, radius)
    assert trunk.value_range == (0.0, 6.0)


def test_mid_grey_is_the_zero_of_the_network() -> None:
    trunk = LiteTrunk(LITE0)
    grey = torch.full((1, 3, 1, 1), 127 / 255)
    torch.testing.assert_close(trunk.normalisation(grey), torch.zeros(1, 3, 1, 1))
    white = trunk.normalisation(torch.ones(1, 3, 1, 1))
    torch.testing.assert_close(white, torch.ones(1, 3, 1, 1))


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_padding_is_that_of_tensorflow(size: int, stride: int) -> None:
    """An impulse at the origin reaches output 0 through the tap at the padding's width."""
    layer = ConvNorm(_Kernel(size, stride, 1, 1, relu6=False)).eval()
    layer.conv.weight.data = torch.arange(float(size * size)).view(1, 1, size, size)
    pixels = torch.zeros(1, 1, 8, 8)
    pixels[..., 0, 0] = 1
    before = (size - stride) // 2
    found = layer(pixels)[0, 0, 0, 0] * (1 + 1e-3) ** 0.5
    torch.testing.assert_close(found, torch.tensor(float(before * size + before)))
    assert layer(pixels).shape[2:] == (8 // stride, 8 // stride)


@pytest.mark.parametrize(
    ("stride", "channels_out", "adds"), [(1, 4, True), (2, 4, False), (1, 6, False)]
)
def test_the_input_is_added_only_where_it_fits(stride: int, channels_out: int, adds: bool) -> None:
    block = Block(_Kernel(3, stride, 4, channels_out), expansion=6).eval()
    block.project.conv.weight.data.zero_()
    pixels = torch.rand(1, 4, 8, 8)
    expected = pixels if adds else torch.zeros(1, channels_out, 8 // stride, 8 // stride)
    torch.testing.assert_close(block(pixels), expected)
