"""A float ONNX model to static int8, calibrated on pixels; knows no cache and no configuration."""

from __future__ import annotations

import logging
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from streamer.backbones.planes import to_planes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streamer.backbones.calibration_set import CalibrationSet
    from streamer.backbones.planes import Planes
    from streamer.message import PixelArray

RECIPE = "QDQ, per channel, u8 activations, s8 weights, min-max"


@dataclass(frozen=True, slots=True)
class Quantised:
    """An int8 model and how far its features are from the float ones on the calibration set.

    Both errors are relative to the largest float feature.
    """

    onnx: bytes
    largest_error: float
    mean_error: float


def quantise(onnx: bytes, calibration: CalibrationSet, stride: int) -> Quantised:
    """Static int8 as both engines run it (Jacob et al. 2018, arXiv 1712.05877).

    Each image is cut to a multiple of `stride`. The same model and images give the same bytes.

    Raises:
        ValueError: an image is smaller than the stride.
    """
    planes = [_planes(pixels, stride) for pixels in calibration.images]
    with tempfile.TemporaryDirectory(prefix="linescan-int8-") as folder, _quiet_quantiser():
        source, prepared, target = (Path(folder) / f"{name}.onnx" for name in ("in", "mid", "out"))
        source.write_bytes(onnx)
        quant_pre_process(str(source), str(prepared))
        quantize_static(
            str(prepared),
            str(target),
            _Reader(_input_name(onnx), planes),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        made = target.read_bytes()
    return Quantised(made, *_errors(onnx, made, planes))


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands the planes out one by one, as the quantiser wants them."""

    def __init__(self, name: str, planes: Sequence[Planes]) -> None:
        self._feeds = iter([{name: each} for each in planes])

    def get_next(self) -> dict[str, Planes] | None:
        """Next feed, or None at the end."""
        return next(self._feeds, None)


def _planes(pixels: PixelArray, stride: int) -> Planes:
    lines, columns = (size // stride * stride for size in pixels.shape[:2])
    return to_planes(pixels[:lines, :columns], stride)


def _session(onnx: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])


def _input_name(onnx: bytes) -> str:
    return str(_session(onnx).get_inputs()[0].name)


def _errors(onnx: bytes, made: bytes, planes: Sequence[Planes]) -> tuple[float, float]:
    float_model, int8_model = _session(onnx), _session(made)
    name = float_model.get_inputs()[0].name
    largest = worst = total = 0.0
    for each in planes:
        (expected,), (found,) = (one.run(None, {name: each}) for one in (float_model, int8_model))
        error = np.abs(found - expected)
        largest = max(largest, float(np.abs(expected).max()))
        worst, total = max(worst, float(error.max())), total + float(error.mean())
    scale = largest or 1.0
    return worst / scale, total / len(planes) / scale


@contextmanager
def _quiet_quantiser() -> Iterator[None]:
    """It advises on the root logger to do what was just done."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
