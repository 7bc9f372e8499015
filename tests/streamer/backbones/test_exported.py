"""An exported model on disk: whole or not at all."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from streamer.backbones.exported import (
    ExportedModel,
    ModelCard,
    read_exported,
    sha256,
    sidecar_of,
)

if TYPE_CHECKING:
    from pathlib import Path


def _model(
    onnx: bytes = b"model", value_range: tuple[float, float] | None = (0.0, 6.0)
) -> ExportedModel:
    card = ModelCard(
        name="net",
        stride=8,
        radius=33,
        channels=240,
        value_range=value_range,
        mean=(0.1, 0.2, 0.3),
        std=(1.0, 1.0, 1.0),
        weights_digest="0" * 64,
        onnx_digest=sha256(onnx),
        opset=18,
        parity=1e-6,
        versions={"torch": "2"},
    )
    return ExportedModel(onnx, card)


@pytest.mark.parametrize("value_range", [(0.0, 6.0), None])
def test_what_is_written_is_read(tmp_path: Path, value_range: tuple[float, float] | None) -> None:
    model = _model(value_range=value_range)
    file = tmp_path / "deep" / "net.onnx"
    assert model.write(file) == file.with_suffix(".json")
    assert read_exported(file) == model


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    _model().write(tmp_path / "net.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.json", "net.onnx"]


def test_others_may_read_the_files(tmp_path: Path) -> None:
    _model().write(tmp_path / "net.onnx")
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in tmp_path.iterdir())


def test_the_sidecar_reads_for_itself(tmp_path: Path) -> None:
    sidecar = _model().write(tmp_path / "net.onnx")
    content = json.loads(sidecar.read_text())
    assert content["stride"] == 8
    assert content["value_range"] == [0.0, 6.0]
    assert "RGB in 0..1" in content["input"]


def test_missing_is_none(tmp_path: Path) -> None:
    assert read_exported(tmp_path / "net.onnx") is None


@pytest.mark.parametrize("damage", [b"", b"mode", b"model2"])
def test_another_content_is_none(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "net.onnx"
    _model().write(file)
    file.write_bytes(damage)
    assert read_exported(file) is None


@pytest.mark.parametrize(
    "sidecar", ["", "{", "[]", "null", "{}", '{"name": "net"}', '"text"', "\ud800"]
)
def test_damaged_sidecar_is_none(tmp_path: Path, sidecar: str) -> None:
    file = tmp_path / "net.onnx"
    _model().write(file)
    sidecar_of(file).write_bytes(sidecar.encode("utf-8", "surrogatepass"))
    assert read_exported(file) is None


def test_missing_sidecar_is_none(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    _model().write(file).unlink()
    assert read_exported(file) is None


def test_unknown_field_of_a_later_version_is_none(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    sidecar = _model().write(file)
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), "new": 1}))
    assert read_exported(file) is None


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    model = _model()
    model.write(file)
    broken = replace(model, onnx="text")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        broken.write(file)
    assert read_exported(file) == model
    assert len(list(tmp_path.iterdir())) == 2


def test_writers_at_once_leave_one_of_their_models(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    models = [_model(bytes([index]) * 100_000) for index in range(4)]

    def write_often(model: ExportedModel) -> None:
        for _ in range(20):
            model.write(file)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write_often, models))
    assert file.read_bytes() in [model.onnx for model in models]
    assert len(list(tmp_path.iterdir())) == 2
