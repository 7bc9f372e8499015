"""Which ONNX model the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
import pytest

from streamer import config
from streamer.backbones.model import load_model
from streamer.backbones.onnx_subset import count_channels

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.backbones.exported import ExportedModel


def _own(file: Path, channels: int | None = None) -> config.Backbone:
    return config.Backbone(onnx_file=file, onnx_stride=8, onnx_radius=33, channels=channels)


@pytest.fixture
def own_file(lite0: ExportedModel, tmp_path: Path) -> Path:
    file = tmp_path / "my_net.onnx"
    file.write_bytes(lite0.onnx)
    return file


def test_listed_model_is_the_export(cache: Path, lite0: ExportedModel) -> None:
    model = load_model(config.Backbone(cache=cache))
    assert (model.onnx, model.digest) == (lite0.onnx, lite0.card.weights_digest)
    assert (model.name, model.stride, model.radius) == ("efficientnet_lite0", 8, 33)
    assert model.value_range == (0.0, 6.0)
    assert not model.is_own


def test_own_model_is_the_file(own_file: Path, lite0: ExportedModel) -> None:
    model = load_model(_own(own_file))
    assert (model.onnx, model.digest) == (lite0.onnx, lite0.card.onnx_digest)
    assert (model.name, model.value_range, model.is_own) == ("my_net", None, True)


def test_a_subset_has_fewer_channels_and_another_digest(cache: Path, own_file: Path) -> None:
    digests = set()
    for settings in (config.Backbone(cache=cache), _own(own_file)):
        for channels in (None, 64, 128):
            model = load_model(settings.model_copy(update={"channels": channels}))
            digests.add(model.digest)
            assert count_channels(onnx.load_from_string(model.onnx)) == (channels or 240)
    assert len(digests) == 6


def test_more_channels_than_there_are_is_refused(cache: Path) -> None:
    with pytest.raises(ValueError, match=r"backbone.channels must be within 1..240 .* got 241"):
        load_model(config.Backbone(cache=cache, channels=241))


def test_missing_own_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"onnx_file must be a readable file, got .*gone"):
        load_model(_own(tmp_path / "gone.onnx"))
