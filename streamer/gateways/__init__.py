"""How the verdict is passed on: one file per way; none decides anything."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer.config import Config
    from streamer.line_ports import Gateway


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Say how to get a package that is missing.

    Raises:
        ModuleNotFoundError: with the command that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        msg = f'{error.name} must be installed for this gateway: pip install "linescan[{name}]"'
        raise ModuleNotFoundError(msg, name=error.name) from error


def open_gateway(name: str, config: Config) -> Gateway:
    """The gateway of this name; close it.

    Raises:
        OSError: what it needs cannot be had; the text names it.
        ValueError: no gateway has this name.
    """
    match name:
        case "modbus":
            from streamer.gateways.modbus import ModbusTcp

            return ModbusTcp(config.gateways.modbus)
        case "opc_ua":
            with extra("opcua"):
                from streamer.gateways.opc_ua import OpcUa

            return OpcUa(config.gateways.opc_ua)
        case "page":
            with extra("page"):
                from streamer.gateways.page import OperatorPage

            return OperatorPage(config.gateways.page)
        case "webhook":
            from streamer.gateways.webhook import Webhook

            return Webhook(config.gateways.webhook)
        case "mqtt":
            with extra("mqtt"):
                from streamer.gateways.mqtt import Mqtt

            return Mqtt(config.gateways.mqtt)
        case "alarm_log":
            from streamer.gateways.alarm_log import AlarmLog

            return AlarmLog(config.gateways.alarm_log)
        case _:
            known = ", ".join(type(config.gateways).model_fields)
            msg = f"gateway must be one of {known}, got {name}"
            raise ValueError(msg)
