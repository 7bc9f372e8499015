"""Feature extractors on ONNX Runtime: the catalogue's exports and the user's own ONNX files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from streamer.backbones.faults import ProviderError
from streamer.backbones.model import load_model
from streamer.backbones.onnx_checks import probe_ports, require_radius
from streamer.backbones.onnx_session import (
    ENGINE_FAULTS,
    choose_providers,
    integer_layers,
    require_provider,
    start_session,
)
from streamer.backbones.planes import to_planes
from streamer.ports import BackboneSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnxruntime

    from streamer import config
    from streamer.backbones.calibration_set import CalibrationSet
    from streamer.backbones.model import Model
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


def open_onnx(
    settings: config.Backbone, webs: Callable[[], CalibrationSet] | None = None
) -> OnnxBackbone:
    """Open the user's ONNX file, or the catalogue's model, exported first if need be.

    Raises:
        ProviderError: ONNX Runtime does not run on what was asked for, or int8 has neither a
            file nor `webs` to be calibrated on.
        ValueError: unknown name, or a file that is no such model.
        ParityError: the export does not compute what torch computes.
        OSError: the ONNX file, the weights or the cache folder cannot be used.
    """
    # First, since the export that may follow takes seconds.
    choose_providers(settings)
    model = load_model(settings, webs)
    session = start_session(model.onnx, settings)
    ports = probe_ports(session, model.stride)
    if model.is_own:
        require_radius(session, model.stride, model.radius)
    # Only after a run: a provider may give up as late as that.
    require_provider(session, settings)
    running = session.get_providers()[0]
    if settings.precision == "int8":
        running = f"{running} {describe_int8(model)}"
    return OnnxBackbone(session, ports, _spec(model, ports, running))


def describe_int8(model: Model) -> str:
    """What really runs in int8: "int8 calibrated on simulator", with the share when not all does.

    Raises:
        ProviderError: nothing does.
    """
    integer, total = integer_layers(model.onnx)
    if integer == 0:
        msg = (
            f"backbone.precision must be what runs, got {total} float layers instead of int8: "
            "onnxruntime has no integer form of them; set backbone.precision: fp32"
        )
        raise ProviderError(msg)
    share = "" if integer == total else f" in {integer} of {total} layers"
    return f"int8{share} calibrated on {model.calibrated_on}"


def _spec(model: Model, ports: Ports, running: str) -> BackboneSpec:
    return BackboneSpec(
        name=model.name,
        stride=model.stride,
        radius=model.radius,
        channels=ports.channels,
        digest=model.digest,
        engine=f"onnxruntime:{running}",
        value_range=model.value_range,
    )
