"""Connections of an OPC UA server, bounded one by one; knows no node and no line.

The library answers peers in one thread and leaves some doors open; what is closed here:
a peer that does not take its answers is not read from, and dropped after PATIENCE_S; one that
vanished is found; there are never more than so many; nobody speaks before his channel is open.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Any

from streamer.gateways import extra

with extra("opcua"):
    from asyncua import Server, ua
    from asyncua.common.connection import TransportLimits
    from asyncua.common.utils import ServiceError
    from asyncua.server.address_space import AttributeService
    from asyncua.server.binary_server_asyncio import BinaryServer, OPCUAProtocol
    from asyncua.server.uaprocessor import UaProcessor

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE_S = 5.0
MOST_UNREAD_BYTES = 262_144
LARGEST_REQUEST_BYTES = 262_144
LARGEST_CHUNK_BYTES = 65_535
MOST_NODES = 1_000  # read by one request
MOST_WAITING_REQUESTS = 100
MOST_WAITING_NOTES = 1_000  # of one monitored item; beyond it the oldest goes
MOST_SUBSCRIPTIONS = 200
LONGEST_SESSION_MS = 60_000  # without a word
LIMITS = TransportLimits(
    max_recv_buffer=LARGEST_CHUNK_BYTES,
    max_send_buffer=LARGEST_CHUNK_BYTES,
    max_chunk_count=64,
    max_message_size=LARGEST_REQUEST_BYTES,
)
# A peer that vanished without a word is found within half a minute, whether it owes or is owed.
_ALIVE_OPTIONS = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 4,
    "TCP_USER_TIMEOUT": 30_000,
}


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens: whoever comes before the server is ready waits.

    Raises:
        OSError: the address cannot be bound; the text names it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        where = f"{host}:{port}"
        msg = f"gateways.opc_ua must have a host and port that can be bound, got {where}: {error}"
        raise OSError(error.errno, msg) from error


class LineServer(Server):
    """A server on a socket that is bound already; init it before it starts."""

    def bind(self, listener: socket.socket, connections: int, policies: Sequence[Any]) -> None:
        """Say where it shall listen, to how many, and by which channels."""
        self._listener, self._channels = listener, list(policies)
        self.limits = LIMITS
        inner = self.iserver
        inner.attribute_service = _BoundedReads(inner.aspace)
        inner.allow_remote_admin = False
        inner.max_connections = connections
        inner.max_session_timeout_ms = LONGEST_SESSION_MS
        inner.max_pending_messages_per_connection = MOST_WAITING_REQUESTS
        inner.max_monitored_item_queue_size = MOST_WAITING_NOTES
        inner.max_unacked_messages_per_subscription = 100
        inner.max_subscriptions = MOST_SUBSCRIPTIONS
        inner.max_pending_activation_seconds = PATIENCE_S

    async def start(self) -> None:
        """Serve."""
        await self._setup_server_nodes()
        await self.iserver.start()
        host, port = self._listener.getsockname()[:2]
        self.bserver = _BoundedServer(self.iserver, host, port, self.limits)
        self.bserver.set_policies(self._channels)
        await self.bserver.listen(self._listener)

    def drop_all(self) -> None:
        """Close all connections at once."""
        for transport in tuple(self.iserver.asyncio_transports):
            transport.abort()


class _BoundedServer(BinaryServer):
    async def listen(self, listener: socket.socket) -> None:
        """Serve on a bound socket."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._make_protocol, sock=listener)
        self.cleanup_task = asyncio.create_task(self._close_task_loop())

    def _make_protocol(self) -> OPCUAProtocol:
        return _BoundedProtocol(
            self.iserver, self._policies, self.clients, self.closing_tasks, self.limits
        )


class _BoundedProtocol(OPCUAProtocol):
    """One connection."""

    heard_s = 0.0
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Make room, and bound what is kept for the peer."""
        self.heard_s = time.monotonic()
        if len(self.clients) >= self.iserver.max_connections:
            self._push_out_the_most_silent()
        super().connection_made(transport)
        if self.transport is None:
            return
        transport.set_write_buffer_limits(high=MOST_UNREAD_BYTES)
        _prepare(transport.get_extra_info("socket"))
        self.processor = _OpenProcessor(self.iserver, transport, self.limits)
        self.processor.set_policies(self.policies)

    def data_received(self, data: bytes) -> None:
        """Take bytes, as long as they can become a request."""
        self.heard_s = time.monotonic()
        super().data_received(data)
        if len(self._buffer) > LARGEST_CHUNK_BYTES and self.transport is not None:
            self.transport.abort()

    def pause_writing(self) -> None:
        """The peer does not take its answers: it gets no further ones."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        transport.pause_reading()
        loop = asyncio.get_running_loop()
        self._waiting = loop.call_later(PATIENCE_S, transport.abort)

    def resume_writing(self) -> None:
        """It has taken them."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_lost(self, ex: BaseException | None) -> None:
        """Forget the peer."""
        if self._waiting is not None:
            self._waiting.cancel()
        super().connection_lost(ex)

    def _push_out_the_most_silent(self) -> None:
        """A peer that died without a word must not keep a living one out."""
        silent = min(self.clients, key=lambda one: one.heard_s)
        self.clients.remove(silent)
        if silent.transport is not None:
            silent.transport.abort()


class _OpenProcessor(UaProcessor):
    """Hears requests through an open channel alone, for only that has a policy."""

    async def process(self, header: Any, body: Any) -> bool:
        """Answer a message; False: drop the peer."""
        await asyncio.sleep(0)  # a peer with a hundred requests waits for the others
        needs_channel = header.MessageType == ua.MessageType.SecureMessage
        if needs_channel and not self._connection.is_open():
            return False
        return bool(await super().process(header, body))


class _BoundedReads(AttributeService):
    def read(self, params: ua.ReadParameters) -> list[ua.DataValue]:
        """Read values, of not too many nodes: others are served in the meantime."""
        if len(params.NodesToRead) > MOST_NODES:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        return list(super().read(params))


def _prepare(wire: Any) -> None:
    """Bound what the system keeps for the peer, and let it find out if the peer has vanished."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_UNREAD_BYTES)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _ALIVE_OPTIONS.items():
        if hasattr(socket, name):
            wire.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
