"""Other layers of EfficientNet-lite, against the plain network with its published weights."""

from __future__ import annotations

import pytest
import torch

from streamer.backbones.catalogue import find_entry
from streamer.backbones.efficientnet_levels import LiteFineTrunk, LiteStride4Trunk, _levels
from streamer.backbones.efficientnet_lite import LITE0, LiteTrunk

_LITES = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
_FORMS = ("efficientnet_lite0_fine", "efficientnet_lite0_stride4")


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.rand(2, 3, 96, 112, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", _LITES)
def test_expanding_the_block_outputs_gives_the_plain_features(
    name: str, pixels: torch.Tensor
) -> None:
    plain = find_entry(name).load()
    outputs = find_entry(f"{name}_block").load()(pixels)
    assert outputs.shape[1] * 6 == plain.channels
    assert float(outputs.min()) < 0
    torch.testing.assert_close(plain.expand(outputs), plain(pixels))


def test_stride_4_is_the_widened_input_of_the_stride_8_stage(pixels: torch.Tensor) -> None:
    plain = find_entry("efficientnet_lite0").load()
    trunk = find_entry("efficientnet_lite0_stride4").load()
    x = plain.stem(plain.normalisation(pixels))
    for block in plain.blocks[:3]:
        x = block(x)
    expected = plain.blocks[3].expand(x)
    assert expected.shape == (2, 144, 24, 28)
    torch.testing.assert_close(trunk(pixels), expected)


def test_fine_features_are_both_levels(pixels: torch.Tensor) -> None:
    fine = find_entry("efficientnet_lite0_fine").load()(pixels)
    stride4 = find_entry("efficientnet_lite0_stride4").load()(pixels)
    plain = find_entry("efficientnet_lite0").load()(pixels)
    torch.testing.assert_close(fine[:, :144], stride4)
    torch.testing.assert_close(fine[:, 144:, ::2, ::2], plain)


def test_features_between_are_those_of_the_moved_web(pixels: torch.Tensor) -> None:
    fine = find_entry("efficientnet_lite0_fine").load()(pixels)[:, 144:]
    plain = find_entry("efficientnet_lite0").load()
    moved = plain(pixels[..., 4:-4, 4:-4])
    inner = slice(5, -5)  # free of what lies beyond the borders
    between = fine[..., 1:-1:2, 1:-1:2]
    assert between.shape == moved.shape
    torch.testing.assert_close(between[..., 5:6, inner], moved[..., 5:6, inner])


@pytest.mark.parametrize(
    ("name", "channels", "stride", "radius"),
    [
        ("efficientnet_lite0_block", 40, 8, 33),
        ("efficientnet_lite1_block", 40, 8, 53),
        ("efficientnet_lite2_block", 48, 8, 53),
        ("efficientnet_lite0_fine", 384, 4, 37),
        ("efficientnet_lite0_stride4", 144, 4, 9),
    ],
)
def test_geometry(name: str, channels: int, stride: int, radius: int) -> None:
    trunk = find_entry(name).build()
    assert trunk.channels == channels
    assert (trunk.field.stride, trunk.field.radius) == (stride, radius)


def test_block_outputs_have_no_range_and_the_others_that_of_relu6() -> None:
    assert all(find_entry(f"{name}_block").build().value_range is None for name in _LITES)
    assert all(find_entry(name).build().value_range == (0.0, 6.0) for name in _FORMS)


def test_every_form_has_a_digest_of_its_own() -> None:
    """Some rest on the same weights, but a profile of one fits no other."""
    names = ("efficientnet_lite0", "efficientnet_lite0_block", *_FORMS)
    assert len({find_entry(name).load().digest for name in names}) == len(names)


@pytest.mark.parametrize("kind", [LiteFineTrunk, LiteStride4Trunk])
def test_published_names_are_those_of_the_plain_network(
    kind: type[LiteTrunk],
) -> None:
    plain, other = LiteTrunk(LITE0), kind(LITE0)
    known = {plain.published_name(key) for key in plain.state_dict() if "normal" not in key}
    used = {other.published_name(key) for key in other.state_dict() if "normal" not in key}
    assert used <= known
    assert len(used) == len([key for key in other.state_dict() if "normal" not in key])


def test_blocks_that_are_none_are_refused() -> None:
    with pytest.raises(TypeError, match=r"blocks\[3\] must be a Block, got Identity"):
        _levels(torch.nn.Sequential(*(torch.nn.Identity() for _ in range(5))), LITE0)
