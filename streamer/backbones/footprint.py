"""Stride and receptive field of each backbone as plain numbers, for stages that load no engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.backbones.pooling import split_pooling

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
    "efficientnet_lite0_block": Footprint(8, 33),
    "efficientnet_lite1_block": Footprint(8, 53),
    "efficientnet_lite2_block": Footprint(8, 53),
    "efficientnet_lite0_fine": Footprint(4, 37),
    "efficientnet_lite0_stride4": Footprint(4, 9),
    "wide_resnet50_2": Footprint(8, 45),
    "resnet50": Footprint(8, 45),
    "resnet18": Footprint(8, 49),
    "vgg19": Footprint(1, 2),
    "colours": Footprint(1, 0),
    "random_projections": Footprint(1, 2),
    "laws": Footprint(1, 9),
    "steerable": Footprint(1, 10),
}


def find_footprint(settings: config.Backbone) -> Footprint:
    """The footprint of the configured backbone.

    Raises:
        ValueError: there is no backbone of this name.
    """
    full = _unreduced(settings)
    return Footprint(full.stride * settings.reduce, full.radius * settings.reduce)


def _unreduced(settings: config.Backbone) -> Footprint:
    if settings.onnx_stride is not None and settings.onnx_radius is not None:
        return Footprint(settings.onnx_stride, settings.onnx_radius)
    family, cell = split_pooling(settings.name)
    if family not in FOOTPRINTS or (cell > 1 and not is_poolable(family)):
        raise unknown_name(settings.name)
    own = FOOTPRINTS[family]
    return Footprint(own.stride * cell, own.radius)


def is_poolable(family: str) -> bool:
    """Whether there is a pooled form: the networks with a stride have their own pooling."""
    return FOOTPRINTS[family].stride == 1


def unknown_name(name: str) -> ValueError:
    """What to raise when nothing is called `name`."""
    full = ", ".join(family for family in FOOTPRINTS if is_poolable(family))
    msg = (
        f"backbone.name must be one of {', '.join(FOOTPRINTS)}, got {name!r}; those of full "
        f"resolution ({full}) also take _s2, _s4 or _s8: means over such cells"
    )
    return ValueError(msg)
