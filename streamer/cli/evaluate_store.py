"""Finished maps of `linescan evaluate` on the disk, so that a rerun goes on; scores nothing."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.cli.evaluate_maps import ImageMap, Maps
from streamer.outputs.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEY_DIGITS = 32


@dataclass(frozen=True, slots=True)
class MapStore:
    """Maps by what they were made from; one file for images that were scored together."""

    folder: Path

    def file(self, run_digest: str, paths: Sequence[Path]) -> Path:
        """Where the maps of these images belong: by run, names and bytes of the images."""
        total = hashlib.sha256(run_digest.encode())
        for path in paths:
            content = path.read_bytes() if path.is_file() else b""
            total.update(str(path).encode() + hashlib.sha256(content).digest())
        return self.folder / f"{total.hexdigest()[:KEY_DIGITS]}.npz"

    def load(self, file: Path) -> Maps | None:
        """What is kept in `file`; None when nothing is, or not all of it."""
        try:
            with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as stored:
                about = json.loads(str(stored["about"]))
                maps = tuple(
                    ImageMap(**one | {"shape": tuple(one["shape"]), "scores": stored[f"map{n}"]})
                    for n, one in enumerate(about["maps"])
                )
                return Maps(maps, tuple(about["faults"]))
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            return None

    def save(self, file: Path, found: Maps) -> None:
        """Keep maps, whole or not at all.

        Raises:
            StorageError: the file cannot be written.
        """
        kept = [{k: v for k, v in asdict(one).items() if k != "scores"} for one in found.maps]
        about = json.dumps({"maps": kept, "faults": found.faults})
        arrays = {f"map{number}": one.scores for number, one in enumerate(found.maps)}
        content = io.BytesIO()
        np.savez_compressed(content, about=np.array(about), **arrays)  # type: ignore[arg-type]
        write_atomically(file, content.getvalue(), "maps")
