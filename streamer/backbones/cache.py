"""Exported models by content, in the user's cache folder; knows no engine."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.backbones.exported import ExportedModel, read_exported
from streamer.backbones.installed import require_onnxruntime

if TYPE_CHECKING:
    from streamer.backbones.catalogue import Entry
    from streamer.backbones.trunk import Trunk

_EXPORT_SOURCES = ("export", "exported", "trunk")
_LOGGER = logging.getLogger(__name__)


def cache_folder(configured: Path | None) -> Path:
    """`configured`, else linescan's folder in XDG_CACHE_HOME, else in ~/.cache."""
    if configured is not None:
        return configured
    home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG base directory specification says to ignore a relative path.
    return (home if home.is_absolute() else Path.home() / ".cache") / "linescan"


def fetch_exported(entry: Entry, folder: Path) -> tuple[ExportedModel, Path]:
    """The exported model of `entry` and its file in `folder`; exported now if it is not there.

    Raises:
        FileNotFoundError: the weights cannot be had.
        ProviderError: it must be exported, and onnxruntime is not installed.
        ParityError: the export does not compute what torch computes.
        OSError: the folder cannot be written.
    """
    trunk = entry.load()
    file = folder / f"{entry.name}-{_content_key(trunk)[:16]}.onnx"
    found = read_exported(file)
    if found is not None:
        return found, file
    if file.exists():
        _LOGGER.warning("%s is incomplete or damaged and is exported again", file)
    made = _export(entry.name, trunk)
    try:
        made.write(file)
    except OSError as error:
        msg = (
            f"backbone.cache must be a folder that can be written, got {folder} ({error.strerror})"
        )
        raise OSError(msg) from None
    return made, file


def _export(name: str, trunk: Trunk) -> ExportedModel:
    # The exporter takes seconds to import; a model that is in the cache does not need it.
    require_onnxruntime()
    from streamer.backbones.export import export_trunk

    return export_trunk(name, trunk)


def _content_key(trunk: Trunk) -> str:
    """Digest of the weights and of the code that makes a model of them."""
    digest = hashlib.sha256(trunk.digest.encode())
    for source in sorted({*_EXPORT_SOURCES, *_sources(trunk)}):
        digest.update(Path(__file__).with_name(f"{source}.py").read_bytes())
    return digest.hexdigest()


def _sources(trunk: Trunk) -> set[str]:
    """Our modules that the trunk's layers come from."""
    modules = (type(layer).__module__.rpartition(".") for layer in trunk.modules())
    return {name for package, _, name in modules if package == __package__}
