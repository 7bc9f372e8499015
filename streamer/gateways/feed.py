"""What the sink tells, as a gateway hears it over ZeroMQ; knows no PLC protocol."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import zmq

from streamer.gateways.follower import AlarmFollower
from streamer.line_ports import LineView
from streamer.outputs.line_message import (
    decode_alarm,
    decode_answer,
    decode_rows,
    decode_snapshot,
    decode_status,
    encode_command,
)

if TYPE_CHECKING:
    from streamer.line_status import Command, CommandAnswer, LineStatus, MapRows

_LOG = logging.getLogger(__name__)
STALE_S = 0.5  # five statuses
ASK_AGAIN_S = 0.5
MOST_WAITING_FRAMES = 10_000
FRAMES_PER_POLL = 2_000
ALARM_TOPICS = (b"defect", b"not_inspected", b"system")
MOST_ROWS = 1_000  # of the live map, between two views


class SinkFeed:
    """Follows one sink, whenever either of them starts; see line_ports.LineFeed."""

    def __init__(self, publish: str, snapshot: str) -> None:
        """Connect; nothing need be bound there yet."""
        self._context = zmq.Context()
        self._updates = self._context.socket(zmq.SUB)
        self._updates.rcvhwm = MOST_WAITING_FRAMES
        for topic in (*ALARM_TOPICS, b"status", b"map"):
            self._updates.subscribe(topic)
        self._updates.connect(publish)
        self._questions = self._context.socket(zmq.DEALER)
        self._questions.linger = 0
        self._questions.connect(snapshot)
        self._follower = AlarmFollower()
        self._status: LineStatus | None = None
        self._heard_s = float("-inf")
        self._asked_s = float("-inf")
        self._rows: list[MapRows] = []
        self._answers: list[CommandAnswer] = []
        self.malformed = 0

    def wait(self, timeout_ms: int) -> None:
        """Return as soon as something can be read, or after the timeout."""
        zmq.zmq_poll([(self._updates, zmq.POLLIN), (self._questions, zmq.POLLIN)], timeout_ms)

    def poll(self) -> LineView:
        """Take what came; returns at once."""
        for _ in range(FRAMES_PER_POLL):
            if not self._updates.poll(0):
                break
            self._take(self._updates.recv_multipart(zmq.NOBLOCK))
        while self._questions.poll(0):
            self._take_reply(self._questions.recv_multipart(zmq.NOBLOCK)[-1])
        self._ask()
        rows, self._rows = tuple(self._rows[-MOST_ROWS:]), []
        answers, self._answers = tuple(self._answers), []
        follower = self._follower
        # A snapshot may come before the first status: the alarms would pass for another sink's.
        is_of_status = self._status is not None and self._status.publisher == follower.publisher
        return LineView(
            status=self._status,
            is_fresh=time.monotonic() - self._heard_s <= STALE_S,
            is_synchronised=not follower.needs_snapshot and is_of_status,
            alarms=tuple(sorted(follower.active.values(), key=lambda alarm: alarm.sequence)),
            news=follower.take_news() if is_of_status else (),
            rows=rows,
            answers=answers,
        )

    def send(self, command: Command) -> bool:
        """Ask the sink; False when it cannot even be queued. Its answer comes with a view."""
        try:
            self._questions.send(encode_command(command), zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def close(self) -> None:
        """Release the connections; may be called twice."""
        self._updates.close(linger=0)
        self._questions.close(linger=0)
        self._context.term()

    def _take(self, frames: list[bytes]) -> None:
        topic, *content = frames
        try:
            if topic == b"status":
                self._take_status(decode_status(content[0]))
            elif topic == b"map":
                self._rows.append(decode_rows(content[0], content[1]))
            elif topic in ALARM_TOPICS:
                self._follower.add(*decode_alarm(content[0]))
        except (ValueError, IndexError) as error:
            self._count_malformed(error)

    def _take_status(self, status: LineStatus) -> None:
        self._status, self._heard_s = status, time.monotonic()
        self._follower.note(status.publisher, status.sequence)

    def _take_reply(self, frame: bytes) -> None:
        try:
            answer = decode_answer(frame)
            if answer is not None:
                self._answers.append(answer)
            else:
                self._follower.take_snapshot(*decode_snapshot(frame))
        except ValueError as error:
            self._count_malformed(error)

    def _count_malformed(self, error: Exception) -> None:
        self.malformed += 1
        if self.malformed in (1, 10, 100) or self.malformed % 1000 == 0:
            _LOG.warning(
                "dropped what the sink is said to have sent (%d): %s", self.malformed, error
            )

    def _ask(self) -> None:
        now_s = time.monotonic()
        if not self._follower.needs_snapshot or now_s - self._asked_s < ASK_AGAIN_S:
            return
        self._asked_s = now_s
        try:
            self._questions.send(b"snapshot", zmq.NOBLOCK)
        except zmq.Again:
            _LOG.warning("the sink takes no questions; asking again")
