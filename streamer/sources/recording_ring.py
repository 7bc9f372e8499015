"""Keeps the last metres of a roll, and for good what surrounds an alarm; knows no link."""

from __future__ import annotations

import logging
import re
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from streamer.message import AlarmKind, DefectState, Interval
from streamer.sources import recording
from streamer.sources.recording_pieces import append_recording, recorded_lines
from streamer.sources.recording_writer import RecordingWriter

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.config import Recorder, Web
    from streamer.message import Alarm, LineBlock, LineLoss
    from streamer.ports import WebFormat

_log = logging.getLogger(__name__)
RING, LAST, WANTED = "ring", "last", "alarm.json"
MOST_CHUNKS, FEWEST_CHUNKS = 256, 8


@dataclass(frozen=True, slots=True)
class RingRules:
    """Sizes in lines; `keeps_last`: what is in the ring at the end becomes a recording, too."""

    ring_lines: int
    chunk_lines: int
    before_lines: int
    after_lines: int
    line_mm: float
    keeps_last: bool

    @classmethod
    def of(cls, settings: Recorder, web: Web) -> RingRules:
        """As configured. Half of what surrounds an alarm makes a chunk, within the bounds above."""

        def lines(metres: float) -> int:
            return max(round(metres * 1000 / web.down_mm), 1)

        half_m = (settings.before_m + settings.after_m) / 2
        chunk_m = min(max(half_m, settings.ring_m / MOST_CHUNKS), settings.ring_m / FEWEST_CHUNKS)
        return cls(
            lines(settings.ring_m),
            lines(chunk_m),
            lines(settings.before_m),
            lines(settings.after_m),
            web.down_mm,
            settings.mode == "ring",
        )

    def around(self, alarm: Alarm) -> Interval:
        """Lines to keep for an alarm: no more than the ring holds."""
        first = max(round(alarm.region.down_first / self.line_mm) - self.before_lines, 0)
        end = round(alarm.region.down_end / self.line_mm) + self.after_lines
        return Interval(first, min(max(end, first), first + self.ring_lines))


class Wanted(msgspec.Struct, frozen=True):
    """Content of alarm.json: the lines of the roll that the piece beside it is to hold."""

    alarm: str
    text: str
    first_line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class _Chunk:
    folder: Path
    lines: Interval


@dataclass(slots=True)
class RingRecording:
    """A ring of short recordings below `base`, and a recording for each defect.

    A chunk that a defect's surroundings touch becomes part of its piece as soon as it is closed, so
    that what is on the disk is always whole. A ring that is there is continued.

    See ports.WebRecord; raises as RecordingWriter and `append_recording`.
    """

    base: Path
    rules: RingRules
    web: Web
    _chunks: list[_Chunk] = field(init=False, default_factory=list)
    _wanted: dict[str, Wanted] = field(init=False, default_factory=dict)
    _writer: RecordingWriter | None = field(init=False, default=None)
    _first_line: int = field(init=False, default=0)
    _number: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        for folder in sorted((self.base / RING).glob("chunk-*")):
            self._number = int(folder.name.removeprefix("chunk-")) + 1
            if (folder / recording.HEADER).is_file():
                self._chunks.append(_Chunk(folder, recorded_lines(folder)))
        for path in sorted(self.base.glob(f"alarm-*/{WANTED}")):
            self._want(path.parent.name, msgspec.json.decode(path.read_bytes(), type=Wanted))

    @property
    def end_line(self) -> int:
        """See ports.WebRecord."""
        if self._writer is not None:
            return self._writer.end_line
        return self._chunks[-1].lines.end if self._chunks else 0

    def append(self, form: WebFormat, item: LineBlock | LineLoss) -> None:
        """See ports.WebRecord."""
        if self._writer is None:
            self._first_line = item.first_line
            folder = self.base / RING / f"chunk-{self._number:06d}"
            self._writer = RecordingWriter(folder, form, self.web, first_line=item.first_line)
            self._number += 1
        self._writer.append(item)
        if self._writer.end_line - self._first_line >= self.rules.chunk_lines:
            self._close_chunk()

    def keep(self, alarm: Alarm) -> None:
        """Keep what surrounds a defect for good, as far as the ring still has it, and what comes.

        What is not inspected and the state of the stages is no reason to keep pixels.
        """
        if alarm.kind is not AlarmKind.DEFECT:
            return
        name, lines = piece_name(alarm.id), self.rules.around(alarm)
        known = self._wanted.get(name)
        first = min(known.first_line, lines.first) if known else lines.first
        oldest = self._chunks[0].lines.first if self._chunks else 0
        if alarm.state is DefectState.NEW and first < oldest:
            _log.warning("%s: lines %d..%d are no longer in the ring", name, first, oldest)
        wanted = Wanted(alarm.id, alarm.text, first, min(lines.end, first + self.rules.ring_lines))
        (self.base / name).mkdir(parents=True, exist_ok=True)
        recording.write_whole(self.base / name / WANTED, msgspec.json.encode(wanted))
        self._want(name, wanted)

    def close(self, truth: bytes) -> None:  # noqa: ARG002  pieces have no ground truth
        """End the pieces; the ring becomes one recording, or goes."""
        self._close_chunk()
        if self.rules.keeps_last:
            for chunk in self._chunks:
                append_recording(self.base / LAST, chunk.folder)
        self._chunks.clear()
        shutil.rmtree(self.base / RING, ignore_errors=True)

    def _want(self, name: str, wanted: Wanted) -> None:
        self._wanted[name] = wanted
        for chunk in self._chunks:
            self._keep_chunk(name, wanted, chunk)
        if wanted.end_line <= self.end_line - self.rules.ring_lines:
            del self._wanted[name]  # nothing can come for it any more

    def _close_chunk(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        chunk = _Chunk(self._writer.folder, Interval(self._first_line, self._writer.end_line))
        self._writer = None
        self._chunks.append(chunk)
        for name, wanted in list(self._wanted.items()):
            self._keep_chunk(name, wanted, chunk)
        self._forget()

    def _keep_chunk(self, name: str, wanted: Wanted, chunk: _Chunk) -> None:
        if chunk.lines.first < wanted.end_line and wanted.first_line < chunk.lines.end:
            append_recording(self.base / name, chunk.folder)

    def _forget(self) -> None:
        """Remove what is older than the ring is long."""
        past = self.end_line - self.rules.ring_lines
        while self._chunks and self._chunks[0].lines.end <= past:
            shutil.rmtree(self._chunks.pop(0).folder)
        gone = [name for name, wanted in self._wanted.items() if wanted.end_line <= past]
        for name in gone:
            del self._wanted[name]


def piece_name(alarm_id: str) -> str:
    """Folder of what is kept for an alarm: of `roll/camera/defect-3` it is `alarm-defect-3`."""
    return "alarm-" + re.sub(r"[^A-Za-z0-9_-]", "_", alarm_id.rpartition("/")[2])
