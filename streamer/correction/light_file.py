"""A light reference as the bytes of a file and back, with what is known of it; pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from streamer.correction.flat_field import LightReference
from streamer.message import require

FORMAT = 1
HEADER_SIZE = 8
_ADVICE = "make one with `linescan calibrate-light`"


@dataclass(frozen=True, slots=True)
class LightFacts:
    """Where a reference comes from; `pixel_format` and `exposure_us` where they are known."""

    created_utc: str
    camera: str
    white_source: str
    white_lines: int
    dark_source: str = ""
    dark_lines: int = 0
    pixel_format: str = ""
    exposure_us: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LightFile:
    """A reference with its facts; `digest` is that of the reference alone."""

    reference: LightReference
    facts: LightFacts

    @property
    def digest(self) -> str:
        """SHA-256 of bits and levels as 64 hexadecimal digits; the date does not count."""
        content = hashlib.sha256(f"light {FORMAT} {self.reference.bits}".encode())
        for name, levels in sorted(_arrays(self.reference).items()):
            content.update(f"{name}{levels.shape}".encode())
            content.update(np.ascontiguousarray(levels, "<f4").tobytes())
        return content.hexdigest()

    def to_bytes(self) -> bytes:
        """A safetensors container; date, digest and the other facts are JSON in its metadata."""
        about = {"format": FORMAT, "bits": self.reference.bits, "digest": self.digest}
        known = json.dumps({**about, **asdict(self.facts)}, sort_keys=True)
        return bytes(save(_arrays(self.reference), metadata={"light": known}))

    @classmethod
    def from_bytes(cls, content: bytes) -> LightFile:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: it is something else, of another version, or damaged.
        """
        about = _read_about(content)
        given = about.pop("format", None)
        require(given == FORMAT, f"light file must have format {FORMAT} ({_ADVICE})", given)
        bits, digest = about.pop("bits", None), about.pop("digest", None)
        try:
            arrays, facts = load(content), LightFacts(**about)
            reference = LightReference(int(bits), arrays["white"], arrays.get("dark"))
        except (KeyError, TypeError, SafetensorError) as error:
            msg = f"light file must be whole, got {error!r}; {_ADVICE}"
            raise ValueError(msg) from None
        read = cls(reference, facts)
        require(read.digest == digest, f"light file must have digest {digest}", read.digest)
        return read


def _arrays(reference: LightReference) -> dict[str, np.ndarray]:
    white = np.ascontiguousarray(reference.white, np.float32)
    if reference.dark is None:
        return {"white": white}
    return {"white": white, "dark": np.ascontiguousarray(reference.dark, np.float32)}


def _read_about(content: bytes) -> dict[str, Any]:
    end = HEADER_SIZE + int.from_bytes(content[:HEADER_SIZE], "little")
    try:
        about: dict[str, Any] = dict(
            json.loads(json.loads(content[HEADER_SIZE:end])["__metadata__"]["light"])
        )
    except (ValueError, KeyError, TypeError):
        msg = f"light file must be one of `linescan calibrate-light`, got something else; {_ADVICE}"
        raise ValueError(msg) from None
    return about
