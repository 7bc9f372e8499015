"""The cache of exported models."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streamer.backbones import cache as cache_module
from streamer.backbones.cache import cache_folder, fetch_exported
from streamer.backbones.catalogue import Entry, find_entry
from streamer.backbones.exported import sidecar_of

if TYPE_CHECKING:
    import torch

    from streamer.backbones.exported import ExportedModel
    from streamer.backbones.trunk import Trunk


def _key_with(module: str, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The key of the pooled Laws filters if `module` were another text."""
    read = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda path: text.encode() if path.stem == module else read(path)
    )
    key = cache_module._content_key(find_entry("laws_s4").load())
    monkeypatch.undo()
    return key


def test_code_of_every_layer_is_part_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = ("laws", "mirror", "pooled", "trunk", "export", "exported", "resnet")
    keys = {module: _key_with(module, "other", monkeypatch) for module in modules}
    unchanged = _key_with("nothing", "", monkeypatch)
    assert keys.pop("resnet") == unchanged  # no layer of it is in this trunk
    assert len({unchanged, *keys.values()}) == len(modules)


@pytest.fixture
def counted(lite0: ExportedModel, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what was exported; the export itself is replaced by a finished one."""
    names: list[str] = []

    def _export(name: str, trunk: Trunk) -> ExportedModel:
        names.append(name)
        assert trunk.digest
        return lite0

    monkeypatch.setattr(cache_module, "_export", _export)
    return names


class _OtherWeights:
    """The published weights with one number changed."""

    def obstacle(self) -> str:
        return ""

    def load(self) -> dict[str, torch.Tensor]:
        state = find_entry("efficientnet_lite0").weights.load()
        state["_conv_stem.weight"][0, 0, 0, 0] += 1
        return state


_ENTRY = find_entry("efficientnet_lite0")


def test_second_fetch_exports_nothing(tmp_path: Path, counted: list[str]) -> None:
    first = fetch_exported(_ENTRY, tmp_path / "new")
    assert fetch_exported(_ENTRY, tmp_path / "new") == first
    assert counted == ["efficientnet_lite0"]
    assert first[1].parent == tmp_path / "new"
    assert first[1].name.startswith("efficientnet_lite0-")


def test_real_export_is_found_again(cache: Path, lite0: ExportedModel, counted: list[str]) -> None:
    assert fetch_exported(_ENTRY, cache)[0] == lite0
    assert counted == []


def test_other_weights_have_another_file(tmp_path: Path, counted: list[str]) -> None:
    other = Entry(_ENTRY.name, _ENTRY.build, _OtherWeights())
    files = {fetch_exported(entry, tmp_path)[1] for entry in (_ENTRY, other)}
    assert len(files) == 2
    assert len(counted) == 2


@pytest.mark.parametrize("part", ["onnx", "json"])
def test_damaged_entry_is_exported_again_with_a_warning(
    tmp_path: Path, counted: list[str], caplog: pytest.LogCaptureFixture, part: str
) -> None:
    made, file = fetch_exported(_ENTRY, tmp_path)
    damaged = file if part == "onnx" else sidecar_of(file)
    damaged.write_bytes(damaged.read_bytes()[:-3])
    with caplog.at_level(logging.WARNING):
        assert fetch_exported(_ENTRY, tmp_path) == (made, file)
    assert "is incomplete or damaged and is exported again" in caplog.text
    assert len(counted) == 2
    fetch_exported(_ENTRY, tmp_path)
    assert len(counted) == 2


@pytest.mark.usefixtures("counted")
def test_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"backbone.cache must be a folder that can be written, got "):
        fetch_exported(_ENTRY, tmp_path / "file" / "inner")


def test_configured_folder_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder(Path("mine")) == Path("mine")


def test_xdg_folder_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder(None) == Path("/elsewhere/linescan")


@pytest.mark.parametrize("value", [None, "", "relative/path"])
def test_home_is_the_default(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/somebody"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if value is not None:
        monkeypatch.setitem(os.environ, "XDG_CACHE_HOME", value)
    assert cache_folder(None) == Path("/home/somebody/.cache/linescan")
