"""Keeps all lines of a roll in one recording; knows no link and no alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.sources.recording import HEADER
from streamer.sources.recording_reader import Recording
from streamer.sources.recording_writer import RecordingWriter

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.config import Web
    from streamer.message import Alarm, LineBlock, LineLoss
    from streamer.ports import WebFormat


class WholeRecording:
    """One recording of everything; continues the one that is there. See ports.WebRecord."""

    def __init__(self, folder: Path, web: Web) -> None:
        """Look where the recording in `folder` ends, if there is one; writes nothing yet.

        Raises:
            ValueError: something else is there.
            OSError: it cannot be read.
        """
        self._folder, self._web = folder, web
        self._writer: RecordingWriter | None = None
        self._end_line = 0
        if (folder / HEADER).is_file():
            self._end_line = Recording(folder).tail().end_line

    @property
    def end_line(self) -> int:
        """See ports.WebRecord."""
        return self._writer.end_line if self._writer else self._end_line

    def append(self, form: WebFormat, item: LineBlock | LineLoss) -> None:
        """See ports.WebRecord."""
        if self._writer is None:
            self._writer = RecordingWriter(self._folder, form, self._web)
        self._writer.append(item)

    def keep(self, alarm: Alarm) -> None:
        """Everything is kept anyway."""

    def close(self, truth: bytes) -> None:
        """See ports.WebRecord."""
        if self._writer is not None:
            self._writer.close(truth)
