"""Stride and receptive field of each backbone as plain numbers, for stages that load no engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer import config


@dataclass(frozen=True, slots=True)
class Footprint:
    """`stride` is the total stride, `radius` how far a feature sees beyond its own cell; pixels."""

    stride: int
    radius: int


# Computed from the layers; a test compares each with the network it describes.
FOOTPRINTS = {
    "efficientnet_lite0": Footprint(8, 33),
    "efficientnet_lite1": Footprint(8, 53),
    "efficientnet_lite2": Footprint(8, 53),
    "wide_resnet50_2": Footprint(8, 45),
    "resnet50": Footprint(8, 45),
    "resnet18": Footprint(8, 49),
}


def find_footprint(settings: config.Backbone) -> Footprint:
    """The footprint of the configured backbone.

    Raises:
        ValueError: there is no backbone of this name.
    """
    if settings.onnx_stride is not None and settings.onnx_radius is not None:
        return Footprint(settings.onnx_stride, settings.onnx_radius)
    if settings.name not in FOOTPRINTS:
        msg = f"backbone.name must be one of {', '.join(FOOTPRINTS)}, got {settings.name!r}"
        raise ValueError(msg)
    return FOOTPRINTS[settings.name]
