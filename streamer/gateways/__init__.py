"""How the verdict is passed on: one file per way; none decides anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.config import Config
    from streamer.ports import Gateway


def open_gateway(name: str, config: Config) -> Gateway:
    """The gateway of this name; close it.

    Raises:
        OSError: what it needs cannot be had; the text names it.
        ValueError: no gateway has this name.
    """
    match name:
        case "alarm_log":
            from streamer.gateways.alarm_log import AlarmLog

            return AlarmLog(config.gateways.alarm_log)
        case _:
            known = ", ".join(type(config.gateways).model_fields)
            msg = f"gateway must be one of {known}, got {name}"
            raise ValueError(msg)
