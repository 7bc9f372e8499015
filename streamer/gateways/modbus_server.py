"""Serves one block of words over Modbus TCP in a thread of its own; knows no alarm."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamer.gateways import extra
from streamer.gateways.modbus_requests import LONGEST_REQUEST, answer, refusal

with extra("modbus"):
    from pymodbus.constants import ExcCodes

if TYPE_CHECKING:
    from streamer.gateways.modbus_requests import Block

ANY_UNIT = 0
STOP_S = 1.5
PATIENCE_S = 5.0  # for a peer that does not take its answers
MOST_UNREAD_BYTES = 16_384  # of requests or answers of a peer
MOST_KNOCKING = 1_000  # a peer beyond it comes a second later: its system asks again
HEADER_BYTES = 7  # transaction, protocol, length, unit: MODBUS Messaging on TCP/IP V1.0b, 3.1.3
# A peer that vanished without a word is found within half a minute, whether it owes or is owed.
_ALIVE_OPTIONS = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 4,
    "TCP_USER_TIMEOUT": 30_000,
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the server listens; `unit` 0 answers to any unit identifier, port 0 is any free one."""

    host: str
    port: int
    unit: int
    connections: int


class NonsenseError(Exception):
    """Bytes came that cannot begin a request of Modbus TCP."""


@dataclass(eq=False, slots=True)
class _Peer:
    """One connection; its requests are answered one after the other, in order."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard_s: float = field(default_factory=time.monotonic)

    def prepare(self) -> None:
        """Bound what is kept for the peer, and let the system find out if it has vanished."""
        self.writer.transport.set_write_buffer_limits(high=MOST_UNREAD_BYTES)
        wire = self.writer.get_extra_info("socket")
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_UNREAD_BYTES)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _ALIVE_OPTIONS.items():
            if hasattr(socket, name):
                wire.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    async def receive(self) -> tuple[bytes, bytes]:
        """Header and request.

        Raises:
            asyncio.IncompleteReadError: the peer went away.
            NonsenseError: this is no request of Modbus TCP, nor will what follows be one.
        """
        header = await self.reader.readexactly(HEADER_BYTES)
        length = int.from_bytes(header[4:6], "big") - 1  # the unit is in the header
        if header[2:4] != b"\0\0" or not 1 <= length <= LONGEST_REQUEST:
            raise NonsenseError
        request = await self.reader.readexactly(length)
        self.heard_s = time.monotonic()
        return header, request

    async def send(self, header: bytes, said: bytes) -> None:
        """Answer what came with a header.

        Raises:
            OSError: the peer is gone, or does not take its answers (TimeoutError).
        """
        length = (1 + len(said)).to_bytes(2, "big")
        self.writer.write(header[:4] + length + header[6:] + said)
        async with asyncio.timeout(PATIENCE_S):
            await self.writer.drain()
        await asyncio.sleep(0)  # a peer with a thousand requests waits for the others

    def drop(self) -> None:
        """Close at once."""
        self.writer.transport.abort()


class ModbusServer:
    """Runs until closed; `is_alive` says whether it still serves.

    A peer waits for no other: each has a task of its own, and bounded memory. One that talks
    nonsense or does not take its answers is dropped; when there are too many, the one that was
    silent for longest makes room.
    """

    def __init__(self, endpoint: Endpoint, block: Block) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be bound; the text names it.
        """
        self._endpoint, self._block = endpoint, block
        self._peers: set[_Peer] = set()
        self._listener = _bound(endpoint)
        self._stop = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="modbus", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    @property
    def is_alive(self) -> bool:
        """Whether peers are still served."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop listening and drop all peers, within STOP_S; may be called twice."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_S)
        if not self._thread.is_alive():
            self._loop.close()
            self._listener.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(
            self._talk, sock=self._listener, backlog=MOST_KNOCKING, limit=MOST_UNREAD_BYTES
        )
        await self._stop.wait()
        # What has been accepted must become a peer first: asyncio loses it if its server is closed.
        self._loop.remove_reader(self._listener)
        await self._drop_all()
        server.close()

    async def _drop_all(self) -> None:
        """Also those that were accepted only just now, and are no peers yet."""
        end_s = time.monotonic() + STOP_S / 2
        own = asyncio.current_task()
        while (others := asyncio.all_tasks() - {own}) and time.monotonic() < end_s:
            for peer in tuple(self._peers):
                peer.drop()
            await asyncio.wait(others, timeout=0.05)
        await asyncio.sleep(0)  # the connections tell their ends

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = _Peer(reader, writer)
        self._make_room()
        self._peers.add(peer)
        try:
            await self._converse(peer)
        finally:
            self._peers.discard(peer)
            peer.drop()

    async def _converse(self, peer: _Peer) -> None:
        with suppress(asyncio.IncompleteReadError, OSError, NonsenseError):
            peer.prepare()
            while True:
                await self._exchange(peer)

    async def _exchange(self, peer: _Peer) -> None:
        header, request = await peer.receive()
        if self._endpoint.unit in (ANY_UNIT, header[-1]):
            said = await answer(request, self._block)
        else:
            said = refusal(request[0], ExcCodes.GATEWAY_NO_RESPONSE)
        await peer.send(header, said)

    def _make_room(self) -> None:
        """A peer that died without a word must not keep a living one out."""
        living = [peer for peer in self._peers if not peer.writer.is_closing()]
        if len(living) >= self._endpoint.connections:
            min(living, key=lambda peer: peer.heard_s).drop()


def _bound(endpoint: Endpoint) -> socket.socket:
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    try:
        return socket.create_server((endpoint.host, endpoint.port), family=family)
    except OSError as error:
        where = f"{endpoint.host}:{endpoint.port}"
        msg = f"gateways.modbus must have a host and port that can be bound, got {where}: {error}"
        raise OSError(error.errno, msg) from error
