"""ResNet trunks: the layers that torchvision's published weights have."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from streamer.backbones.resnet import (
    RESNET18,
    RESNET50,
    WIDE_RESNET50_2,
    Residual,
    ResNetShape,
    ResNetTrunk,
)

# Shapes of torchvision's state dicts, from its published networks.
_PUBLISHED = {
    "resnet18": (
        RESNET18,
        {
            "conv1.weight": (64, 3, 7, 7),
            "bn1.running_var": (64,),
            "layer1.0.conv1.weight": (64, 64, 3, 3),
            "layer1.1.bn2.bias": (64,),
            "layer2.0.conv1.weight": (128, 64, 3, 3),
            "layer2.0.downsample.0.weight": (128, 64, 1, 1),
            "layer2.0.downsample.1.running_mean": (128,),
            "layer2.1.conv2.weight": (128, 128, 3, 3),
        },
    ),
    "resnet50": (
        RESNET50,
        {
            "layer1.0.conv1.weight": (64, 64, 1, 1),
            "layer1.0.conv2.weight": (64, 64, 3, 3),
            "layer1.0.conv3.weight": (256, 64, 1, 1),
            "layer1.0.downsample.0.weight": (256, 64, 1, 1),
            "layer1.2.conv1.weight": (64, 256, 1, 1),
            "layer2.0.conv1.weight": (128, 256, 1, 1),
            "layer2.0.conv2.weight": (128, 128, 3, 3),
            "layer2.0.downsample.0.weight": (512, 256, 1, 1),
            "layer2.3.conv3.weight": (512, 128, 1, 1),
            "layer2.3.bn3.weight": (512,),
        },
    ),
    "wide_resnet50_2": (
        WIDE_RESNET50_2,
        {
            "layer1.0.conv1.weight": (128, 64, 1, 1),
            "layer1.0.conv3.weight": (256, 128, 1, 1),
            "layer2.0.conv2.weight": (256, 256, 3, 3),
            "layer2.3.conv3.weight": (512, 256, 1, 1),
        },
    ),
}
# Convolutions, their batch norms (four tensors and a counter each) and short cuts.
_TENSORS = {"resnet18": 60, "resnet50": 144, "wide_resnet50_2": 144}


@pytest.mark.parametrize("name", _PUBLISHED)
def test_layers_are_named_and_shaped_as_published(name: str) -> None:
    shape, expected = _PUBLISHED[name]
    state = ResNetTrunk(shape).state_dict()
    assert {key: tuple(state[key].shape) for key in expected} == expected
    assert len([key for key in state if "normalisation" not in key]) == _TENSORS[name]


@pytest.mark.parametrize(
    ("shape", "channels", "radius"),
    [(RESNET18, 128, 49), (RESNET50, 512, 45), (WIDE_RESNET50_2, 512, 45)],
)
def test_geometry(shape: ResNetShape, channels: int, radius: int) -> None:
    trunk = ResNetTrunk(shape)
    assert (trunk.channels, trunk.field.stride, trunk.field.radius) == (channels, 8, radius)
    assert trunk.value_range is None


def test_the_stride_of_a_bottleneck_is_in_its_3x3_convolution() -> None:
    block = ResNetTrunk(RESNET50).layer2[0]
    assert [window.stride for window in block.windows()] == [1, 2, 1]
    assert [window.size for window in block.windows()] == [1, 3, 1]


def test_input_is_normalised_as_imagenet() -> None:
    trunk = ResNetTrunk(RESNET18)
    pixels = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    torch.testing.assert_close(trunk.normalisation(pixels), torch.zeros(1, 3, 1, 1))


def _pointwise(weight: float) -> nn.Conv2d:
    layer = nn.Conv2d(1, 1, 1, bias=False)
    layer.weight.data.fill_(weight)
    return layer


def test_a_block_adds_before_its_last_relu_and_filters_after_the_others() -> None:
    block = Residual([_pointwise(-2.0), _pointwise(3.0)], nn.Identity()).eval()
    scale = (1 + 1e-5) ** -0.5
    pixels = torch.tensor([[[[1.0, -1.0]]]])
    # 1: relu(-2) = 0, and 0 * 3 + 1; -1: relu(2) = 2, and 2 * 3 - 1.
    expected = torch.tensor([[[[1.0, 6 * scale**2 - 1]]]])
    torch.testing.assert_close(block(pixels), expected)


def test_a_layer_that_is_no_convolution_has_no_window() -> None:
    block = Residual([_pointwise(1.0)], nn.Identity())
    block.conv1 = nn.Identity()
    with pytest.raises(TypeError, match="layer must be a convolution, got Identity"):
        block.windows()
