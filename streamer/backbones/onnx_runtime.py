"""Feature extractors on ONNX Runtime: the catalogue's exports and the user's own ONNX files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from streamer.backbones.cache import cache_folder, fetch_exported
from streamer.backbones.catalogue import find_entry
from streamer.backbones.exported import sha256
from streamer.backbones.onnx_checks import probe_ports, require_radius
from streamer.backbones.onnx_session import (
    ENGINE_FAULTS,
    choose_providers,
    require_provider,
    start_session,
)
from streamer.backbones.planes import to_planes
from streamer.ports import BackboneSpec

if TYPE_CHECKING:
    from pathlib import Path

    import onnxruntime

    from streamer import config
    from streamer.backbones.onnx_checks import Ports
    from streamer.message import PixelArray


class OnnxBackbone:
    """A `Backbone` in an ONNX Runtime session; open it with `open_onnx`."""

    def __init__(
        self, session: onnxruntime.InferenceSession, ports: Ports, spec: BackboneSpec
    ) -> None:
        self._session: onnxruntime.InferenceSession | None = session
        self._ports = ports
        self._spec = spec

    @property
    def spec(self) -> BackboneSpec:
        """Constant over the life of the backbone."""
        return self._spec

    def embed(self, pixels: PixelArray) -> torch.Tensor:
        """(lines, columns[, 3]) uint8 or uint16 -> float32 (channels, lines/s, columns/s), on CPU.

        Raises:
            ValueError: wrong pixels, or the backbone is closed.
            RuntimeError: the engine failed.
        """
        if self._session is None:
            msg = f"backbone {self._spec.name} must be open, got a closed one"
            raise ValueError(msg)
        planes = to_planes(pixels, self._spec.stride)
        rows, columns = (size // self._spec.stride for size in planes.shape[2:])
        features = torch.empty((1, self._spec.channels, rows, columns))
        # The engine reads our planes and writes into the tensor: no copy on either side.
        binding = self._session.io_binding()
        source, target = planes.ctypes.data, features.data_ptr()
        binding.bind_input(self._ports.input, "cpu", 0, np.float32, planes.shape, source)
        binding.bind_output(self._ports.output, "cpu", 0, np.float32, features.shape, target)
        try:
            self._session.run_with_iobinding(binding)
        except ENGINE_FAULTS as error:
            msg = f"{self._spec.engine} must run {self._spec.name}, got: {error}"
            raise RuntimeError(msg) from None
        return features[0]

    def close(self) -> None:
        """Release the session; may be called twice."""
        self._session = None


@dataclass(frozen=True, slots=True)
class _Model:
    """ONNX bytes and what is declared of them."""

    onnx: bytes
    name: str
    stride: int
    radius: int
    digest: str
    value_range: tuple[float, float] | None


def open_onnx(settings: config.Backbone) -> OnnxBackbone:
    """Open the user's ONNX file, or the catalogue's model, exported first if need be.

    Raises:
        ProviderError: ONNX Runtime does not run on what was asked for.
        ValueError: unknown name, or a file that is no such model.
        ParityError: the export does not compute what torch computes.
        OSError: the ONNX file, the weights or the cache folder cannot be used.
    """
    # First, since the export that may follow takes seconds.
    choose_providers(settings)
    listed = settings.onnx_file is None
    model = _listed(settings) if settings.onnx_file is None else _own(settings, settings.onnx_file)
    session = start_session(model.onnx, settings)
    ports = probe_ports(session, model.stride)
    if not listed:
        require_radius(session, model.stride, model.radius)
    # Only after a run: a provider may give up as late as that.
    require_provider(session, settings)
    return OnnxBackbone(session, ports, _spec(model, ports, session.get_providers()[0]))


def _spec(model: _Model, ports: Ports, provider: str) -> BackboneSpec:
    return BackboneSpec(
        name=model.name,
        stride=model.stride,
        radius=model.radius,
        channels=ports.channels,
        digest=model.digest,
        engine=f"onnxruntime:{provider}",
        value_range=model.value_range,
    )


def _listed(settings: config.Backbone) -> _Model:
    made, _ = fetch_exported(find_entry(settings.name), cache_folder(settings.cache))
    card = made.card
    return _Model(
        onnx=made.onnx,
        name=card.name,
        stride=card.stride,
        radius=card.radius,
        digest=card.weights_digest,
        value_range=card.value_range,
    )


def _own(settings: config.Backbone, file: Path) -> _Model:
    if settings.onnx_stride is None or settings.onnx_radius is None:
        msg = "backbone.onnx_stride and backbone.onnx_radius must be given, got None"
        raise ValueError(msg)
    try:
        onnx = file.read_bytes()
    except OSError as error:
        msg = f"backbone.onnx_file must be a readable file, got {file} ({error.strerror})"
        raise FileNotFoundError(msg) from None
    return _Model(
        onnx=onnx,
        name=file.stem,
        stride=settings.onnx_stride,
        radius=settings.onnx_radius,
        digest=sha256(onnx),
        value_range=None,
    )
