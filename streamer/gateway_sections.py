"""Sections of the gateways, one each for a way in which the verdict is passed on."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import Field

from streamer.section import OnOrOff, Section

Port = Annotated[int, Field(ge=1, le=65535)]
LOOPBACK = "127.0.0.1"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens at `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class ModbusGateway(Section):
    """Modbus TCP server for a PLC; unit 0 answers to any unit identifier."""

    mode: OnOrOff = "off"
    host: str = LOOPBACK
    port: Port = 5020
    unit: int = Field(default=0, ge=0, le=255)
    connections: int = Field(default=32, ge=1, le=1000)
    queue: int = Field(default=10_000, ge=1, le=65_535)
    stop: OnOrOff = "off"


class AlarmLogGateway(Section):
    """Alarms into files, one JSON object a line."""

    mode: OnOrOff = "off"
    folder: Path = Path("alarms")
    file_mb: float = Field(default=64.0, gt=0, allow_inf_nan=False)
    files: int = Field(default=20, ge=2, le=10000)


class Gateways(Section):
    """Who is told of the verdict besides the subscribers of `alarms`; each is its own process."""

    modbus: ModbusGateway = ModbusGateway()
    alarm_log: AlarmLogGateway = AlarmLogGateway()

    @property
    def active(self) -> tuple[str, ...]:
        """Names of those that are on."""
        return tuple(name for name in type(self).model_fields if getattr(self, name).mode == "on")
