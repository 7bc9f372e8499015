"""Reads a line source in a thread of its own, so that pacing never delays the work loop."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.message import LineBlock
from streamer.ports import health_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamer.message import LineLoss
    from streamer.ports import LineSource


@dataclass(frozen=True, slots=True)
class SourceEnd:
    """The source delivers nothing more; `fault` says why when it did not end by itself."""

    fault: str = ""


class SourceReader:
    """Owns the buffers that the source fills; holds at most `depth` blocks, none of no lines."""

    def __init__(self, source: LineSource, block_lines: int, depth: int = 4) -> None:
        self._source = source
        self._block_lines = block_lines
        self._queue: queue.Queue[LineBlock | LineLoss | SourceEnd] = queue.Queue(depth)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, name="source", daemon=True)
        self._thread.start()

    def take(self, timeout_s: float) -> LineBlock | LineLoss | SourceEnd | None:
        """Next block, loss or end; None after the timeout."""
        try:
            return self._queue.get(timeout=timeout_s) if timeout_s > 0 else self._queue.get(False)
        except queue.Empty:
            return None

    @property
    def health(self) -> Mapping[str, float]:
        """What the source says of its camera; empty when it has none."""
        return {name: float(figure) for name, figure in health_of(self._source).items()}

    @property
    def is_live(self) -> bool:
        """Whether it is a camera, whose web runs on: it ends by itself when the stage stops."""
        return "connected" in self.health

    def stop(self) -> None:
        """Ask the thread to end and close the source; blocks still queued are not taken.

        A source that hangs in a read is left open: closing it under the read may crash a driver.
        """
        self._stopping.set()
        self._thread.join(2.0)
        if not self._thread.is_alive():
            self._source.close()

    def _read(self) -> None:
        fault = "source broke off; the log has the traceback"
        try:
            self._read_all()
            fault = ""
        except (OSError, ValueError, RuntimeError) as error:
            fault = f"{type(error).__name__}: {error}"
        finally:  # a decoder may raise anything, and capture must never wait for a dead thread
            self._put(SourceEnd(fault))

    def _read_all(self) -> None:
        form = self._source.format
        shape = (self._block_lines, form.columns) + ((3,) if form.channels == 3 else ())
        dtype = np.uint16 if form.bits == 16 else np.uint8
        while not self._stopping.is_set():
            # A fresh buffer each time: tiles still refer to the blocks before.
            block = self._source.read_into(np.empty(shape, dtype))
            if block is None:
                return
            if not _is_empty(block):
                self._put(block)

    def _put(self, item: LineBlock | LineLoss | SourceEnd) -> None:
        while not self._stopping.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return


def _is_empty(piece: LineBlock | LineLoss) -> bool:
    """Whether a live source says that nothing has come yet."""
    return isinstance(piece, LineBlock) and len(piece.pixels) == 0
