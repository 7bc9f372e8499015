"""How PLCs, operators and monitors see the line: one file per protocol; none decides anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.config import Config
    from streamer.ports import Gateway


def open_gateway(name: str, config: Config) -> Gateway:
    """The gateway of this name, serving its peers; close it.

    Raises:
        OSError: its address cannot be bound; the text names it.
        ModuleNotFoundError: the extra that it needs is not installed; the text names it.
        ValueError: no gateway has this name.
    """
    match name:
        case "modbus":
            from streamer.gateways.modbus import ModbusTcp

            return ModbusTcp(config.gateways.modbus)
        case _:
            msg = f"gateway must be one of {', '.join(type(config.gateways).model_fields)}"
            msg = f"{msg}, got {name}"
            raise ValueError(msg)
