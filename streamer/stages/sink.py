"""Sink: verdicts in, alarms and the roll folder out; knows no socket, file format or method."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from streamer.message import (
    Gap,
    GapReason,
    Heartbeat,
    ScoreMap,
    StageState,
)
from streamer.protocol import Ack, EndOfRoll, Hello, LedgerRow
from streamer.side_by_side import CameraPlace, JoinState, add_strip, take_joined
from streamer.stages.announcer import Announcer, RepeatPlace
from streamer.stages.camera_roll import CameraRoll
from streamer.stages.defect_finder import DefectFinder
from streamer.stages.publisher import Publisher
from streamer.stages.roll_session import RollSession, whole_coverage
from streamer.stages.status_board import LineFacts, StatusBoard
from streamer.stages.verdicts import RollVerdicts
from streamer.stitching import StitchState

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.line_status import LineStatus
    from streamer.message import Alarm, Defect
    from streamer.ports import (
        RollSummary,
    )
    from streamer.repeats import Repeat
    from streamer.stages.pulse import Pulse
    from streamer.stages.sink_plan import SinkLinks, SinkOutputs, SinkPlan
    from streamer.web import Strip

_LOG = logging.getLogger(__name__)
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
MOST_UNWRITTEN = 1000  # strips, pictures and alarms
MOST_AHEAD = 16  # strips of a camera that wait for the others before its capture must wait, too
FINISH_LIMIT_MS = 30_000  # between two signs of life while report and labels are made
BEHIND = "the roll folder is written too slowly; is the disk full or gone?"


@dataclass(slots=True)
class SinkStage:
    """Runs until the roll has ended and every tile of it has a verdict."""

    plan: SinkPlan
    links: SinkLinks
    pulse: Pulse
    outputs: SinkOutputs
    stopping: Callable[[], bool]
    cameras: dict[str, CameraRoll] = field(init=False)
    announcer: Announcer = field(init=False)
    publisher: Publisher = field(init=False)
    board: StatusBoard = field(init=False)
    finder: DefectFinder = field(init=False)
    _join: JoinState = field(init=False)
    _session: RollSession = field(init=False, default_factory=RollSession)
    _progress_ns: int = field(init=False, default=0)
    _strip_ns: int = field(init=False, default=0)
    _scored_ns: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        roll, stride = self.plan.origin.roll, self.plan.stride
        self.cameras = {
            place.camera: CameraRoll(
                place, RollVerdicts(roll, StitchState(place.columns.size, stride))
            )
            for place in self.plan.places
        }
        self._join = JoinState(self.plan.places, stride)
        origin, outputs = self.plan.origin, self.outputs
        self.announcer = Announcer(origin)
        self.finder = DefectFinder(self.plan.decision, self.plan.repeats)
        self.publisher = Publisher(
            *(outputs.alarms, outputs.peers, outputs.record, origin, outputs.book, outputs.memory)
        )
        self.board = StatusBoard(origin, self.plan.status)

    def run(self) -> RollSummary:
        """Take verdicts until the roll is complete; returns its summary, already recorded.

        Raises:
            OSError: the roll cannot be recorded; those who follow the line know it by then.
        """
        try:
            return self._run()
        except OSError as error:
            self.publisher.tell_status(self._status(str(error)), self.pulse.now_ns())
            raise

    def _run(self) -> RollSummary:
        self._session.started_ns = self._progress_ns = self.pulse.now_ns()
        self.pulse.enter(StageState.READY)
        while not self._is_complete():
            self.links.wait(20)
            if not self._is_behind:  # else captures wait for their acknowledgements
                self._hear()
                self._send_acks()
                self._publish_strips()
            self._watch()
            if self._must_give_up():
                break
        return self._finish()

    @property
    def _is_behind(self) -> bool:
        """Whether the record takes less than the verdicts that come."""
        return self.outputs.record.backlog > MOST_UNWRITTEN

    def _is_complete(self) -> bool:
        return all(camera.is_complete for camera in self.cameras.values())

    def _must_give_up(self) -> bool:
        """Whether nothing can complete this roll: it is over or to be stopped, and nothing comes.

        A lost ledger row whose lines are not known is such a case: nobody would send it again.
        """
        silent_ms = (self.pulse.now_ns() - self._progress_ns) / NS_PER_MS
        cameras = self.cameras.values()
        if all(camera.end is not None for camera in cameras):
            return silent_ms > self.plan.verdict_timeout_ms + self.plan.orphan_timeout_ms
        greeted = any(camera.hello is not None for camera in cameras)
        patience_ms = self.plan.orphan_timeout_ms if greeted else 0
        return self.stopping() and silent_ms > patience_ms

    def _hear(self) -> None:
        while (delivery := self.links.ledger.receive()) is not None:
            self._hear_capture(*delivery)
        while (result := self.links.results.receive()) is not None:
            self._hear_worker(result)

    def _hear_capture(self, peer: str, message: object) -> None:
        match message:
            case Hello() if message.camera in self.cameras:
                self._greet(self.cameras[message.camera], peer, message)
            case LedgerRow() if self._is_ours(message):
                self._take_row(message)
            case Gap() if self._is_ours(message):
                self._take_gap(message)
            case EndOfRoll() if self._is_ours(message):
                self._take_end(message)
            case Heartbeat():
                self._take_beat(message)
                self._note_camera(peer, message)
            case _:
                _LOG.warning("dropped %s from capture", type(message).__name__)

    def _hear_worker(self, message: object) -> None:
        match message:
            case ScoreMap() if self._is_ours(message) and message.stride == self.plan.stride:
                self._take_map(message)
            case Heartbeat():
                self._session.engine = message.backend or self._session.engine
                self._take_beat(message)
            case _:
                _LOG.warning("dropped %s from a worker", type(message).__name__)

    def _is_ours(self, message: LedgerRow | Gap | EndOfRoll | ScoreMap) -> bool:
        return message.roll == self.plan.origin.roll and message.camera in self.cameras

    def _progress(self, news: bool) -> None:
        if news:
            self._progress_ns = self.pulse.now_ns()

    def _greet(self, camera: CameraRoll, peer: str, hello: Hello) -> None:
        """Tell capture where the roll stands; what a dead one left open is not inspected."""
        if all(known.hello is None for known in self.cameras.values()):
            self._session.started_ns = self.pulse.now_ns()
        if camera.greet(hello, peer, self.pulse.now_ns()):
            self._give_up_tiles(camera, GapReason.CAMERA_LOSS, "capture was restarted")
        self._progress(news=True)
        if not self.links.ledger.send(peer, camera.resume):
            _LOG.warning("capture %s left before it was answered", peer)
        self.pulse.state = StageState.RUNNING

    def _take_row(self, row: LedgerRow) -> None:
        now_ns, follows_hole = self.pulse.now_ns(), self._close_hole(row)
        # The lost rows may have ended off the grid of the piece before them.
        row = replace(row, starts_piece=row.starts_piece or follows_hole)
        self._progress(self.cameras[row.camera].verdicts.add_row(row, now_ns))
        self.board.on_row(row.captured_ns, row.first_line + row.line_count)

    def _take_end(self, end: EndOfRoll) -> None:
        camera = self.cameras[end.camera]
        camera.end = end
        self._progress(news=True)
        after = camera.row_after_end(self.pulse.now_ns())
        if after is not None:
            self._close_hole(after)

    def _close_hole(self, following: LedgerRow) -> bool:
        """Whether ledger rows before this one were lost; they are announced as not inspected."""
        now_ns = self.pulse.now_ns()
        gaps = self.cameras[following.camera].verdicts.close_hole(following, now_ns)
        for gap in gaps:
            self._publish(self.announcer.on_gap(gap, now_ns))
        return bool(gaps)

    def _give_up_tiles(self, camera: CameraRoll, reason: GapReason, detail: str) -> None:
        for gap in camera.verdicts.unsettled_gaps(reason, detail):
            self._take_gap(gap)

    def _take_gap(self, gap: Gap) -> None:
        if self.cameras[gap.camera].verdicts.add_gap(gap):
            self._progress(news=True)
            self._publish(self.announcer.on_gap(gap, self.pulse.now_ns()))

    def _take_map(self, score_map: ScoreMap) -> None:
        now_ns, camera = self.pulse.now_ns(), self.cameras[score_map.camera]
        is_new_article = camera.verdicts.is_new_article(score_map)
        if camera.verdicts.add_map(score_map, now_ns):
            self.board.latency.add((now_ns - score_map.captured_ns) / NS_PER_S, now_ns)
            self._progress(news=True)
            if is_new_article:
                for notice in self.announcer.on_article(score_map, now_ns):
                    self._publish(notice)
            self.announcer.model_digest = score_map.model_digest
            if score_map.evidence is not None:
                self.outputs.record.add_evidence(_on_web(score_map, camera.place))
        if camera.verdicts.has_verdict(score_map.lane, score_map.sequence):
            camera.acks.append(score_map.address)

    def _take_beat(self, beat: Heartbeat) -> None:
        now_ns = self.pulse.now_ns()
        self.board.on_beat(beat, now_ns)
        self._publish(self.announcer.on_beat(beat, now_ns))
        for alarm in self.announcer.on_notices(beat, now_ns):
            self._publish(alarm)

    def _note_camera(self, peer: str, beat: Heartbeat) -> None:
        """What a capture says of its camera, by the camera's name where there are several."""
        camera = next((c for c in self.cameras.values() if c.peer == peer), None)
        if camera is None:
            return
        name = camera.place.camera
        self.board.on_camera_beat(name, beat, self.pulse.now_ns())
        prefix = f"{name}_" if len(self.cameras) > 1 else ""
        health = {k: v for k, v in beat.figures.items() if k != "seen_line"}
        self._session.camera_health |= {prefix + k: v for k, v in health.items()}
        if "connected" in beat.figures:
            self._publish(self.announcer.on_camera(name, beat, self.pulse.now_ns()))

    def _send_acks(self) -> None:
        waiting = self._join.waiting or ((),) * len(self.cameras)
        for camera, strips in zip(self.cameras.values(), waiting, strict=True):
            # Capture keeps what is not acknowledged: so one that is ahead waits for the others.
            if not camera.acks or len(strips) > MOST_AHEAD:
                continue
            if self.links.ledger.send(camera.peer, Ack(tuple(camera.acks))):
                camera.acks.clear()

    def _publish_strips(self) -> None:
        for index, camera in enumerate(self.cameras.values()):
            self._take_strips(index, camera)
        self._join, joined = take_joined(self._join)
        for strip in joined:
            self._publish_strip(strip)

    def _take_strips(self, index: int, camera: CameraRoll) -> None:
        if camera.is_complete:  # it must not hold up those that go on
            self._extend(camera)
        for strip in camera.verdicts.take_strips():
            self._join = add_strip(self._join, index, strip)

    def _extend(self, camera: CameraRoll) -> None:
        """What other cameras have shown beyond the end of this one is not inspected."""
        for gap in camera.extend_to(max(self._join.reached), self.pulse.now_ns()):
            self._take_gap(gap)

    def _publish_strip(self, strip: Strip) -> None:
        self.outputs.record.add_strip(strip)
        self._strip_ns, self._scored_ns = strip.captured_ns, strip.scored_ns
        self._publish_found(*self.finder.take(strip))
        self.publisher.show(strip)
        end_line = strip.first_line + strip.line_count
        for alarm in self.announcer.on_inspected(end_line, self.pulse.now_ns()):
            self._publish(alarm)

    def _publish_found(self, defects: tuple[Defect, ...], repeats: tuple[Repeat, ...]) -> None:
        self._session.defects = self.finder.defects
        for defect in defects:
            self.outputs.record.add_defect(defect)
            self._publish(self.announcer.on_defect(defect, self._scored_ns, self.pulse.now_ns()))
        for repeat in repeats:
            self.outputs.record.add_repeat(repeat)
            self._publish(self._alarm_of(repeat))

    def _alarm_of(self, repeat: Repeat) -> Alarm | None:
        known = self.plan.repeats
        if known is None:
            return None
        size = known.tolerance_down_mm, known.tolerance_cross_mm
        place = RepeatPlace(*size, self._strip_ns)
        return self.announcer.on_repeat(repeat, place, self.pulse.now_ns())

    def _publish(self, alarm: Alarm | None) -> None:
        self.publisher.publish(alarm, self.pulse.now_ns())

    def _watch(self) -> None:
        """Judge who is silent, answer subscribers, show the figures, beat."""
        now_ns = self.pulse.now_ns()
        for alarm in self.announcer.check_beats(self.plan.stall_ms, now_ns):
            self._publish(alarm)
        is_stuck = now_ns - self._progress_ns > self.plan.verdict_timeout_ms * NS_PER_MS
        for camera in self.cameras.values():
            if is_stuck:
                detail = f"no verdict in {self.plan.verdict_timeout_ms} ms"
                self._give_up_tiles(camera, GapReason.TIMEOUT, detail)
            for gap in camera.verdicts.overdue_gaps(self.plan.verdict_timeout_ms, now_ns):
                self._take_gap(gap)
        self._publish(self.announcer.grown_gap(now_ns))
        self.publisher.serve(self._status, now_ns)
        stitches = [camera.verdicts.stitch for camera in self.cameras.values()]
        self.pulse.queue_depth = sum(len(stitch.unsettled) for stitch in stitches)
        self.pulse.last_line = self._join.next_line
        self.pulse.figures = self._figures(now_ns)
        self.pulse.beat()

    def _status(self, fault: str = "") -> LineStatus:
        """How the line stands, for those who follow it."""
        cameras, now_ns = self.cameras.values(), self.pulse.now_ns()
        waiting = [c.verdicts.oldest_ns for c in cameras if c.verdicts.oldest_ns]
        facts = LineFacts(
            stage=self.pulse.state,
            publisher=self.outputs.peers.publisher,
            sequence=self.outputs.book.sequence,
            defects=self._session.defects,
            active_alarms=self.outputs.book.active,
            unacknowledged=self.outputs.book.unacknowledged,
            gap_is_active=self.announcer.has_gap,
            last_line=max(camera.verdicts.last_line for camera in cameras),
            judged_line=self._join.next_line,
            oldest_ns=min(waiting, default=0),
            coverage=whole_coverage(cameras),
            model_digest=self.announcer.model_digest,
            fault=fault,
            hindrance=BEHIND if self._is_behind else "",
        )
        status = self.board.status(facts, now_ns)
        if self.pulse.state is StageState.RUNNING:  # at the end of the roll all alarms end
            way_mm, actuator_mm = status.latency_p99_mm, status.actuator_mm
            self._publish(self.announcer.on_latency(way_mm, actuator_mm, now_ns))
        return status

    def _figures(self, now_ns: int) -> dict[str, float]:
        cameras = self.cameras.values()
        coverage = whole_coverage(cameras)
        lag_ns = now_ns - self._strip_ns if self._strip_ns else 0
        open_defects = self.finder.open_defects
        return {
            "inspected_px": coverage.inspected,
            "not_inspected_px": coverage.not_inspected_total,
            "defects": self._session.defects,
            "open_defects": open_defects,
            "open_alarms": open_defects + self.announcer.active,
            "alarm_faults": self.publisher.faults,
            "stop_requested": float(self.publisher.stop_requested),
            "lag_ms": lag_ns / NS_PER_MS,
            "latency_p50_ms": max(c.verdicts.latency.quantile(0.5) for c in cameras) * 1000,
        }

    def _finish(self) -> RollSummary:
        self.pulse.enter(StageState.DRAINING)
        for camera in self.cameras.values():
            if not camera.is_complete:
                detail = "the roll was not ended by capture"
                self._give_up_tiles(camera, GapReason.CAMERA_LOSS, detail)
        self._publish_strips()
        for camera in self.cameras.values():
            self._extend(camera)
        self._publish_strips()
        self._publish_found(*self.finder.finish())
        for alarm in self.announcer.end_all(self.pulse.now_ns()):
            self._publish(alarm)
        self._send_acks()
        cameras = tuple(self.cameras.values())
        summary = self._session.summarise(self.plan.origin, cameras, self.pulse.now_ns())
        self.pulse.announce_busy(FINISH_LIMIT_MS)
        self.outputs.record.finish(summary, self._show_life)
        self.pulse.enter(StageState.STOPPED)
        self.publisher.tell_status(self._status(), self.pulse.now_ns())
        return summary

    def _show_life(self) -> None:
        self.pulse.beat(FINISH_LIMIT_MS)
        self.publisher.serve(self._status, self.pulse.now_ns())


def _on_web(score_map: ScoreMap, place: CameraPlace) -> ScoreMap:
    """A camera's map in the columns of the whole web."""
    return replace(score_map, first_column=score_map.first_column + place.columns.first)
