"""Serves one block of words over Modbus TCP in a thread of its own; knows no alarm."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

try:
    from pymodbus.constants import ExcCodes
    from pymodbus.server import ModbusTcpServer
    from pymodbus.server.requesthandler import ServerRequestHandler
    from pymodbus.simulator import DataType, SimData, SimDevice
except ModuleNotFoundError as error:
    MISSING = 'the Modbus gateway needs pymodbus; install it with pip install "linescan[modbus]"'
    raise ModuleNotFoundError(MISSING, name=error.name) from error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LOG = logging.getLogger(__name__)
# It tells every wrong byte of every peer, with a traceback; what matters is counted here.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

START_S = 5.0
STOP_S = 1.5
ANY_UNIT = 0
HEADER_BYTES = 6  # transaction, protocol, length: MODBUS Messaging on TCP/IP V1.0b, 3.1.3
LONGEST_BODY = 254
MOST_UNREAD_BYTES = 65_536  # of answers; a peer that leaves more is gone or hostile
READS = (3, 4, 23)
WRITES = (6, 16, 22, 23)


@dataclass(frozen=True, slots=True)
class Block:
    """What is served: `count` words, of which `writable` addresses [first, end) can be written.

    `read` gives all words, and `written` takes those of the writable range after a write. Both are
    called in the server's thread and must return in microseconds.
    """

    count: int
    writable: tuple[int, int]
    read: Callable[[], Sequence[int]]
    written: Callable[[Sequence[int]], None]

    def may_write(self, address: int, count: int) -> bool:
        """Whether all of these addresses can be written."""
        return self.writable[0] <= address and address + count <= self.writable[1]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the server listens; `unit` 0 answers to any unit identifier."""

    host: str
    port: int
    unit: int
    connections: int


class _Connection(ServerRequestHandler):
    """One peer; is closed when it talks nonsense or leaves its answers unread."""

    def __init__(self, owner: _Server) -> None:
        super().__init__(owner, None, None, None)
        self.heard_s = time.monotonic()

    def data_received(self, data: bytes) -> None:
        """Take bytes; the library would wait for ever behind a header that is none."""
        self.heard_s = time.monotonic()
        if _is_nonsense(self.recv_buffer + data):
            self.close()
            return
        super().data_received(data)

    def pause_writing(self) -> None:
        """The peer reads nothing: answers would pile up without end."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    def resume_writing(self) -> None:
        """Come after the abort; there is nothing to resume."""

    def callback_connected(self) -> None:
        """Bound what is kept for the peer."""
        super().callback_connected()
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.set_write_buffer_limits(high=MOST_UNREAD_BYTES)


def _is_nonsense(received: bytes) -> bool:
    """Whether bytes cannot begin a request of Modbus TCP."""
    if len(received) < HEADER_BYTES:
        return received[2:4] not in (b"\0\0", b"\0", b"")
    length = int.from_bytes(received[4:HEADER_BYTES], "big")
    return received[2:4] != b"\0\0" or not 2 <= length <= LONGEST_BODY


class _Server(ModbusTcpServer):
    """Bounded in connections: a new one pushes out the one that was silent for longest."""

    def __init__(self, endpoint: Endpoint, devices: list[SimDevice]) -> None:
        super().__init__(devices, address=(endpoint.host, endpoint.port))
        self._most = endpoint.connections

    def callback_new_connection(self) -> _Connection:
        """Make room; a peer that died without a word must not keep a living one out."""
        known = [c for c in self.active_connections.values() if isinstance(c, _Connection)]
        if len(known) >= self._most:
            min(known, key=lambda connection: connection.heard_s).close()
        return _Connection(self)


class ModbusServer:
    """Runs until closed; `is_alive` says whether it still serves."""

    def __init__(self, endpoint: Endpoint, block: Block) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be bound; the text names it.
        """
        self._endpoint, self._block = endpoint, block
        first, end = block.writable
        self._plc_words = [0] * (end - first)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._started = threading.Event()
        self._listens = False
        self._thread = threading.Thread(target=self._run, name="modbus", daemon=True)
        self._thread.start()
        self._started.wait(START_S)
        if not self._listens:
            self.close()
            where = f"{endpoint.host}:{endpoint.port}"
            msg = f"gateways.modbus must be a host and port that can be bound, got {where}"
            raise OSError(msg)

    @property
    def is_alive(self) -> bool:
        """Whether peers are still served."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop listening and drop all peers; may be called twice."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = _Server(self._endpoint, self._devices())
        try:
            self._listens = await server.listen()
            self._started.set()
            if self._listens:
                await self._stop.wait()
        finally:
            await server.shutdown()

    def _devices(self) -> list[SimDevice]:
        words = SimData(0, count=self._block.count, values=0, datatype=DataType.REGISTERS)
        served = SimDevice(id=self._endpoint.unit, simdata=[words], action=self._act)
        if self._endpoint.unit == ANY_UNIT:
            return [served]
        nobody = SimData(0, count=self._block.count, values=0, datatype=DataType.REGISTERS)
        return [served, SimDevice(id=ANY_UNIT, simdata=[nobody], action=_refuse)]

    async def _act(  # The library's signature.
        self,
        function: int,
        _start: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Before a request is carried out on `registers`: fill or refuse."""
        if function not in (READS if values is None else WRITES) and function != 22:
            return ExcCodes.ILLEGAL_FUNCTION
        if values is not None:
            return self._write(address, [int(value) for value in values])
        first, end = self._block.writable
        words = list(self._block.read())
        words[first:end] = self._plc_words
        registers[: self._block.count] = words
        return None

    def _write(self, address: int, values: list[int]) -> ExcCodes | None:
        if not self._block.may_write(address, len(values)):
            return ExcCodes.ILLEGAL_ADDRESS
        offset = address - self._block.writable[0]
        self._plc_words[offset : offset + len(values)] = values
        self._block.written(tuple(self._plc_words))
        return None


async def _refuse(*_request: object) -> ExcCodes | None:
    """Answer of a unit that is not here."""
    return ExcCodes.GATEWAY_NO_RESPONSE
