"""What opens a broker: name, password and certificates, out of files; knows no connection."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.message import require

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.gateway_sections import MqttGateway


@dataclass(frozen=True, slots=True)
class Access:
    """What opens the broker, read once."""

    user: str | None
    password: str | None
    context: ssl.SSLContext | None


def read_access(settings: MqttGateway) -> Access:
    """Password and certificates.

    Raises:
        OSError: a file cannot be read or holds no certificate; the text names it.
        ValueError: the password is empty.
    """
    password = None if settings.password_file is None else _read_password(settings.password_file)
    return Access(settings.user, password, _context(settings) if settings.tls == "on" else None)


def client_id(settings: MqttGateway) -> str:
    """The configured name, or one that follows from the prefix.

    The same after a restart: the broker then ends what is left of the connection before, and its
    last will comes before what is new, not after it. 20 letters and digits, as every broker must
    take (MQTT 3.1.1, 3.1.3.1).
    """
    return settings.client_id or (
        "linescan" + hashlib.sha256(settings.prefix.encode()).hexdigest()[:12]
    )


def _read_password(path: Path) -> str:
    try:
        password = path.read_text(encoding="utf-8").strip("\r\n")
    except OSError as error:
        msg = f"gateways.mqtt.password_file must be readable, got {path}: {error.strerror}"
        raise OSError(msg) from error
    require(bool(password), "gateways.mqtt.password_file must hold a password", str(path))
    return password


def _context(settings: MqttGateway) -> ssl.SSLContext:
    files = (settings.ca_file, settings.certificate_file, settings.key_file)
    named = ", ".join(str(path) for path in files if path is not None)
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.certificate_file is not None:
            context.load_cert_chain(settings.certificate_file, settings.key_file)
    except OSError as error:
        msg = f"certificates of gateways.mqtt must be readable PEM files, got {named}: {error}"
        raise OSError(msg) from error
    return context
