"""Colours as features."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from streamer import config
from streamer.backbones.colours import ColourTrunk
from streamer.backbones.torch_eager import open_torch


def test_pixels_are_left_as_they_are() -> None:
    pixels = torch.rand(2, 3, 5, 7)
    torch.testing.assert_close(ColourTrunk()(pixels), pixels, rtol=0, atol=0)


def test_a_pixel_sees_itself_alone() -> None:
    field = ColourTrunk().field
    assert (field.stride, field.radius) == (1, 0)


@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 255), (np.uint16, 65535)])
def test_camera_pixels_fill_the_range(dtype: type, most: int) -> None:
    backbone = open_torch(config.Backbone(name="colours", engine="torch", threads=1))
    assert backbone.spec.value_range == (0.0, 1.0)
    pixels = np.array([[0, most]], dtype)
    expected = torch.tensor([[[0.0, 1.0]]] * 3)
    torch.testing.assert_close(backbone.embed(pixels), expected)


def test_colours_are_kept_apart() -> None:
    backbone = open_torch(config.Backbone(name="colours", engine="torch", threads=1))
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 255
    features = backbone.embed(red)
    assert features.amin(dim=(1, 2)).tolist() == features.amax(dim=(1, 2)).tolist() == [1, 0, 0]
