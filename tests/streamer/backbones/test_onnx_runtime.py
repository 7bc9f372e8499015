"""Backbones on ONNX Runtime: pixels to features, the user's own files, faults."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from streamer import config
from streamer.backbones import onnx_runtime, onnx_session
from streamer.backbones.calibration_set import CalibrationSet
from streamer.backbones.catalogue import find_entry
from streamer.backbones.faults import ProviderError
from streamer.backbones.onnx_runtime import OnnxBackbone, open_onnx

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streamer.backbones.exported import ExportedModel


@pytest.fixture(scope="module")
def backbone(cache: Path) -> Iterator[OnnxBackbone]:
    opened = open_onnx(config.Backbone(cache=cache, threads=1))
    yield opened
    opened.close()


@pytest.fixture
def own_file(lite0: ExportedModel, tmp_path: Path) -> Path:
    file = tmp_path / "my_net.onnx"
    file.write_bytes(lite0.onnx)
    return file


def _own(file: Path, stride: int = 8, radius: int = 33) -> config.Backbone:
    return config.Backbone(onnx_file=file, onnx_stride=stride, onnx_radius=radius, threads=1)


def _noise(*shape: int, seed: int = 0) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_spec_of_a_catalogue_model(backbone: OnnxBackbone, lite0: ExportedModel) -> None:
    spec = backbone.spec
    assert (spec.name, spec.stride, spec.radius, spec.channels) == (
        "efficientnet_lite0",
        8,
        33,
        240,
    )
    assert spec.engine == "onnxruntime:CPUExecutionProvider"
    assert spec.value_range == (0.0, 6.0)
    assert spec.digest == lite0.card.weights_digest


def test_features_are_those_of_torch(backbone: OnnxBackbone) -> None:
    pixels = _noise(48, 80, 3)
    features = backbone.embed(pixels)
    assert features.dtype == torch.float32
    assert features.shape == (240, 6, 10)
    planes = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
    expected = find_entry("efficientnet_lite0").load()(planes)[0]
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-4 * 6)


def test_mono_is_grey_rgb(backbone: OnnxBackbone) -> None:
    mono = _noise(16, 24)
    grey = np.repeat(mono[..., None], 3, axis=2)
    torch.testing.assert_close(backbone.embed(mono), backbone.embed(grey), rtol=0, atol=0)


def test_sixteen_bits_use_their_full_range(backbone: OnnxBackbone) -> None:
    pixels = _noise(16, 24)
    deep = pixels.astype(np.uint16) * 257
    found, expected = backbone.embed(deep), backbone.embed(pixels)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_a_result_is_not_overwritten_by_the_next(backbone: OnnxBackbone) -> None:
    first = backbone.embed(_noise(16, 16))
    kept = first.clone()
    backbone.embed(_noise(16, 16, seed=1))
    torch.testing.assert_close(first, kept, rtol=0, atol=0)


def test_same_pixels_give_the_same_bits(backbone: OnnxBackbone) -> None:
    pixels = _noise(64, 72, 3)
    first = backbone.embed(pixels)
    backbone.embed(_noise(128, 8))
    torch.testing.assert_close(backbone.embed(pixels), first, rtol=0, atol=0)


@pytest.mark.parametrize("first", [0, 8, 40, 88])
def test_a_cut_with_halo_gives_the_features_of_the_whole(
    backbone: OnnxBackbone, first: int
) -> None:
    halo = 40  # the radius, rounded up to the stride
    pixels = _noise(64, 224, 3)
    whole = backbone.embed(pixels)[..., first // 8 : first // 8 + 4]
    start = max(first - halo, 0)
    cut = backbone.embed(pixels[:, start : first + 32 + halo])
    skip = (first - start) // 8
    torch.testing.assert_close(cut[..., skip : skip + 4], whole, rtol=0, atol=6e-5)


@pytest.mark.parametrize("shape", [(8, 12), (7, 8), (0, 8)])
def test_other_sizes_are_refused(backbone: OnnxBackbone, shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="pixels must have a multiple of 8 lines and columns"):
        backbone.embed(np.zeros(shape, np.uint8))


def test_closed_backbone_refuses_pixels(cache: Path) -> None:
    backbone = open_onnx(config.Backbone(cache=cache, threads=1))
    backbone.close()
    backbone.close()
    with pytest.raises(ValueError, match="efficientnet_lite0 must be open, got a closed one"):
        backbone.embed(np.zeros((8, 8), np.uint8))
    assert backbone.spec.stride == 8


def test_failure_of_the_engine_is_a_runtime_error(backbone: OnnxBackbone) -> None:
    """Here the output cannot take what the model gives; on a GPU it may run out of memory."""
    spec = replace(backbone.spec, channels=239)
    wrong = OnnxBackbone(backbone._session, backbone._ports, spec)
    with pytest.raises(RuntimeError, match="CPUExecutionProvider must run efficientnet_lite0, got"):
        wrong.embed(np.zeros((8, 8), np.uint8))


def test_own_file_is_named_and_digested_by_its_content(
    own_file: Path, lite0: ExportedModel
) -> None:
    spec = open_onnx(_own(own_file)).spec
    assert (spec.name, spec.stride, spec.radius, spec.channels) == ("my_net", 8, 33, 240)
    assert spec.value_range is None
    assert spec.digest == lite0.card.onnx_digest


def test_own_file_gives_the_same_features(own_file: Path, backbone: OnnxBackbone) -> None:
    pixels = _noise(32, 40)
    found = open_onnx(_own(own_file)).embed(pixels)
    torch.testing.assert_close(found, backbone.embed(pixels), rtol=0, atol=0)


def test_missing_own_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="onnx_file must be a readable file, got .*gone"):
        open_onnx(_own(tmp_path / "gone.onnx"))


def test_own_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "text.onnx"
    file.write_text("hello")
    with pytest.raises(ValueError, match="must be one that onnxruntime can load"):
        open_onnx(_own(file))


@pytest.mark.parametrize(
    ("stride", "radius", "fault"),
    [(4, 33, "onnx_stride must be"), (16, 33, "onnx_stride must be"), (8, 24, "onnx_radius must")],
)
def test_wrong_declaration_is_refused(own_file: Path, stride: int, radius: int, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        open_onnx(_own(own_file, stride, radius))


def test_unknown_name_is_refused(cache: Path) -> None:
    with pytest.raises(ValueError, match="backbone.name must be one of"):
        open_onnx(config.Backbone(name="resnet19", cache=cache))


def test_missing_provider_is_refused_before_any_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_session, "available_providers", lambda: ("CPUExecutionProvider",))
    with pytest.raises(ProviderError):
        open_onnx(config.Backbone(provider="cuda", cache=tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_allowed_fallback_shows_in_the_engine(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_session, "available_providers", lambda: ("CPUExecutionProvider",))
    settings = config.Backbone(provider="cuda", allow_fallback=True, cache=cache, threads=1)
    assert open_onnx(settings).spec.engine == "onnxruntime:CPUExecutionProvider"


def test_int8_that_does_not_run_is_a_provider_error(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_runtime, "integer_layers", lambda _: (0, 16))
    settings = config.Backbone(precision="int8", cache=cache, threads=1)
    webs = CalibrationSet("noise", [_noise(16, 16)])
    with pytest.raises(ProviderError, match="precision must be what runs, got 16 float layers"):
        open_onnx(settings, lambda: webs)


def test_a_part_of_int8_is_described_as_a_part(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_runtime, "integer_layers", lambda _: (15, 16))
    settings = config.Backbone(precision="int8", cache=cache, threads=1)
    engine = open_onnx(settings, lambda: CalibrationSet("noise", [_noise(16, 16)])).spec.engine
    assert engine.endswith("Provider int8 in 15 of 16 layers calibrated on noise")
