"""The counters of a simulated camera, raw and of limited width; knows no pixel and no fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import numpy as np

from streamer.fault_script import CounterStart

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from streamer.fault_script import Fault
    from streamer.sections import SimulatedLineCamera


class Stamps(TypedDict):
    """The counters of one frame, as `frame.Frame` takes them."""

    frame_id: int | None
    line_id: int | None
    encoder_first: int | None
    encoder_last: int | None
    encoder_lines: npt.NDArray[np.int64] | None


class RawCounters:
    """Counts frames and exposures; reads an encoder that follows the web line."""

    def __init__(self, camera: SimulatedLineCamera, faults: Sequence[Fault] = ()) -> None:
        """Start at 0, or where a `counter_start` of the script says."""
        start = next((one for one in faults if isinstance(one, CounterStart)), None)
        self._camera = camera
        self._frame = start.frame_id if start else 0
        self._line = start.line_id if start else 0
        self._encoder_zero = start.encoder if start else 0

    def stamp(self, lines: npt.NDArray[np.int64], exposures: int) -> Stamps:
        """Counters of a frame of so many exposures, the valid ones of which saw web `lines`."""
        chosen = self._camera
        encoder = self._encoder(lines)
        stamps = Stamps(
            frame_id=self._frame % (1 << chosen.frame_bits)
            if "frames" in chosen.counters
            else None,
            line_id=self._line % (1 << chosen.line_bits) if "lines" in chosen.counters else None,
            encoder_first=None if encoder is None else int(encoder[0]),
            encoder_last=None if encoder is None else int(encoder[-1]),
            encoder_lines=encoder if chosen.stamps == "lines" else None,
        )
        self._frame += 1
        self._line += exposures
        return stamps

    def skip_lines(self, exposures: int) -> None:
        """Exposures that were counted and belong to no frame."""
        self._line += exposures

    def reboot(self, next_line: int, *, encoder_survives: bool) -> None:
        """Begin anew; an encoder inside the camera is then 0 at web line `next_line`."""
        self._frame = self._line = 0
        if not encoder_survives:
            self._encoder_zero = -int(np.floor(next_line * (self._camera.counts_per_line or 0.0)))

    def _encoder(self, lines: npt.NDArray[np.int64]) -> npt.NDArray[np.int64] | None:
        per_line = self._camera.counts_per_line
        if per_line is None or len(lines) == 0:
            return None
        counts = np.floor(lines * per_line).astype(np.int64) + self._encoder_zero
        raw: npt.NDArray[np.int64] = np.mod(counts, 1 << self._camera.encoder_bits)
        return raw
