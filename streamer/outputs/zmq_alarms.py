"""Alarms over ZeroMQ: PUB, and a ROUTER that tells a newcomer what is active; decides nothing."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import zmq

from streamer.line_status import CommandAnswer
from streamer.message import AlarmCondition, require
from streamer.outputs.alarm_message import (
    BEAT_SCHEMA,
    SNAPSHOT_SCHEMA,
    alarm_record,
    encode,
)
from streamer.outputs.line_message import (
    decode_command,
    encode_answer,
    encode_rows,
    encode_status,
    is_command,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streamer.line_status import Command, LineStatus, MapRows
    from streamer.message import Alarm

BEAT_TOPIC = b"beat"
QUEUE_LENGTH = 10_000
LINGER_MS = 500
BEAT_INTERVAL_S = 1.0
REQUESTS_PER_POLL = 100
LARGEST_REQUEST_BYTES = 4096
MOST_COMMANDS = 1000  # that wait to be taken


class AlarmEndpointError(OSError):
    """An endpoint for alarms cannot be bound."""


class AlarmOutputError(OSError):
    """Alarms or answers cannot be sent."""


class ZmqAlarms:
    """Publishes [topic, JSON]; the topic is the kind of the alarm, "beat", "status" or "map".

    A subscriber connects and subscribes first, then sends anything to the snapshot endpoint and
    gets {schema, publisher, sequence, active}; it drops messages up to that sequence and applies
    those after it (clone pattern, ZeroMQ Guide chapter 5). A beat carries the latest sequence, so
    that a subscriber that misses the last message learns of it. PUB drops for a subscriber whose
    queue is full; the hole in the sequence tells it to ask for a snapshot again. An alarm is active
    until it is normal. A request that is a command is answered by whoever takes the commands.
    """

    def __init__(self, publish: str, snapshot: str) -> None:
        """Bind both endpoints.

        Raises:
            AlarmEndpointError: one of them is taken or no endpoint; nothing stays bound.
        """
        self.publisher = uuid.uuid4().hex
        self._commands: list[tuple[list[bytes], Command]] = []
        self._sequence = 0
        self._active: dict[str, dict[str, Any]] = {}
        self._beat_due_s = 0.0
        self._context = zmq.Context()
        self._publish_socket = self._context.socket(zmq.PUB)
        self._snapshot_socket = self._context.socket(zmq.ROUTER)
        self._publish_socket.sndhwm = QUEUE_LENGTH
        self._snapshot_socket.sndhwm = self._snapshot_socket.rcvhwm = REQUESTS_PER_POLL
        self._snapshot_socket.maxmsgsize = LARGEST_REQUEST_BYTES
        try:
            _bind(self._publish_socket, "alarms.publish", publish)
            _bind(self._snapshot_socket, "alarms.snapshot", snapshot)
        except AlarmEndpointError:
            self.close()
            raise

    @property
    def endpoints(self) -> tuple[str, str]:
        """Where PUB and snapshot really are bound (with the port, if "*" was asked for)."""
        sockets = (self._publish_socket, self._snapshot_socket)
        publish, snapshot = (socket.get_string(zmq.LAST_ENDPOINT) for socket in sockets)
        return publish, snapshot

    def adopt(self, alarms: Iterable[Alarm], sequence: int) -> None:
        """Go on after message `sequence` of an earlier sink, whose alarms are still not normal.

        Raises:
            ValueError: a number in them is not finite.
        """
        self._active = {alarm.id: alarm_record(alarm, self.publisher) for alarm in alarms}
        self._sequence = sequence

    def publish(self, alarm: Alarm) -> None:
        """Send the alarm and remember it until it ends; never waits.

        Raises:
            AlarmOutputError: ZeroMQ refuses it.
            ValueError: its sequence does not rise, or a number in it is not finite.
        """
        rises = alarm.sequence > self._sequence
        require(rises, f"Alarm.sequence must be > {self._sequence}", alarm.sequence)
        record = alarm_record(alarm, self.publisher)
        frame = encode(record)
        self._sequence = alarm.sequence
        self._active.pop(alarm.id, None)
        if alarm.condition is not AlarmCondition.NORMAL:
            self._active[alarm.id] = record
        self._send(alarm.kind.value.encode(), frame)

    def poll(self) -> None:
        """Answer waiting snapshot requests and send a beat each second; returns at once.

        Raises:
            AlarmOutputError: ZeroMQ refuses to receive or send.
        """
        with _output_errors():
            self._answer_requests()
        if time.monotonic() >= self._beat_due_s:
            self._beat_due_s = time.monotonic() + BEAT_INTERVAL_S
            self._send(BEAT_TOPIC, encode({"schema": BEAT_SCHEMA, **self._position()}))

    def tell(self, status: LineStatus) -> None:
        """Publish how the line stands; never waits.

        Raises:
            AlarmOutputError: ZeroMQ refuses it.
        """
        self._send(b"status", encode_status(status))

    def show_rows(self, rows: MapRows) -> None:
        """Publish rows of the live map; never waits.

        Raises:
            AlarmOutputError: ZeroMQ refuses it.
        """
        self._send(b"map", *encode_rows(rows))

    def take_commands(self) -> tuple[tuple[list[bytes], Command], ...]:
        """What peers asked for, each with the address that `answer` wants."""
        commands, self._commands = tuple(self._commands), []
        return commands

    def answer(self, address: list[bytes], answer: CommandAnswer) -> None:
        """Tell a peer whether its command was carried out; never waits.

        Raises:
            AlarmOutputError: ZeroMQ refuses it.
        """
        with _output_errors():
            self._snapshot_socket.send_multipart([*address, encode_answer(answer)], zmq.NOBLOCK)

    def close(self) -> None:
        """Send what is queued, for half a second at most, and release the endpoints."""
        self._publish_socket.close(linger=LINGER_MS)
        self._snapshot_socket.close(linger=LINGER_MS)
        self._context.term()

    def _position(self) -> dict[str, Any]:
        return {"publisher": self.publisher, "sequence": self._sequence}

    def _send(self, topic: bytes, *frames: bytes) -> None:
        with _output_errors():
            self._publish_socket.send_multipart([topic, *frames], flags=zmq.NOBLOCK)

    def _answer_requests(self) -> None:
        snapshot = b""
        for _ in range(REQUESTS_PER_POLL):
            if not self._snapshot_socket.poll(0):
                return
            request = self._snapshot_socket.recv_multipart(flags=zmq.NOBLOCK)
            if is_command(request[-1]):
                self._take_command(request)
                continue
            snapshot = snapshot or self._snapshot()
            # A ROUTER drops what it cannot deliver; the peer asks again.
            self._snapshot_socket.send_multipart([*_envelope(request), snapshot], zmq.NOBLOCK)

    def _take_command(self, request: list[bytes]) -> None:
        try:
            command = decode_command(request[-1])
            require(
                len(self._commands) < MOST_COMMANDS,
                f"commands that wait must be < {MOST_COMMANDS}",
                len(self._commands),
            )
        except ValueError as error:
            self.answer(_envelope(request), CommandAnswer("", ok=False, text=str(error)[:200]))
            return
        self._commands.append((_envelope(request), command))

    def _snapshot(self) -> bytes:
        active = list(self._active.values())
        return encode({"schema": SNAPSHOT_SCHEMA, **self._position(), "active": active})


@contextmanager
def _output_errors() -> Iterator[None]:
    """ZMQError is no OSError, which is what those who use an alarm output expect of a failure."""
    try:
        yield
    except zmq.ZMQError as error:
        msg = f"alarm endpoints must be open and working, got: {error}"
        raise AlarmOutputError(msg) from error


def _envelope(request: list[bytes]) -> list[bytes]:
    """The address of the peer, with the empty delimiter that a REQ socket expects back."""
    return request[:2] if len(request) > 2 and request[1] == b"" else request[:1]


def _bind(socket: zmq.Socket[bytes], name: str, endpoint: str) -> None:
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        hint = "is another linescan running? Choose another port"
        msg = f"{name} must be an endpoint that can be bound, got {endpoint}: {error}; {hint}"
        raise AlarmEndpointError(msg) from None
