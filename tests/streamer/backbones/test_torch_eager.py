"""Backbones in torch itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from streamer import config
from streamer.backbones.faults import ProviderError
from streamer.backbones.onnx_runtime import open_onnx
from streamer.backbones.resnet import RESNET18, ResNetTrunk
from streamer.backbones.torch_eager import TorchBackbone, open_torch

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def backbone() -> TorchBackbone:
    return open_torch(config.Backbone(engine="torch", threads=1))


@pytest.fixture
def no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def _noise(*shape: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_spec_differs_from_onnx_runtime_in_the_engine_only(
    backbone: TorchBackbone, cache: Path
) -> None:
    other = open_onnx(config.Backbone(cache=cache, threads=1)).spec
    mine = backbone.spec
    assert mine.engine == "torch:cpu" != other.engine
    fields = ("name", "stride", "radius", "channels", "digest", "value_range")
    assert all(getattr(mine, field) == getattr(other, field) for field in fields)


@pytest.mark.parametrize("shape", [(24, 40), (24, 40, 3)])
def test_features_agree_with_onnx_runtime(
    backbone: TorchBackbone, cache: Path, shape: tuple[int, ...]
) -> None:
    other = open_onnx(config.Backbone(cache=cache, threads=1))
    found, expected = backbone.embed(_noise(*shape)), other.embed(_noise(*shape))
    assert found.shape == (240, 3, 5)
    torch.testing.assert_close(found, expected, rtol=0, atol=6e-4)


def test_features_can_be_written_to(backbone: TorchBackbone) -> None:
    features = backbone.embed(_noise(8, 8))
    features += 1
    assert not features.requires_grad


def test_any_trunk_runs() -> None:
    torch.manual_seed(0)
    backbone = TorchBackbone("resnet18", ResNetTrunk(RESNET18), torch.device("cpu"))
    assert (backbone.spec.channels, backbone.spec.radius) == (128, 49)
    assert backbone.spec.value_range is None
    assert backbone.embed(_noise(16, 24)).shape == (128, 2, 3)


def test_threads_are_those_of_the_configuration() -> None:
    open_torch(config.Backbone(engine="torch", threads=2))
    assert torch.get_num_threads() == 2


def test_other_sizes_are_refused(backbone: TorchBackbone) -> None:
    with pytest.raises(ValueError, match="pixels must have a multiple of 8 lines and columns"):
        backbone.embed(np.zeros((8, 9), np.uint8))


def test_closed_backbone_refuses_pixels() -> None:
    backbone = open_torch(config.Backbone(engine="torch", threads=1))
    backbone.close()
    backbone.close()
    with pytest.raises(ValueError, match="must be open, got a closed one"):
        backbone.embed(np.zeros((8, 8), np.uint8))


@pytest.mark.usefixtures("no_cuda")
def test_missing_cuda_is_refused() -> None:
    with pytest.raises(ProviderError, match="must be one that torch runs on, got 'cuda' with tor"):
        open_torch(config.Backbone(engine="torch", provider="cuda"))


@pytest.mark.usefixtures("no_cuda")
def test_allowed_fallback_is_logged_and_shows_in_the_engine(
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = config.Backbone(engine="torch", provider="cuda", allow_fallback=True, threads=1)
    with caplog.at_level(logging.WARNING):
        assert open_torch(settings).spec.engine == "torch:cpu"
    assert "falling back to the CPU" in caplog.text


def test_tensorrt_is_refused() -> None:
    with pytest.raises(ValueError, match="engine must be onnxruntime for provider 'tensorrt'"):
        open_torch(config.Backbone(engine="torch", provider="tensorrt"))


def test_own_onnx_file_is_refused(tmp_path: Path) -> None:
    settings = config.Backbone(
        engine="torch", onnx_file=tmp_path / "net.onnx", onnx_stride=8, onnx_radius=33
    )
    with pytest.raises(ValueError, match="engine must be onnxruntime for an onnx_file"):
        open_torch(settings)


def test_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="backbone.name must be one of"):
        open_torch(config.Backbone(engine="torch", name="resnet19"))


def test_a_subset_is_that_of_the_export(cache: Path) -> None:
    """Same channels, same digest: a profile of one engine fits the other."""
    settings = config.Backbone(cache=cache, threads=1, channels=20)
    found, other = open_torch(settings.model_copy(update={"engine": "torch"})), open_onnx(settings)
    pixels = np.random.default_rng(4).integers(0, 256, (16, 24), dtype=np.uint8)
    assert found.spec.channels == other.spec.channels == 20
    assert found.spec.digest == other.spec.digest
    torch.testing.assert_close(found.embed(pixels), other.embed(pixels), rtol=0, atol=6e-4)


def test_more_channels_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match=r"backbone.channels must be within 1..240"):
        open_torch(config.Backbone(engine="torch", channels=241))
