"""Capture's side of the recorder: hands over what it can without waiting; knows no recording."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from streamer.message import GapReason, LineBlock, LineLoss
from streamer.protocol import EndOfRecording, ToRecord

if TYPE_CHECKING:
    from streamer.ports import Outlet, WebFormat


@dataclass(slots=True)
class RecorderFeed:
    """Sends every block and loss to the recorder, or counts the lines that it would not take.

    Each has a sequence number, sent or not, by which the recorder knows what it lacks. `figures`
    get how many lines were not taken.
    """

    outlet: Outlet
    form: WebFormat
    incarnation: str
    figures: dict[str, float]
    _sequence: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.figures["lines_refused_by_recorder"] = 0

    def begin(self, first_line: int) -> None:
        """Capture begins with this line; only the first of the roll is number 0."""
        self._sequence = min(first_line, 1)

    def hand_over(self, item: LineBlock | LineLoss) -> None:
        """Offer an item; never waits. Filler of a partial block goes as the loss that it is."""
        if isinstance(item, LineLoss):
            self._offer(loss=item)
            return
        filler, first = len(item.pixels) - item.valid_lines, item.first_line + item.valid_lines
        if item.valid_lines:
            seen = item.pixels[: item.valid_lines]
            # As the camera saw it: a correction that is due is for the tiles.
            self._offer(block=replace(item, pixels=seen, correction=None))
        if filler:
            reason, time_ns = GapReason.PARTIAL_FRAME, item.captured_ns
            self._offer(loss=LineLoss(item.camera, first, filler, reason, time_ns))

    def end(self, end_line: int, truth: bytes) -> bool:
        """Offer the end of the recording; False: not taken, try again."""
        end = EndOfRecording(self.incarnation, self._sequence, end_line, truth)
        return self.outlet.send(end)

    def _offer(self, block: LineBlock | None = None, loss: LineLoss | None = None) -> None:
        form = self.form
        shape = (form.columns, form.channels, form.bits, form.description)
        message = ToRecord(self.incarnation, self._sequence, *shape, block, loss)
        self._sequence += 1
        if not self.outlet.send(message):
            lines = block.valid_lines if block else loss.line_count if loss else 0
            self.figures["lines_refused_by_recorder"] += lines
