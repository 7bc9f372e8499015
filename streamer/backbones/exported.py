"""An exported model and its sidecar on disk; knows no exporter and no engine."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What the sidecar of an exported model says; lengths in pixels.

    `radius` is how far a feature sees beyond its own cell of `stride` pixels. The model itself
    normalises its `input` with `mean` and `std`. `parity` is the largest difference to torch that
    was seen at export, relative to the largest feature; of an int8 model the largest difference to
    its float original on the calibration images, and `mean_error` the mean one. `base_digest` is
    the digest of that original (weights and channels), `calibration_digest` that of the images.
    """

    name: str
    stride: int
    radius: int
    channels: int
    value_range: tuple[float, float] | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    weights_digest: str
    onnx_digest: str
    opset: int
    parity: float
    versions: dict[str, str]
    input: str = "pixels: float32 (n, 3, h, w), RGB in 0..1, h and w multiples of the stride"
    precision: str = "fp32"
    base_digest: str = ""
    calibrated_on: str = ""
    calibration_digest: str = ""
    calibration_images: int = 0
    mean_error: float = 0.0


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """ONNX bytes and what they are."""

    onnx: bytes
    card: ModelCard

    def write(self, file: Path) -> Path:
        """Write `file` and the sidecar beside it, each at once or not at all; returns the sidecar.

        Raises:
            OSError: the folder cannot be written.
        """
        file.parent.mkdir(parents=True, exist_ok=True)
        sidecar = sidecar_of(file)
        _replace(file, self.onnx)
        _replace(sidecar, (json.dumps(asdict(self.card), indent=2) + "\n").encode())
        return sidecar


def sidecar_of(file: Path) -> Path:
    """Where the sidecar of the ONNX `file` stands."""
    return file.with_suffix(".json")


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read_exported(file: Path) -> ExportedModel | None:
    """What `write` has written, or None when it is missing, incomplete or damaged."""
    try:
        onnx = file.read_bytes()
        card = _parse_card(sidecar_of(file).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, AttributeError, TypeError, ValueError):
        return None
    return ExportedModel(onnx, card) if sha256(onnx) == card.onnx_digest else None


def _parse_card(text: str) -> ModelCard:
    # JSON knows lists only; whoever compares a card expects the tuples that were written.
    fields: dict[str, Any] = json.loads(text)
    restored = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    return ModelCard(**cast("dict[str, Any]", restored))


def _replace(file: Path, content: bytes) -> None:
    """Two processes may write the same file at once: readers see one of them, never a mixture."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(name).chmod(0o644)  # mkstemp keeps it to the owner, but a cache may be shared
        Path(name).replace(file)
    finally:
        Path(name).unlink(missing_ok=True)
