"""Answers one Modbus request from a block of words; knows no socket and no alarm."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from streamer.gateways import extra

with extra("modbus"):
    from pymodbus.constants import ExcCodes
    from pymodbus.pdu.exceptionresponse import ExceptionResponse
    from pymodbus.pdu.register_message import (
        ReadHoldingRegistersRequest,
        ReadInputRegistersRequest,
        WriteMultipleRegistersRequest,
        WriteSingleRegisterRequest,
    )

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pymodbus.datastore import ModbusServerContext
    from pymodbus.pdu import ModbusPDU

LONGEST_REQUEST = 253  # Modbus Application Protocol V1.1b3, 4.1
_FIXED_BYTES = 5  # function, address, and a count or a value
_REQUESTS: dict[int, type[ModbusPDU]] = {
    3: ReadHoldingRegistersRequest,
    4: ReadInputRegistersRequest,
    6: WriteSingleRegisterRequest,
    16: WriteMultipleRegistersRequest,
}


@dataclass(frozen=True, slots=True)
class Block:
    """What is served: `count` words, of which addresses [first, end) of `writable` take writes.

    `read` gives all words as of one moment; `write` takes an address and the words from there on,
    and raises ValueError if it does not want them. Both must return in microseconds.
    """

    count: int
    writable: tuple[int, int]
    read: Callable[[], Sequence[int]]
    write: Callable[[int, Sequence[int]], None]

    async def async_getValues(  # noqa: N802, the library's name
        self, _unit: int, function: int, address: int, count: int = 1
    ) -> list[int] | ExcCodes:
        """Words from an address on; the library asks so."""
        if address + count > self.count:
            return ExcCodes.ILLEGAL_ADDRESS
        return list(self.read()[address : address + count])

    async def async_setValues(  # noqa: N802, the library's name
        self, _unit: int, function: int, address: int, values: Sequence[int]
    ) -> ExcCodes | None:
        """Take words, or say why not; the library asks so."""
        first, end = self.writable
        if address < first or address + len(values) > end:
            return ExcCodes.ILLEGAL_ADDRESS
        try:
            self.write(address, values)
        except ValueError:
            return ExcCodes.ILLEGAL_VALUE
        return None


async def answer(request: bytes, block: Block) -> bytes:
    """The answer to a request, both from the function code on: a result or an exception.

    Exceptions are those of the Modbus Application Protocol V1.1b3, 7: 1 for a function that is not
    served, 2 for an address beyond the block or not writable, 3 for a request that contradicts
    itself or a value that is not wanted.
    """
    function = request[0]
    if function not in _REQUESTS:
        return refusal(function, ExcCodes.ILLEGAL_FUNCTION)
    try:
        asked = _decoded(request)
    except (ValueError, struct.error):
        return refusal(function, ExcCodes.ILLEGAL_VALUE)
    # A block has of the library's own context what a request of registers asks for.
    given = await asked.datastore_update(cast("ModbusServerContext", block), 0)
    return bytes([given.function_code]) + given.encode()


def refusal(function: int, code: ExcCodes) -> bytes:
    """An exception; the function code of what was asked gets its highest bit set."""
    said = ExceptionResponse(function & 0x7F, code)
    return bytes([said.function_code]) + said.encode()


def _decoded(request: bytes) -> ModbusPDU:
    asked = _REQUESTS[request[0]]()
    asked.decode(request[1:])
    is_whole = len(request) == _FIXED_BYTES or isinstance(asked, WriteMultipleRegistersRequest)
    if not is_whole:
        msg = f"a request must have {_FIXED_BYTES} bytes, got {len(request)}"
        raise ValueError(msg)
    return asked
