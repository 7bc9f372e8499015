"""What a camera's driver must offer to the frame source; names no driver."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

FeatureValue: TypeAlias = bool | int | float | str


class CameraFault(OSError):
    """The camera is away, held by another program, or does not do what it must."""


@dataclass(frozen=True, slots=True)
class Grab:
    """One frame as the driver hands it out.

    `block_id` is the transport's count. `payload` holds the lines one after another, each followed
    by `padding_bytes`, and may hold chunks after them; bytes that never arrived are zero or cut off
    at its end. `lines` and `columns` are 0 when the packet that says them was lost. `counters` are
    the chunks that were asked for, by name.
    """

    block_id: int
    arrived_ns: int
    lines: int
    columns: int
    pixel_format: str
    payload: bytes
    is_complete: bool
    padding_bytes: int = 0
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """What the camera is set to send: lines per frame, width, and the PFNC name of its pixels."""

    lines: int
    columns: int
    pixel_format: str


class CameraSession(Protocol):
    """A camera that is set and ready to stream; any call raises CameraFault once it is lost."""

    @property
    def description(self) -> str:
        """Vendor, model and serial number, for people."""
        ...

    @property
    def image(self) -> ImageFormat:
        """As read back from the camera; constant over the session."""
        ...

    def start(self) -> None:
        """Let it send frames; called once, before the first grab."""
        ...

    def grab(self, timeout_s: float) -> Grab | None:
        """Next frame in the order of arrival, each once; None when none came within the time."""
        ...

    def require_alive(self) -> None:
        """Ask the camera itself; returns when it answers and still obeys this program."""
        ...

    def figures(self) -> Mapping[str, float]:
        """Counters of this session and what the camera says of itself, by name."""
        ...

    def close(self) -> None:
        """Stop the camera and release it, as far as it still answers; may be called twice."""
        ...


class CameraDriver(Protocol):
    """Opens one camera, again and again."""

    def open(self) -> CameraSession:
        """Find the camera and set it.

        Raises:
            CameraFault: it does not answer, or another program holds it.
            ValueError: it does not take a setting as configured.
        """
        ...


class FeatureAccess(Protocol):
    """A camera's features by their GenICam names."""

    def has(self, name: str) -> bool:
        """Whether the camera has the feature and it can be used now."""
        ...

    def read(self, name: str) -> FeatureValue | None:
        """The value that the camera keeps now, asked from the camera; None: a command."""
        ...

    def write(self, name: str, value: FeatureValue) -> None:
        """Set the feature, or execute it when it is a command.

        Raises:
            ValueError: the camera refuses the value; the text says why.
        """
        ...

    def allowed(self, name: str) -> str:
        """What the camera accepts now, in words; "" when it does not say."""
        ...
