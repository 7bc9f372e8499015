"""Whether an ONNX model is a feature extractor as declared; knows no configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from streamer.backbones.onnx_session import ENGINE_FAULTS

if TYPE_CHECKING:
    import onnxruntime

Features: TypeAlias = npt.NDArray[np.float32]  # (n, channels, rows, columns)
_CELLS = 9  # rows of a test image, and its columns beyond the declared reach
_FAR = 64  # cells in which the reach of a model is looked for
_UNCHANGED = 1e-5  # relative to the largest feature


class _Port(Protocol):
    """An input or output of a session."""

    name: str
    type: str
    shape: list[int | str | None]


@dataclass(frozen=True, slots=True)
class Ports:
    """Names of a model's only input and output, and its channels."""

    input: str
    output: str
    channels: int


def probe_ports(session: onnxruntime.InferenceSession, stride: int) -> Ports:
    """Run the model once and return its ports.

    Raises:
        ValueError: it is not float32 (n, 3, h, w) -> (n, channels, h/stride, w/stride).
    """
    source, target = session.get_inputs(), session.get_outputs()
    _require_image("input", source, channels=3)
    _require_image("output", target, channels=None)
    image = _noise(stride, columns=_CELLS + 3)
    features = _run(session, source[0].name, image)
    if features.shape[2:] != (_CELLS, _CELLS + 3):
        msg = (
            f"backbone.onnx_stride must be the model's total stride, got {stride}: "
            f"an input of {image.shape} gives {features.shape}"
        )
        raise ValueError(msg)
    return Ports(source[0].name, target[0].name, int(features.shape[1]))


def require_radius(session: onnxruntime.InferenceSession, stride: int, radius: int) -> None:
    """Raise ValueError if a pixel reaches features farther than `radius` beyond their own cell.

    A model that averages over the whole image (squeeze-and-excitation, global normalisation) is
    refused as well: its features would depend on where a tile was cut.
    """
    allowed = -(-radius // stride)
    reach, farthest = _reach(session, stride, allowed)
    if reach <= allowed:
        return
    # Whoever declared too little is told what passes, and not only that more is needed.
    while reach == farthest < _FAR:
        reach, farthest = _reach(session, stride, 2 * farthest)
    how_far = f"{reach} cells of {stride} pixels away"
    if reach == farthest:
        how_far += ", the farthest that were tried: does it average over the whole image?"
    msg = (
        f"backbone.onnx_radius must be at least {(reach - 1) * stride + 1}, got {radius}: "
        f"a pixel reaches features that are {how_far}"
    )
    raise ValueError(msg)


def _reach(session: onnxruntime.InferenceSession, stride: int, cells: int) -> tuple[int, int]:
    """How many cells away a feature changes with a cell of pixels, and how many were looked at."""
    centre = cells + _CELLS // 2
    plain = _noise(stride, columns=2 * centre + 1)
    touched = plain.copy()
    cell = touched[..., centre * stride : (centre + 1) * stride]
    cell[...] = 1 - cell
    name = session.get_inputs()[0].name
    before, after = _run(session, name, plain), _run(session, name, touched)
    changed = np.abs(before - after).max(axis=(0, 1, 2)) > _UNCHANGED * np.abs(before).max()
    distances = (abs(int(column) - centre) for column in (*np.flatnonzero(changed), centre))
    return max(distances), centre


def _require_image(kind: str, ports: list[_Port], channels: int | None) -> None:
    shapes = [(port.name, port.type, port.shape) for port in ports]
    fits = len(ports) == 1 and ports[0].type == "tensor(float)" and len(ports[0].shape) == 4
    if not fits or (channels is not None and ports[0].shape[1] != channels):
        wanted = "(n, 3, h, w)" if channels == 3 else "(n, channels, h/stride, w/stride)"
        msg = f"the ONNX model must have one float32 {kind} {wanted}, got {shapes}"
        raise ValueError(msg)


def _noise(stride: int, columns: int) -> Features:
    shape = (1, 3, _CELLS * stride, columns * stride)
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def _run(session: onnxruntime.InferenceSession, name: str, image: Features) -> Features:
    try:
        (features,) = session.run(None, {name: image})
    except ENGINE_FAULTS as error:
        msg = f"the ONNX model must run on an input of {image.shape}, got: {error}"
        raise ValueError(msg) from None
    return np.asarray(features)
