"""Static int8: close to the float model, really integer, and always the same."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest

from streamer.backbones.calibration_set import CalibrationSet
from streamer.backbones.quantise import Quantised, quantise

if TYPE_CHECKING:
    from streamer.backbones.exported import ExportedModel


def _texture(lines: int, columns: int, seed: int) -> np.ndarray:  # type: ignore[type-arg]
    """A woven sine with noise: the activations of a flat or a random image say little."""
    rows, across = np.mgrid[:lines, :columns]
    woven = 120 + 50 * np.sin(rows / 2.1) * np.cos(across / 3.3)
    noise = np.random.default_rng(seed).normal(0, 8, woven.shape)
    return (woven + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def calibration() -> CalibrationSet:
    return CalibrationSet("textures", [_texture(68, 131, 1), _texture(64, 64, 2)])


@pytest.fixture(scope="module")
def made(lite0: ExportedModel, calibration: CalibrationSet) -> Quantised:
    return quantise(lite0.onnx, calibration, stride=8)


def _features(content: bytes, pixels: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    planes = np.repeat(pixels[None, None].astype(np.float32) / 255, 3, axis=1)
    (features,) = session.run(None, {"pixels": planes})
    return np.asarray(features)


def test_features_are_near_those_of_the_float_model(lite0: ExportedModel, made: Quantised) -> None:
    """Unseen pixels of the same texture: in the mean within 2 % of the largest feature."""
    pixels = _texture(96, 128, 3)
    expected, found = _features(lite0.onnx, pixels), _features(made.onnx, pixels)
    assert found.shape == expected.shape
    error = np.abs(found - expected)
    assert 0 < error.mean() < 0.02 * expected.max()
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.98


def test_errors_are_those_on_the_calibration_set(lite0: ExportedModel, made: Quantised) -> None:
    images = _texture(68, 131, 1)[:64, :128], _texture(64, 64, 2)
    pairs = [(_features(lite0.onnx, one), _features(made.onnx, one)) for one in images]
    largest = max(float(expected.max()) for expected, _ in pairs)
    worst = max(float(np.abs(expected - found).max()) for expected, found in pairs)
    assert made.largest_error == pytest.approx(worst / largest, rel=1e-5)
    assert 0 < made.mean_error < made.largest_error


def test_weights_are_bytes_per_channel(lite0: ExportedModel, made: Quantised) -> None:
    graph = onnx.load_from_string(made.onnx).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("QuantizeLinear") >= kinds.count("Conv") == 16
    types = {tensor.name: tensor for tensor in graph.initializer}
    weights = [one for one in types.values() if one.data_type == 3 and len(one.dims) == 4]
    assert len(weights) == 16
    scales = [types[one.name.replace("_quantized", "_scale")] for one in weights]
    assert all(scale.dims[0] == one.dims[0] for scale, one in zip(scales, weights, strict=True))
    assert len(made.onnx) < 0.6 * len(lite0.onnx)


def test_same_images_give_the_same_bytes(
    lite0: ExportedModel, calibration: CalibrationSet, made: Quantised
) -> None:
    assert quantise(lite0.onnx, calibration, stride=8).onnx == made.onnx


def test_it_says_nothing_and_leaves_the_log_as_it_was(
    lite0: ExportedModel, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    level = logging.getLogger().level
    quantise(lite0.onnx, CalibrationSet("one", [_texture(16, 16, 1)]), stride=8)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert logging.getLogger().level == level


def test_an_image_below_the_stride_is_refused(lite0: ExportedModel) -> None:
    with pytest.raises(ValueError, match="pixels must have a multiple of 8 lines and columns"):
        quantise(lite0.onnx, CalibrationSet("small", [np.zeros((7, 64), np.uint8)]), stride=8)
