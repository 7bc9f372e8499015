"""What a sink is given: its plan, its links and its outputs; does nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.message import Interval
from streamer.side_by_side import CameraPlace
from streamer.stages.status_board import StatusLimits

if TYPE_CHECKING:
    from streamer.alarm_book.book import AlarmBook
    from streamer.decision import DecisionSettings
    from streamer.line_ports import AlarmMemory, AlarmOutput, LinePeers
    from streamer.ports import Inlet, RollRecord, Switchboard, Waiting
    from streamer.repeats import RepeatSettings
    from streamer.stages.announcer import AlarmOrigin


@dataclass(frozen=True, slots=True)
class SinkPlan:
    """What one sink process does; `stride` is the grid's, in pixels.

    `cameras` are side by side, left to right; none: the origin's camera sees the whole web.
    """

    origin: AlarmOrigin
    decision: DecisionSettings
    stride: int
    stall_ms: int
    verdict_timeout_ms: int
    orphan_timeout_ms: int
    cameras: tuple[CameraPlace, ...] = ()
    status: StatusLimits = StatusLimits()
    repeats: RepeatSettings | None = None

    @property
    def places(self) -> tuple[CameraPlace, ...]:
        """Where the cameras are; at least one."""
        whole = Interval(0, self.origin.geometry.columns)
        return self.cameras or (CameraPlace(self.origin.camera, whole),)


@dataclass(slots=True)
class SinkLinks:
    """The sink's connections: captures' ledgers, workers' results, and waiting on both."""

    ledger: Switchboard
    results: Inlet
    wait: Waiting


@dataclass(slots=True)
class SinkOutputs:
    """Where verdicts go: the roll's record, alarm outputs, and those who follow the line."""

    record: RollRecord
    alarms: tuple[AlarmOutput, ...]
    peers: LinePeers
    book: AlarmBook
    memory: AlarmMemory
