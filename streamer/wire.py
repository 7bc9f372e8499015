"""Message <-> [header, buffers]: msgpack header with a version, raw arrays; never pickle."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from streamer import message, protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

MAJOR, MINOR = 1, 0
MAX_HEADER_BYTES = 16 << 20  # a profile travels in the header; nothing else comes near
MAX_BUFFERS = 4

_KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        message.Tile,
        protocol.LedgerRow,
        message.Gap,
        message.ScoreMap,
        message.ProfileState,
        message.Heartbeat,
        protocol.Credit,
        protocol.TileFailed,
        protocol.Hello,
        protocol.Resume,
        protocol.Ack,
        protocol.EndOfRoll,
        protocol.ProfileQuery,
        protocol.SlotTile,
        protocol.ToRecord,
        protocol.EndOfRecording,
        message.Alarm,
    )
}
_DTYPES = {"|u1": np.uint8, "<u2": np.uint16, "<f4": np.float32}


class WireError(ValueError):
    """The frames are no message of ours; the sender is a stranger or of another version."""


class _Header(msgspec.Struct):
    """What stands before the fields: version, kind, and the fields themselves undecoded."""

    version: tuple[int, int]
    kind: str
    fields: msgspec.Raw


def encode(content: object) -> list[bytes | memoryview]:
    """Header frame and one frame per array; arrays are C-contiguous views, not copies.

    Raises:
        WireError: `content` is no message that crosses processes.
    """
    kind = type(content).__name__
    if _KINDS.get(kind) is not type(content):
        msg = f"message must be one of {', '.join(_KINDS)}, got {kind}"
        raise WireError(msg)
    buffers: list[bytes | memoryview] = []

    def describe(value: object) -> object:
        if isinstance(value, np.generic):
            return value.item()  # a figure that numpy has computed: no reason to send nothing
        if not isinstance(value, np.ndarray) or value.dtype.str not in _DTYPES:
            msg = f"array must be uint8, uint16 or float32, got {type(value).__name__}"
            raise WireError(msg)
        buffers.append(np.ascontiguousarray(value).data.cast("B"))
        return {"dtype": value.dtype.str, "shape": value.shape}

    fields = msgspec.Raw(msgspec.msgpack.encode(content, enc_hook=describe))
    header = msgspec.msgpack.encode(_Header((MAJOR, MINOR), kind, fields))
    return [header, *buffers]


def decode(frames: Sequence[bytes | memoryview]) -> object:
    """The message in `frames`; its arrays are read-only views of them.

    Unknown fields are ignored (a later minor version), an unknown major version is refused.

    Raises:
        WireError: anything in the frames is not as `encode` makes it.
    """
    if not 1 <= len(frames) <= 1 + MAX_BUFFERS or len(frames[0]) > MAX_HEADER_BYTES:
        msg = f"message must have a header and at most {MAX_BUFFERS} buffers, got {len(frames)}"
        raise WireError(msg)
    try:
        return _decode(frames)
    except (msgspec.MsgspecError, ValueError, TypeError, LookupError, OverflowError) as error:
        msg = f"message must be readable, got: {error}"
        raise WireError(msg) from None


def _decode(frames: Sequence[bytes | memoryview]) -> object:
    header = msgspec.msgpack.decode(frames[0], type=_Header)
    if header.version[0] != MAJOR:
        msg = f"wire version must be {MAJOR}.x, got {header.version}; run one release on all hosts"
        raise WireError(msg)
    if header.kind not in _KINDS:
        msg = f"message kind must be known, got {header.kind!r}"
        raise WireError(msg)
    buffers = list(frames[1:])
    content: object = msgspec.msgpack.decode(
        header.fields,
        type=_KINDS[header.kind],
        dec_hook=lambda _, described: _read_array(described, buffers),
    )
    if buffers:
        msg = f"{header.kind} must use all its buffers, got {len(buffers)} more"
        raise WireError(msg)
    return content


def _read_array(described: Any, buffers: list[bytes | memoryview]) -> np.ndarray:
    dtype = np.dtype(_DTYPES[described["dtype"]])
    shape = tuple(int(size) for size in described["shape"])
    buffer = buffers.pop(0)
    # Nothing is allocated from a header: the array is a view, and its size must fit the frame.
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(buffer):
        msg = f"array {shape} of {dtype} must fill its buffer of {len(buffer)} bytes"
        raise WireError(msg)
    return np.frombuffer(buffer, dtype).reshape(shape)
