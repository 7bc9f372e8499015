"""A line-scan camera over the simulated web, with scripted faults; knows no stage."""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from streamer.fault_script import (
    OPTICAL,
    CameraLoss,
    Duplicate,
    LostFrames,
    LostLines,
    PartialFrame,
    Reorder,
)
from streamer.line_camera import SimulatedLineCamera
from streamer.message import GapReason, Interval
from streamer.sources.camera_counters import RawCounters
from streamer.sources.camera_faults import FaultLog
from streamer.sources.camera_optics import Optics
from streamer.sources.camera_path import Path, plan_moves
from streamer.sources.cropped import CroppedSource, Share
from streamer.sources.frame import Frame, FrameBreak
from streamer.sources.frame_line_source import FrameLineSource, line_rules
from streamer.sources.line_buffer import new_buffer
from streamer.sources.simulator import SimulatedWeb
from streamer.web import WebGeometry

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from streamer.fault_script import Fault
    from streamer.message import PixelArray
    from streamer.ports import LineSource, WebFormat
    from streamer.sections import Web
    from streamer.source_sections import SimulatorSource

_SCRATCH_LINES = 256


class TrueWeb(Protocol):
    """The web itself, every line of it at any time: `simulator.SimulatedWeb`."""

    @property
    def format(self) -> WebFormat:
        """Of its lines."""
        ...

    @property
    def truth(self) -> bytes:
        """JSON of what was seen."""
        ...

    @property
    def next_line(self) -> int:
        """First line that nobody has seen yet."""
        ...

    @property
    def end_line(self) -> int:
        """First line after its end."""
        ...

    def see(self, first_line: int, space: PixelArray) -> None:
        """Fill `space` with the lines from `first_line` on; none may be skipped for good."""
        ...


@dataclass(frozen=True, slots=True)
class _Exposed:
    """A frame's worth of exposures: the web line of each, and which of them saw new web."""

    lines: npt.NDArray[np.int64]
    fresh: npt.NDArray[np.bool_]
    end_ns: int


@dataclass(slots=True)
class _Outbox:
    """Frames on their way; `late` ones leave after the frame of their number."""

    ready: deque[Frame | FrameBreak] = field(default_factory=deque)
    late: list[tuple[int, int, Frame]] = field(default_factory=list)

    def release(self, number: int | None) -> None:
        """Let go what leaves with frame `number`; None: everything."""
        self.late.sort(key=lambda one: one[:2])
        while self.late and (number is None or self.late[0][0] <= number):
            self.ready.append(self.late.pop(0)[2])


class SimulatedCamera:
    """A FrameSource of frames of `block_lines` lines; the same script gives the same frames.

    `captured_ns` is the camera's own time from 0 on, by the line rate: not that of this machine.
    """

    def __init__(self, web: TrueWeb, settings: SimulatorSource, geometry: WebGeometry) -> None:
        """Start at `web.next_line`; faults before it have been met."""
        self._web = web
        self._settings = settings
        camera = settings.camera_between or SimulatedLineCamera()
        self._optics = Optics([f for f in settings.faults if isinstance(f, OPTICAL)], geometry)
        plan = plan_moves(settings.faults, geometry, Interval(web.next_line, web.end_line))
        self._log = FaultLog(settings.faults, geometry, web.next_line, plan.begins)
        rate_hz = geometry.speed_m_min * 1000 / 60 / geometry.line_mm
        self._geometry = geometry
        self._path = Path(plan.moves, rate_hz)
        self._line_ns = 1_000_000_000 / rate_hz
        self._mark = web.next_line
        self._counters = RawCounters(camera, settings.faults)
        self._number = 0
        self._losing: tuple[LostFrames, int] | None = None
        self._before: PixelArray | None = None
        self._sent_ns = 0
        self._outbox = _Outbox()
        self._ended = False

    @property
    def format(self) -> WebFormat:
        """Of the web."""
        return self._web.format

    @property
    def truth(self) -> bytes:
        """The truth of the web, and `faults`: each that was met, with the lines it cost."""
        content = json.loads(self._web.truth)
        return json.dumps({**content, "faults": self._log.truth(self._mark)}).encode()

    @property
    def health(self) -> Mapping[str, float]:
        """Frames exposed so far."""
        return {"exposed_frames": float(self._number)}

    def read_frame(self, timeout_s: float) -> Frame | FrameBreak | None:
        """Next frame or break, at once; None when what was exposed did not arrive.

        Raises:
            EOFError: the web has ended.
        """
        del timeout_s
        if not self._outbox.ready and not self._ended:
            self._expose()
        if self._outbox.ready:
            return self._outbox.ready.popleft()
        if self._ended:
            raise EOFError
        return None

    def close(self) -> None:
        """End the web here; the truth stays."""
        self._ended = True
        self._outbox = _Outbox()

    def _expose(self) -> None:
        lines = self._path.take(self._settings.block_lines)
        if len(lines) == 0:
            self._ended = True
            self._outbox.release(None)
            return
        exposed = self._exposed(lines)
        faults = self._log.meet(self._mark)
        loss = next((one for one in faults if isinstance(one, CameraLoss)), None)
        if loss is not None:
            self._lose_camera(loss, exposed)
            return
        self._send(exposed, faults)
        for fault in faults:
            if isinstance(fault, LostLines):
                self._lose_lines(fault)

    def _exposed(self, lines: npt.NDArray[np.int64]) -> _Exposed:
        """Mark what is new; web that was skipped is lost at once."""
        highest = np.maximum.accumulate(np.concatenate([[self._mark - 1], lines]))
        fresh = lines > highest[:-1]
        end = int(highest[-1]) + 1
        if end - self._mark > np.count_nonzero(fresh):
            self._log.lose_skipped(np.setdiff1d(np.arange(self._mark, end), lines))
        self._mark = end
        return _Exposed(lines, fresh, self._path.now_ns)

    def _send(self, exposed: _Exposed, faults: tuple[Fault, ...]) -> None:
        frame = self._frame(exposed, faults)
        self._number += 1
        started = next((one for one in faults if isinstance(one, LostFrames)), None)
        if started is not None:
            self._losing = (started, started.frames)
        if self._losing is not None:
            fault, left = self._losing
            self._log.lose(fault, exposed.lines[exposed.fresh])
            self._losing = (fault, left - 1) if left > 1 else None
        else:
            again = ~exposed.fresh
            again[frame.valid_lines :] = False
            self._log.arrive_again(exposed.lines[again])
            self._post(frame, faults)
        self._outbox.release(self._number)

    def _post(self, frame: Frame, faults: tuple[Fault, ...]) -> None:
        number, self._sent_ns = self._number, frame.captured_ns
        reorder = next((one for one in faults if isinstance(one, Reorder)), None)
        if reorder is None:
            self._outbox.ready.append(frame)
        else:
            self._outbox.late.append((number + reorder.frames_later, number, frame))
        for fault in faults:
            if isinstance(fault, Duplicate):
                self._outbox.late.append((number + fault.frames_later, number, frame))

    def _frame(self, exposed: _Exposed, faults: tuple[Fault, ...]) -> Frame:
        count, valid = len(exposed.lines), len(exposed.lines)
        pixels = self._look(exposed.lines)
        self._optics.spoil(pixels, exposed.lines)
        partial = next((one for one in faults if isinstance(one, PartialFrame)), None)
        if partial is not None:
            valid = int(count * partial.valid_share)
            lost = exposed.lines[valid:][exposed.fresh[valid:]]
            self._log.lose(partial, lost)
            pixels[valid:] = self._tail(partial, count)[valid:]
        self._before = pixels
        stamps = self._counters.stamp(exposed.lines[:valid], count)
        captured_ns = exposed.end_ns - round((count - valid) * self._line_ns)
        return Frame(self._settings.camera, pixels, valid, captured_ns, **stamps)

    def _tail(self, partial: PartialFrame, count: int) -> PixelArray:
        """What a frame buffer holds where nothing arrived."""
        if partial.tail == "blank" or self._before is None or len(self._before) < count:
            return np.zeros_like(new_buffer(self.format, count))
        return self._before

    def _look(self, lines: npt.NDArray[np.int64]) -> PixelArray:
        """The pixels of these web lines; all web up to the last of them has then been seen."""
        first, last = int(lines.min()), int(lines.max())
        if last >= self._web.next_line:
            first = min(first, self._web.next_line)
        stretch = new_buffer(self.format, last + 1 - first)
        self._web.see(first, stretch)
        if np.array_equal(lines, np.arange(first, last + 1)):
            return stretch
        return stretch[lines - first]

    def _pass_over(self, lines: npt.NDArray[np.int64]) -> None:
        """See the web that no frame shows, so that its defects are in the truth."""
        end = int(lines.max()) + 1
        while (first := self._web.next_line) < end:
            self._web.see(first, new_buffer(self.format, min(end - first, _SCRATCH_LINES)))

    def _drop(self, fault: Fault, lines: npt.NDArray[np.int64]) -> None:
        """Exposures that never become a frame."""
        if len(lines):
            exposed = self._exposed(lines)
            self._log.lose(fault, lines[exposed.fresh])
            self._pass_over(lines)

    def _lose_lines(self, fault: LostLines) -> None:
        lines = self._path.take(fault.lines)
        self._drop(fault, lines)
        self._counters.skip_lines(len(lines))

    def _lose_camera(self, loss: CameraLoss, exposed: _Exposed) -> None:
        """What was on its way arrives, then nothing until the web has moved on; then a break."""
        self._log.lose(loss, exposed.lines[exposed.fresh])
        self._pass_over(exposed.lines)
        back_at = self._geometry.lines(loss.at_m + loss.length_m)
        self._drop(loss, self._path.take_until(back_at))
        self._outbox.release(None)
        reason = f"camera lost at {loss.at_m:g} m, back with new counters"
        gone = FrameBreak(
            self._settings.camera, self._sent_ns, self._path.now_ns, GapReason.CAMERA_LOSS, reason
        )
        self._outbox.ready.append(gone)
        self._counters.reboot(self._mark, encoder_survives=loss.encoder_survives)
        self._before = None


def open_simulated(settings: SimulatorSource, web: Web, first_line: int = 0) -> LineSource:
    """The simulated web from `first_line` on, through a camera if one is configured.

    Raises:
        ValueError: `first_line` is negative.
    """
    source = _whole_view(settings, web, first_line)
    if settings.view is None:
        return source
    return CroppedSource(source, Share(Interval(*settings.view)))


def _whole_view(settings: SimulatorSource, web: Web, first_line: int) -> LineSource:
    true_web = SimulatedWeb(settings, web, first_line)
    camera = settings.camera_between
    if camera is None:
        return true_web
    geometry = WebGeometry(settings.columns, web.pixel_mm, web.down_mm, web.web_speed_m_min)
    frames = SimulatedCamera(true_web, settings, geometry)
    # The camera's time is that of the script: latencies behind it need the time of this machine.
    return FrameLineSource(frames, line_rules(camera, web), first_line, time.time_ns)
