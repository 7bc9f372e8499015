"""Sections of the gateways, one each for what PLCs, operators and monitors speak."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from streamer.section import OnOrOff, Section

Port = Annotated[int, Field(ge=1, le=65535)]
LOOPBACK = "127.0.0.1"


class ModbusGateway(Section):
    """Modbus TCP server for a PLC; unit 0 answers to any unit identifier."""

    mode: OnOrOff = "off"
    host: str = LOOPBACK
    port: Port = 5020
    unit: Annotated[int, Field(ge=0, le=255)] = 0
    connections: Annotated[int, Field(ge=1, le=1000)] = 32
    queue: Annotated[int, Field(ge=1, le=65_535)] = 10_000


class OpcUaGateway(Section):
    """OPC UA server."""

    mode: OnOrOff = "off"
    host: str = LOOPBACK
    port: Port = 4840


class MqttGateway(Section):
    """MQTT client of a broker."""

    mode: OnOrOff = "off"
    host: str = LOOPBACK
    port: Port = 1883


class PageGateway(Section):
    """Operator page, Prometheus metrics and health over HTTP."""

    mode: OnOrOff = "off"
    host: str = LOOPBACK
    port: Port = 8091


class WebhookGateway(Section):
    """Alarms as HTTP POST."""

    mode: OnOrOff = "off"


class AlarmLogGateway(Section):
    """Alarms into files."""

    mode: OnOrOff = "off"


class Gateways(Section):
    """Who is told of the verdict besides the subscribers of `alarms`; each is its own process."""

    modbus: ModbusGateway = ModbusGateway()
    opc_ua: OpcUaGateway = OpcUaGateway()
    mqtt: MqttGateway = MqttGateway()
    page: PageGateway = PageGateway()
    webhook: WebhookGateway = WebhookGateway()
    alarm_log: AlarmLogGateway = AlarmLogGateway()

    @property
    def active(self) -> tuple[str, ...]:
        """Names of those that are on."""
        return tuple(name for name in type(self).model_fields if getattr(self, name).mode == "on")
