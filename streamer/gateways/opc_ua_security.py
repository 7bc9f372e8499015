"""Who may open a secure channel of OPC UA, and what the server proves itself with; no line."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from streamer.gateways import extra
from streamer.message import require

with extra("opcua"):
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import (
        load_der_private_key,
        load_pem_private_key,
    )
    from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.gateway_sections import OpcUaGateway

_LOG = logging.getLogger(__name__)
_PEM = b"-----BEGIN"
LEAST_KEY_BITS = 2048  # of Basic256Sha256: OPC 10000-7


@dataclass(frozen=True, slots=True)
class Identity:
    """What the server proves itself with."""

    certificate: x509.Certificate
    private_key: rsa.RSAPrivateKey

    @property
    def application_uri(self) -> str:
        """The name that clients compare with that of the server; "" when there is none."""
        try:
            names = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            return ""
        return next(iter(names.value.get_values_for_type(x509.UniformResourceIdentifier)), "")


def read_identity(settings: OpcUaGateway) -> Identity | None:
    """Certificate and key as the configuration names them; None when none is needed.

    Raises:
        OSError: a file cannot be read; the text names it.
        ValueError: it holds no certificate, no RSA key, or they do not belong together.
    """
    if settings.certificate is None or settings.private_key is None:
        return None
    certificate = _certificate(_content("certificate", settings.certificate))
    if certificate is None:
        msg = f"gateways.opc_ua.certificate must be X.509, got {settings.certificate}"
        raise ValueError(msg)
    key = _key(_content("private_key", settings.private_key))
    rule = "gateways.opc_ua.private_key must be an RSA key without a password"
    require(isinstance(key, rsa.RSAPrivateKey), rule, str(settings.private_key))
    rule = "gateways.opc_ua.private_key must be that of the certificate"
    require(key.public_key() == certificate.public_key(), rule, str(settings.private_key))
    if not _is_in_time(certificate):
        _LOG.warning("%s is not valid now: clients will refuse it", settings.certificate)
    return Identity(certificate, key)


@dataclass(frozen=True, slots=True)
class Trust:
    """Certificates of clients, each a file of a folder; what is put there counts at once."""

    folder: Path

    def name_of(self, certificate: bytes | None) -> str:
        """Whose certificate (DER) this is; "" when it is not trusted, or not valid now."""
        given = _certificate(certificate) if certificate else None
        if given is None or not _is_strong(given) or not _is_in_time(given):
            return ""
        known = any(given == one for one in self._certificates())
        return _common_name(given) if known else ""

    def _certificates(self) -> list[x509.Certificate]:
        try:
            contents = [path.read_bytes() for path in self.folder.iterdir() if path.is_file()]
        except OSError as error:
            _LOG.warning("gateways.opc_ua.trusted cannot be read: %s", error)
            return []
        return [one for one in map(_certificate, contents) if one is not None]


def _content(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"gateways.opc_ua.{name} must be readable, got {path}: {error.strerror}"
        raise OSError(msg) from error


def _certificate(content: bytes) -> x509.Certificate | None:
    load = x509.load_pem_x509_certificate if _PEM in content else x509.load_der_x509_certificate
    try:
        return load(content)
    except ValueError:
        return None


def _key(content: bytes) -> Any:
    load = load_pem_private_key if _PEM in content else load_der_private_key
    try:
        return load(content, None)
    except (ValueError, TypeError):  # no key, or one that needs a password
        return None


def _is_strong(certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    return isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_KEY_BITS


def _is_in_time(certificate: x509.Certificate) -> bool:
    now = datetime.now(UTC)
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    text = str(names[0].value) if names else certificate.subject.rfc4514_string()
    return text or certificate.fingerprint(certificate.signature_hash_algorithm).hex()  # type: ignore[arg-type]
