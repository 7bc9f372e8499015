"""Feature extractors in torch itself, without an export; knows no other engine."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, assert_never

import torch

from streamer.backbones.catalogue import find_entry
from streamer.backbones.channel_subset import chosen_channels, subset_digest
from streamer.backbones.exported import sha256
from streamer.backbones.faults import ProviderError
from streamer.backbones.planes import to_planes
from streamer.ports import BackboneSpec

if TYPE_CHECKING:
    from streamer import config
    from streamer.backbones.trunk import Trunk
    from streamer.message import PixelArray

_LOGGER = logging.getLogger(__name__)


class TorchBackbone:
    """A `Backbone` that runs a trunk eagerly on one device."""

    def __init__(
        self, name: str, trunk: Trunk, device: torch.device, channels: int | None = None
    ) -> None:
        field, digest = trunk.field, trunk.digest
        if channels is not None:
            digest = sha256(subset_digest(digest, channels).encode())
        self._spec = BackboneSpec(
            name=name,
            stride=field.stride,
            radius=field.radius,
            channels=channels or trunk.channels,
            digest=digest,
            engine=f"torch:{device.type}",
            value_range=trunk.value_range,
        )
        self._device = device
        self._kept: torch.Tensor | None = None
        if channels is not None:
            self._kept = torch.from_numpy(chosen_channels(channels, trunk.channels)).to(device)
        self._trunk: Trunk | None = trunk.to(device).eval()

    @property
    def spec(self) -> BackboneSpec:
        """Constant over the life of the backbone."""
        return self._spec

    def embed(self, pixels: PixelArray) -> torch.Tensor:
        """(lines, columns[, 3]) uint8 or uint16 -> float32 (channels, lines/s, columns/s).

        The result is on the device that computed it.

        Raises:
            ValueError: wrong pixels, or the backbone is closed.
        """
        if self._trunk is None:
            msg = f"backbone {self._spec.name} must be open, got a closed one"
            raise ValueError(msg)
        planes = torch.from_numpy(to_planes(pixels, self._spec.stride)).to(self._device)
        with torch.no_grad():
            features: torch.Tensor = self._trunk(planes)
        return features[0] if self._kept is None else features[0, self._kept]

    def close(self) -> None:
        """Release the weights; may be called twice."""
        self._trunk = None


def open_torch(settings: config.Backbone) -> TorchBackbone:
    """Load the catalogue's trunk and warm it up; sets the number of torch's threads.

    Raises:
        ProviderError: torch does not run on what was asked for.
        ValueError: unknown name, more channels than there are, or settings that need ONNX Runtime.
        FileNotFoundError: the weights cannot be had.
    """
    if settings.onnx_file is not None:
        msg = "backbone.engine must be onnxruntime for an onnx_file, got 'torch'"
        raise ValueError(msg)
    device = _device(settings)
    # torch has one thread pool for the process; whoever scores in it shares this number.
    torch.set_num_threads(settings.threads)
    trunk = find_entry(settings.name).load()
    return TorchBackbone(settings.name, trunk, device, settings.channels)


def _device(settings: config.Backbone) -> torch.device:
    match settings.provider:
        case "cpu":
            return torch.device("cpu")
        case "cuda":
            return _cuda_device(settings)
        case "tensorrt":
            msg = "backbone.engine must be onnxruntime for provider 'tensorrt', got 'torch'"
            raise ValueError(msg)
        case _:
            assert_never(settings.provider)


def _cuda_device(settings: config.Backbone) -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    msg = (
        f"backbone.provider must be one that torch runs on, got 'cuda' with torch "
        f"{torch.__version__} and no usable CUDA device; install torch's CUDA build and a driver, "
        "or set backbone.provider: cpu, or backbone.allow_fallback: true"
    )
    if not settings.allow_fallback:
        raise ProviderError(msg)
    _LOGGER.warning("torch finds no CUDA device, falling back to the CPU")
    return torch.device("cpu")
