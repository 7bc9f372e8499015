"""Sections of the gateways, one each for a way in which the verdict is passed on."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

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


def is_web_address(url: str) -> bool:
    """Whether something can be posted to `url`: ASCII without blanks, with a host, no user."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # a port or an IPv6 address that is none
        return False
    names_a_host = bool(parts.hostname) and parts.username is None and port != 0
    is_clean = re.fullmatch(r"[!-~]+", url) is not None
    return parts.scheme in ("http", "https") and names_a_host and is_clean


class ModbusGateway(Section):
    """Modbus TCP server for a PLC; unit 0 answers to any unit identifier."""

    mode: OnOrOff = "off"
    host: str = LOOPBACK
    port: Port = 5020
    unit: int = Field(default=0, ge=0, le=255)
    connections: int = Field(default=32, ge=1, le=1000)
    queue: int = Field(default=10_000, ge=1, le=65_535)
    stop: OnOrOff = "off"


class OpcUaGateway(Section):
    """OPC UA server: state machine, variables, alarms as events, methods."""

    mode: OnOrOff = "off"
    host: str = LOOPBACK
    port: Port = 4840
    policy: Literal["none", "sign", "sign_and_encrypt"] = "none"
    certificate: Path | None = None
    private_key: Path | None = None
    trusted: Path | None = None
    connections: int = Field(default=32, ge=1, le=1000)
    stop: OnOrOff = "off"

    @model_validator(mode="after")
    def _can_prove_itself(self) -> OpcUaGateway:
        files = (self.certificate, self.private_key, self.trusted)
        if self.mode == "on" and self.policy != "none" and None in files:
            rule = f"certificate, private_key and trusted must be given with policy {self.policy}"
            msg = f"{rule}, got {', '.join(map(str, files))}"
            raise ValueError(msg)
        return self


class PageGateway(Section):
    """Operator page, Prometheus metrics and health over HTTP."""

    mode: OnOrOff = "off"
    host: str = LOOPBACK
    port: Port = 8091
    token_file: Path | None = None
    map_m: float = Field(default=10.0, ge=0.1, le=1000.0)
    commands: OnOrOff = "on"

    @model_validator(mode="after")
    def _is_not_open_to_everybody(self) -> PageGateway:
        if is_loopback(self.host) or self.token_file is not None or self.mode == "off":
            return self
        msg = f"token_file must be given when host is not this machine alone, got {self.host}"
        raise ValueError(msg)


class WebhookGateway(Section):
    """Alarms as HTTP POST."""

    mode: OnOrOff = "off"
    url: str = ""
    secret_file: Path | None = None
    timeout_s: float = Field(default=5.0, gt=0, le=60)
    keep_s: float = Field(default=600.0, ge=0)
    most_waiting: int = Field(default=1000, ge=1, le=100_000)

    @model_validator(mode="after")
    def _has_an_address(self) -> WebhookGateway:
        if self.mode == "on" and not is_web_address(self.url):
            msg = f"url must be http://... or https://... when mode is on, got {self.url!r}"
            raise ValueError(msg)
        return self


class MqttGateway(Section):
    """State, alarms and commands through an MQTT broker."""

    mode: OnOrOff = "off"
    host: str = Field(default=LOOPBACK, min_length=1)
    port: Port | None = None
    prefix: str = Field(default="linescan", min_length=1, max_length=200)
    client_id: str | None = Field(default=None, min_length=1, max_length=200)
    user: str | None = None
    password_file: Path | None = None
    tls: OnOrOff = "off"
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    plain_password: OnOrOff = "off"
    commands: OnOrOff = "on"
    interval_s: float = Field(default=0.5, ge=0.1, le=60)
    keepalive_s: int = Field(default=2, ge=1, le=3600)
    most_waiting: int = Field(default=10_000, ge=1, le=1_000_000)

    @property
    def broker_port(self) -> int:
        """The configured port, or the usual one."""
        return self.port or (8883 if self.tls == "on" else 1883)

    @model_validator(mode="after")
    def _has_a_topic(self) -> MqttGateway:
        if re.search(r"[+#\x00-\x1f\x7f]|^[/$]|/$|//", self.prefix):
            msg = f"prefix must be a topic as plant/line1, without + and #, got {self.prefix!r}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _keeps_its_secrets(self) -> MqttGateway:
        if self.password_file is not None and self.user is None:
            msg = f"user must be given with password_file, got {self.password_file}"
            raise ValueError(msg)
        named = self.ca_file or self.certificate_file or self.key_file
        if named and self.tls == "off":
            msg = f"tls must be on for certificates, got off and {named}"
            raise ValueError(msg)
        if self.key_file and not self.certificate_file:
            msg = f"certificate_file must be given with key_file, got {self.key_file}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _tells_nobody_the_password(self) -> MqttGateway:
        is_open = self.tls == "off" and not is_loopback(self.host)
        if is_open and self.password_file is not None and self.plain_password == "off":
            msg = (
                f"tls must be on when a password goes to another machine, got {self.host}; "
                "plain_password: on sends it for everybody on the way to read"
            )
            raise ValueError(msg)
        return self


class AlarmLogGateway(Section):
    """Alarms into files, one JSON object a line."""

    mode: OnOrOff = "off"
    folder: Path = Path("alarms")
    file_mb: float = Field(default=64.0, gt=0, allow_inf_nan=False)
    files: int = Field(default=20, ge=2, le=10000)


class Gateways(Section):
    """Who is told of the verdict besides the subscribers of `alarms`; each is its own process."""

    modbus: ModbusGateway = ModbusGateway()
    opc_ua: OpcUaGateway = OpcUaGateway()
    page: PageGateway = PageGateway()
    webhook: WebhookGateway = WebhookGateway()
    mqtt: MqttGateway = MqttGateway()
    alarm_log: AlarmLogGateway = AlarmLogGateway()

    @property
    def active(self) -> tuple[str, ...]:
        """Names of those that are on."""
        return tuple(name for name in type(self).model_fields if getattr(self, name).mode == "on")
