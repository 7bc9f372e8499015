"""Alarms over ZeroMQ: PUB, and a ROUTER that tells a newcomer what is active; decides nothing."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import zmq

from streamer.message import DefectState, require
from streamer.outputs.alarm_message import (
    BEAT_SCHEMA,
    SNAPSHOT_SCHEMA,
    alarm_record,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer.message import Alarm

BEAT_TOPIC = b"beat"
QUEUE_LENGTH = 10_000
LINGER_MS = 500
BEAT_INTERVAL_S = 1.0
REQUESTS_PER_POLL = 100
LARGEST_REQUEST_BYTES = 1024


class AlarmEndpointError(OSError):
    """An endpoint for alarms cannot be bound."""


class AlarmOutputError(OSError):
    """Alarms or answers cannot be sent."""


class ZmqAlarms:
    """Publishes [topic, JSON]; the topic is the kind of the alarm, or "beat".

    A subscriber connects and subscribes first, then sends anything to the snapshot endpoint and
    gets {schema, publisher, sequence, active}; it drops messages up to that sequence and applies
    those after it (clone pattern, ZeroMQ Guide chapter 5). A beat carries the latest sequence, so
    that a subscriber that misses the last message learns of it. PUB drops for a subscriber whose
    queue is full; the hole in the sequence tells it to ask for a snapshot again.
    """

    def __init__(self, publish: str, snapshot: str) -> None:
        """Bind both endpoints.

        Raises:
            AlarmEndpointError: one of them is taken or no endpoint; nothing stays bound.
        """
        self._publisher = uuid.uuid4().hex
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

    def publish(self, alarm: Alarm) -> None:
        """Send the alarm and remember it until it ends; never waits.

        Raises:
            AlarmOutputError: ZeroMQ refuses it.
            ValueError: its sequence does not rise, or a number in it is not finite.
        """
        rises = alarm.sequence > self._sequence
        require(rises, f"Alarm.sequence must be > {self._sequence}", alarm.sequence)
        record = alarm_record(alarm, self._publisher)
        frame = encode(record)
        self._sequence = alarm.sequence
        self._active.pop(alarm.id, None)
        if alarm.state is not DefectState.END:
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

    def close(self) -> None:
        """Send what is queued, for half a second at most, and release the endpoints."""
        self._publish_socket.close(linger=LINGER_MS)
        self._snapshot_socket.close(linger=LINGER_MS)
        self._context.term()

    def _position(self) -> dict[str, Any]:
        return {"publisher": self._publisher, "sequence": self._sequence}

    def _send(self, topic: bytes, frame: bytes) -> None:
        with _output_errors():
            self._publish_socket.send_multipart([topic, frame], flags=zmq.NOBLOCK)

    def _answer_requests(self) -> None:
        snapshot = b""
        for _ in range(REQUESTS_PER_POLL):
            if not self._snapshot_socket.poll(0):
                return
            request = self._snapshot_socket.recv_multipart(flags=zmq.NOBLOCK)
            snapshot = snapshot or self._snapshot()
            # A ROUTER drops what it cannot deliver; the peer asks again.
            self._snapshot_socket.send_multipart([*_envelope(request), snapshot], zmq.NOBLOCK)

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
