"""Links over ZeroMQ sockets (ipc, tcp); knows frames and peers, not what messages mean."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

import zmq

from streamer import wire

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOG = logging.getLogger(__name__)
LINGER_MS = 3000
HIGH_WATER_MARK = 64
_S = TypeVar("_S", bound="_Socket")


class EndpointError(OSError):
    """A socket cannot be bound or connected."""


class _Socket:
    """A socket that counts what it refuses."""

    def __init__(self, socket: zmq.Socket[bytes], endpoint: str) -> None:
        self.raw = socket
        self.endpoint = endpoint
        self.rejected = 0

    def receive_frames(self) -> list[memoryview] | None:
        """Frames of the next message as read-only views, or None when none waits."""
        try:
            frames = self.raw.recv_multipart(zmq.DONTWAIT, copy=False)
        except zmq.Again:
            return None
        return [frame.buffer.toreadonly() for frame in frames]

    def send_frames(self, frames: Sequence[bytes | memoryview]) -> bool:
        """Queue frames without copying arrays; False when the queue is full or the peer gone."""
        try:
            self.raw.send_multipart(frames, zmq.DONTWAIT, copy=False)
        except (zmq.Again, zmq.ZMQError) as error:
            if error.errno in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                return False
            raise
        return True

    def reject(self, error: wire.WireError) -> None:
        """Count a message that is not ours; log the first and then every thousandth."""
        self.rejected += 1
        if self.rejected % 1000 == 1:
            _LOG.warning("%s: dropped message %d: %s", self.endpoint, self.rejected, error)

    def close(self, linger_ms: int | None = None) -> None:
        """Flush for at most `linger_ms` (default LINGER_MS) and release."""
        self.raw.close(LINGER_MS if linger_ms is None else linger_ms)


class ZmqLink(_Socket):
    """One connection: DEALER, PUSH or PULL."""

    def send(self, message: object) -> bool:
        """See ports.Outlet."""
        return self.send_frames(wire.encode(message))

    def receive(self) -> object | None:
        """See ports.Inlet."""
        while (frames := self.receive_frames()) is not None:
            try:
                return wire.decode(frames)
            except wire.WireError as error:
                self.reject(error)
        return None


class ZmqSwitchboard(_Socket):
    """The bound end of many links: ROUTER; see ports.Switchboard."""

    def send(self, peer: str, message: object) -> bool:
        """False when the peer is gone (ROUTER_MANDATORY) or its queue is full."""
        return self.send_frames([peer.encode(), *wire.encode(message)])

    def receive(self) -> tuple[str, object] | None:
        """Next (peer, message); strangers without a readable name are dropped."""
        while (frames := self.receive_frames()) is not None:
            try:
                return bytes(frames[0]).decode(), wire.decode(frames[1:])
            except UnicodeDecodeError:
                self.reject(wire.WireError("peer name must be UTF-8"))
            except wire.WireError as error:
                self.reject(error)
        return None


class ZmqHub:
    """Opens the sockets of one process and closes them together."""

    def __init__(self) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._poller = zmq.Poller()
        self._sockets: list[_Socket] = []

    def bind_switchboard(self, endpoint: str) -> ZmqSwitchboard:
        """ROUTER bound at `endpoint`."""
        socket = self._open(zmq.ROUTER)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.ROUTER_HANDOVER, 1)  # a restarted stage may take its old name
        return self._keep(ZmqSwitchboard(self._bind(socket, endpoint), endpoint))

    def connect_link(self, endpoint: str, name: str) -> ZmqLink:
        """DEALER that is known as `name` to the switchboard at `endpoint`."""
        socket = self._open(zmq.DEALER)
        socket.setsockopt(zmq.IDENTITY, name.encode())
        return self._keep(ZmqLink(self._connect(socket, endpoint), endpoint))

    def bind_inlet(self, endpoint: str, most_waiting: int = HIGH_WATER_MARK) -> ZmqLink:
        """PULL bound at `endpoint`; of each peer so many messages may wait in it."""
        socket = self._open(zmq.PULL, most_waiting)
        return self._keep(ZmqLink(self._bind(socket, endpoint), endpoint))

    def connect_outlet(self, endpoint: str, most_waiting: int = HIGH_WATER_MARK) -> ZmqLink:
        """PUSH connected to the inlet at `endpoint`; so many messages may wait in it."""
        socket = self._open(zmq.PUSH, most_waiting)
        link = ZmqLink(self._connect(socket, endpoint), endpoint)
        self._sockets.append(link)
        return link

    def wait(self, timeout_ms: int) -> None:
        """See ports.Waiting."""
        self._poller.poll(timeout_ms)

    def close(self, linger_ms: int | None = None) -> None:
        """Close all sockets, each flushing for at most `linger_ms` (default LINGER_MS)."""
        for socket in self._sockets:
            socket.close(linger_ms)
        self._sockets.clear()
        self._context.term()

    def _open(self, kind: int, most_waiting: int = HIGH_WATER_MARK) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.SNDHWM, most_waiting)
        socket.setsockopt(zmq.RCVHWM, most_waiting)
        socket.setsockopt(zmq.LINGER, LINGER_MS)
        return socket

    def _keep(self, socket: _S) -> _S:
        self._sockets.append(socket)
        self._poller.register(socket.raw, zmq.POLLIN)
        return socket

    @staticmethod
    def _bind(socket: zmq.Socket[bytes], endpoint: str) -> zmq.Socket[bytes]:
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            socket.close(0)
            msg = f"endpoint must be free and local, got {endpoint} ({error.strerror})"
            raise EndpointError(msg) from None
        return socket

    @staticmethod
    def _connect(socket: zmq.Socket[bytes], endpoint: str) -> zmq.Socket[bytes]:
        try:
            socket.connect(endpoint)
        except zmq.ZMQError as error:
            socket.close(0)
            msg = f"endpoint must be an ipc:// or tcp:// address, got {endpoint} ({error.strerror})"
            raise EndpointError(msg) from None
        return socket
