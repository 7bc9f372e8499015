"""Where an int8 model comes from: a file, the cache, or it is made now."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest

from streamer import config
from streamer.backbones import installed, int8
from streamer.backbones.calibration_set import CalibrationSet
from streamer.backbones.exported import read_exported
from streamer.backbones.faults import ProviderError
from streamer.backbones.int8 import fetch_int8, make_int8, to_int8
from streamer.backbones.model import Model, load_float_model

if TYPE_CHECKING:
    from pathlib import Path

PIXELS = np.random.default_rng(1).integers(0, 256, (32, 40), dtype=np.uint8)
WEBS = CalibrationSet("noise", [PIXELS])


@pytest.fixture(scope="module")
def model(cache: Path) -> Model:
    return load_float_model(config.Backbone(cache=cache, channels=16))


@pytest.fixture(scope="module")
def file(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("int8") / "net.onnx"
    make_int8(model, WEBS).write(out)
    return out


def _settings(folder: Path, file: Path | None = None) -> config.Backbone:
    return config.Backbone(precision="int8", int8_file=file, cache=folder, channels=16)


def test_it_is_made_once_for_the_same_model_and_images(
    model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with caplog.at_level(logging.INFO):
        first = to_int8(model, _settings(tmp_path), lambda: WEBS)
    assert "efficientnet_lite0 is calibrated for int8 on noise" in caplog.text
    monkeypatch.setattr(int8, "make_int8", lambda *_: pytest.fail("made again"))
    assert to_int8(model, _settings(tmp_path), lambda: WEBS) == first
    assert first.calibrated_on == "noise"
    assert first.digest not in ("", model.digest)
    assert (first.stride, first.radius, first.name) == (model.stride, model.radius, model.name)


def test_other_images_or_channels_make_another_one(
    cache: Path, model: Model, tmp_path: Path
) -> None:
    fetch_int8(model, WEBS, tmp_path)
    fetch_int8(model, CalibrationSet("noise", [255 - PIXELS]), tmp_path)
    fetch_int8(load_float_model(config.Backbone(cache=cache, channels=8)), WEBS, tmp_path)
    assert len(list(tmp_path.glob("*.onnx"))) == 3


def test_card_says_what_it_was_made_from(model: Model) -> None:
    card = make_int8(model, WEBS).card
    assert (card.precision, card.base_digest, card.channels) == ("int8", model.digest, 16)
    assert (card.calibrated_on, card.calibration_digest) == ("noise", WEBS.digest)
    assert card.calibration_images == 1
    assert 0 < card.mean_error < card.parity
    assert card.versions == {"onnxruntime": onnxruntime.__version__}
    assert card.opset == 18


def test_a_file_is_taken_as_it_is(model: Model, file: Path, tmp_path: Path) -> None:
    found = to_int8(model, _settings(tmp_path, file), None)
    made = read_exported(file)
    assert made is not None
    assert (found.onnx, found.digest) == (made.onnx, made.card.onnx_digest)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_model_is_refused(cache: Path, file: Path, tmp_path: Path) -> None:
    other = load_float_model(config.Backbone(cache=cache, channels=8))
    rule = r"int8_file must be made from efficientnet_lite0 with 8 channels, got int8 of .* 16 chan"
    with pytest.raises(ValueError, match=rule):
        to_int8(other, _settings(tmp_path, file), None)


def test_a_float_export_is_no_int8_file(cache: Path, model: Model, tmp_path: Path) -> None:
    (export,) = cache.glob("efficientnet_lite0-????????????????.onnx")
    with pytest.raises(ValueError, match="got fp32 of efficientnet_lite0"):
        to_int8(model, _settings(tmp_path, export), None)


def test_a_damaged_file_is_refused(model: Model, file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "net.onnx"
    copy.write_bytes(file.read_bytes() + b"x")
    copy.with_suffix(".json").write_bytes(file.with_suffix(".json").read_bytes())
    for wrong in (copy, tmp_path / "gone.onnx"):
        with pytest.raises(FileNotFoundError, match="with its undamaged sidecar .*linescan export"):
            to_int8(model, _settings(tmp_path, wrong), None)


def test_nothing_to_calibrate_on_says_what_to_run(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="run `linescan export --int8 --calibrate-on"):
        to_int8(model, _settings(tmp_path), None)


def test_a_cache_that_cannot_be_written_is_named(model: Model, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="backbone.cache must be a folder that can be written"):
        fetch_int8(model, WEBS, tmp_path / "file")


def test_without_onnxruntime_nothing_is_made(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "has_onnxruntime", lambda: False)
    with pytest.raises(ProviderError, match="pip install"):
        make_int8(model, WEBS)


def test_a_model_that_does_not_say_its_channels_has_none_on_its_card(model: Model) -> None:
    import onnx

    graph = onnx.load_from_string(model.onnx)
    graph.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "c"
    assert make_int8(replace(model, onnx=graph.SerializeToString()), WEBS).card.channels == 0
