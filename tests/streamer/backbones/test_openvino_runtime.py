"""Backbones on OpenVINO: the features of the others, the precision that was asked for."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
import torch

from streamer import config
from streamer.backbones import openvino_runtime
from streamer.backbones.calibration_set import CalibrationSet
from streamer.backbones.faults import ProviderError
from streamer.backbones.onnx_runtime import OnnxBackbone, open_onnx
from streamer.backbones.openvino_runtime import (
    SHAPES_KEPT,
    OpenVinoBackbone,
    cpu_precisions,
    describe,
    open_openvino,
    require_precision,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streamer.backbones.exported import ExportedModel

openvino = pytest.importorskip("openvino")
_HAS_BF16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _noise(*shape: int, seed: int = 0) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _settings(
    cache: Path, precision: Literal["fp32", "bf16", "int8"] = "fp32", **keys: int
) -> config.Backbone:
    return config.Backbone(engine="openvino", precision=precision, cache=cache, threads=1, **keys)


def _webs() -> CalibrationSet:
    return CalibrationSet("noise", [_noise(64, 80), _noise(40, 64, 3, seed=1)])


@pytest.fixture(scope="module")
def backbone(cache: Path) -> Iterator[OpenVinoBackbone]:
    opened = open_openvino(_settings(cache))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def reference(cache: Path) -> OnnxBackbone:
    return open_onnx(config.Backbone(cache=cache, threads=1))


def test_spec_differs_from_onnx_runtime_in_the_engine_only(
    backbone: OpenVinoBackbone, reference: OnnxBackbone
) -> None:
    assert backbone.spec.engine == "openvino:CPU fp32"
    assert replace(backbone.spec, engine=reference.spec.engine) == reference.spec


@pytest.mark.parametrize("shape", [(48, 80, 3), (8, 8), (24, 200)])
def test_features_are_those_of_onnx_runtime(
    backbone: OpenVinoBackbone, reference: OnnxBackbone, shape: tuple[int, ...]
) -> None:
    pixels = _noise(*shape)
    found = backbone.embed(pixels)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, reference.embed(pixels), rtol=0, atol=1e-4 * 6)


def test_a_result_is_not_overwritten_by_the_next(backbone: OpenVinoBackbone) -> None:
    first = backbone.embed(_noise(16, 16))
    kept = first.clone()
    backbone.embed(_noise(16, 16, seed=1))
    torch.testing.assert_close(first, kept, rtol=0, atol=0)


def test_same_pixels_give_the_same_bits_in_whatever_order(backbone: OpenVinoBackbone) -> None:
    pixels = _noise(64, 72, 3)
    first = backbone.embed(pixels)
    for columns in range(8, 8 * (SHAPES_KEPT + 3), 8):
        backbone.embed(_noise(16, columns))
    torch.testing.assert_close(backbone.embed(pixels), first, rtol=0, atol=0)


def test_compiled_sizes_are_bounded_and_the_latest_stay(cache: Path) -> None:
    compiler = open_openvino(_settings(cache))._compiler
    assert compiler is not None
    for columns in (8, 16, 24, 32, 40, 8, 48):
        compiler.compiled((1, 3, 8, columns))
    assert [shape[3] for shape in compiler._kept] == [32, 40, 8, 48]
    again = compiler.compiled((1, 3, 8, 32))
    assert list(compiler._kept.values())[-1] is again


@pytest.mark.parametrize("first", [0, 40, 88])
def test_a_cut_with_halo_gives_the_features_of_the_whole(
    backbone: OpenVinoBackbone, first: int
) -> None:
    halo = 40  # the radius, rounded up to the stride
    pixels = _noise(64, 224, 3)
    whole = backbone.embed(pixels)[..., first // 8 : first // 8 + 4]
    start = max(first - halo, 0)
    cut = backbone.embed(pixels[:, start : first + 32 + halo])
    skip = (first - start) // 8
    torch.testing.assert_close(cut[..., skip : skip + 4], whole, rtol=0, atol=6e-5)


def test_a_cut_of_int8_is_that_of_the_whole(cache: Path) -> None:
    """Scales are those of the calibration, not of a tile: tiles of any size agree."""
    opened = open_openvino(_settings(cache, "int8"), _webs)
    pixels = _noise(64, 224, seed=5)
    whole, cut = opened.embed(pixels), opened.embed(pixels[:, 48:160])
    torch.testing.assert_close(cut[..., 5:9], whole[..., 11:15], rtol=0, atol=6e-5)


def test_int8_says_what_runs_and_what_it_was_calibrated_on(
    cache: Path, reference: OnnxBackbone
) -> None:
    opened = open_openvino(_settings(cache, "int8"), _webs)
    assert opened.spec.engine == "openvino:CPU int8 calibrated on noise"
    assert opened.spec.digest != reference.spec.digest
    pixels = _noise(64, 80, seed=2)
    error = (opened.embed(pixels) - reference.embed(pixels)).abs()
    assert 0 < error.mean() < 0.02 * 6


def test_both_engines_run_the_same_int8_model(cache: Path) -> None:
    opened = open_openvino(_settings(cache, "int8", channels=32), _webs)
    other = open_onnx(config.Backbone(precision="int8", cache=cache, threads=1, channels=32), _webs)
    assert other.spec.engine == "onnxruntime:CPUExecutionProvider int8 calibrated on noise"
    assert other.spec.digest == opened.spec.digest
    pixels = _noise(64, 80, seed=2)
    error = (opened.embed(pixels) - other.embed(pixels)).abs()
    assert error.mean() < 0.01 * 6


@pytest.mark.skipif(not _HAS_BF16, reason="the processor has no bfloat16")
def test_bf16_runs_as_bf16(cache: Path, reference: OnnxBackbone) -> None:
    opened = open_openvino(_settings(cache, "bf16"))
    assert opened.spec.engine == "openvino:CPU bf16"
    assert opened.spec.digest != reference.spec.digest
    pixels = _noise(64, 80, seed=2)
    error = (opened.embed(pixels) - reference.embed(pixels)).abs()
    assert 0 < error.mean() < 0.01 * 6


def test_another_precision_than_asked_for_is_a_provider_error(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a processor without bfloat16: the layers say float32, whatever was asked for."""
    monkeypatch.setitem(openvino_runtime._HINTS, "bf16", "f32")
    with pytest.raises(ProviderError, match=r"backbone.precision must be what runs, got .*'f32'"):
        open_openvino(_settings(cache, "bf16"))


def test_precisions_of_the_processor_are_those_that_open(cache: Path) -> None:
    precisions = cpu_precisions()
    assert "fp32" in precisions
    assert ("bf16" in precisions) == _HAS_BF16


@pytest.mark.parametrize(
    ("found", "wanted", "runs"),
    [
        (Counter(f32=16), "fp32", True),
        (Counter(f32=15, bf16=1), "fp32", False),
        (Counter(), "fp32", False),
        (Counter(f32=15, bf16=1), "bf16", True),
        (Counter(f32=16), "bf16", False),
        (Counter(f32=2, u8=10, i8=4), "int8", True),
        (Counter(f32=16), "int8", False),
    ],
)
def test_what_counts_as_running(found: Counter[str], wanted: str, runs: bool) -> None:  # noqa: FBT001
    if runs:
        require_precision(found, wanted)
        return
    with pytest.raises(ProviderError, match=f"instead of {wanted}"):
        require_precision(found, wanted)


def test_a_part_is_described_as_a_part() -> None:
    assert describe(Counter(f32=2, u8=10, i8=4), "int8") == "CPU int8 in 14 of 16 layers"
    assert describe(Counter(u8=16), "int8") == "CPU int8"


def test_own_file_is_checked_like_elsewhere(lite0: ExportedModel, tmp_path: Path) -> None:
    file = tmp_path / "my_net.onnx"
    file.write_bytes(lite0.onnx)
    settings = config.Backbone(
        engine="openvino", onnx_file=file, onnx_stride=8, onnx_radius=33, threads=1
    )
    assert open_openvino(settings).embed(_noise(16, 24)).shape == (240, 2, 3)
    with pytest.raises(ValueError, match="onnx_radius must be at least"):
        open_openvino(settings.model_copy(update={"onnx_radius": 20}))


def test_wrong_pixels_are_refused(backbone: OpenVinoBackbone) -> None:
    with pytest.raises(ValueError, match="pixels must have a multiple of 8 lines and columns"):
        backbone.embed(np.zeros((7, 8), np.uint8))


def test_failure_of_the_engine_is_a_runtime_error(backbone: OpenVinoBackbone) -> None:
    wrong = OpenVinoBackbone(
        backbone._compiler,  # type: ignore[arg-type]
        replace(backbone.spec, channels=239),
    )
    with pytest.raises(RuntimeError, match="openvino:CPU fp32 must run efficientnet_lite0, got"):
        wrong.embed(_noise(8, 8))


def test_a_model_that_openvino_refuses_is_a_provider_error(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        msg = "no such operator"
        raise RuntimeError(msg)

    monkeypatch.setattr(openvino_runtime, "Compiler", refuse)
    with pytest.raises(ProviderError, match=r"openvino must run .*set backbone.engine: onnxr"):
        open_openvino(_settings(cache))


def test_closed_backbone_refuses_pixels(cache: Path) -> None:
    opened = open_openvino(_settings(cache))
    opened.close()
    opened.close()
    with pytest.raises(ValueError, match="efficientnet_lite0 must be open, got a closed one"):
        opened.embed(np.zeros((8, 8), np.uint8))


def test_other_engines_do_not_import_it(cache: Path) -> None:
    script = (
        "import sys; from streamer import config; from streamer.backbones import open_backbone\n"
        "import streamer.backbones.openvino_runtime\n"
        f"open_backbone(config.Backbone(cache={str(cache)!r}, threads=1))\n"
        "sys.exit('openvino' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
