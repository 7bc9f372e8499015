"""VGG-19's first layers: those that torchvision's published weights have."""

from __future__ import annotations

import pytest
import torch

from streamer.backbones.catalogue import find_entry
from streamer.backbones.vgg import VggTrunk
from streamer.backbones.weights import DownloadedWeights

# Shapes of torchvision's state dict, from its published network.
_PUBLISHED = {
    "features.0.weight": (64, 3, 3, 3),
    "features.0.bias": (64,),
    "features.2.weight": (64, 64, 3, 3),
    "features.2.bias": (64,),
}


def _published() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return {name: torch.randn(shape) / 8 for name, shape in _PUBLISHED.items()}


@pytest.fixture
def trunk() -> VggTrunk:
    built = VggTrunk().requires_grad_(requires_grad=False)
    built.load_weights(_published())
    return built


def test_layers_are_named_and_shaped_as_published() -> None:
    trunk = VggTrunk()
    state = {
        trunk.published_name(key): tuple(value.shape)
        for key, value in trunk.state_dict().items()
        if "normalisation" not in key
    }
    assert state == _PUBLISHED


def test_both_answers_come_before_their_relu(trunk: VggTrunk) -> None:
    """Against the layers written out once more, with torchvision's names."""
    weights, pixels = _published(), torch.rand(1, 3, 9, 11)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    conv = torch.nn.functional.conv2d
    first = conv(
        (pixels - mean) / std, weights["features.0.weight"], weights["features.0.bias"], padding=1
    )
    second = conv(
        first.clamp(min=0), weights["features.2.weight"], weights["features.2.bias"], padding=1
    )
    found = trunk(pixels)
    torch.testing.assert_close(found, torch.cat([first, second], dim=1))
    assert float(found[:, :64].min()) < 0
    assert float(found[:, 64:].min()) < 0


def test_geometry() -> None:
    trunk = VggTrunk()
    assert (trunk.channels, trunk.field.stride, trunk.field.radius) == (128, 1, 2)
    assert trunk.value_range is None


def test_weights_are_downloaded_from_torchvision() -> None:
    weights = find_entry("vgg19").weights
    assert isinstance(weights, DownloadedWeights)
    assert weights.url == "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
