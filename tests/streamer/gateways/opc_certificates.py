"""Certificates of OPC UA applications, made for a test."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass
class Application:
    """A key and its self-signed certificate as files."""

    certificate: Path
    private_key: Path

    @property
    def der(self):
        return x509.load_pem_x509_certificate(self.certificate.read_bytes()).public_bytes(
            Encoding.DER
        )


def make_application(folder, name, *, bits=2048, first=-DAY, last=DAY, uri=None, curve=None):
    """Valid from `first` to `last`, counted from now."""
    key = ec.generate_private_key(curve) if curve else rsa.generate_private_key(65537, bits)
    now, who = datetime.now(UTC), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    uris = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri or f"urn:{name}")])
    builder = x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now + first).not_valid_after(now + last)
    certificate = builder.add_extension(uris, critical=False).sign(key, hashes.SHA256())
    made = Application(folder / f"{name}.pem", folder / f"{name}.key.pem")
    made.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    plain = (PrivateFormat.PKCS8, NoEncryption())
    made.private_key.write_bytes(key.private_bytes(Encoding.PEM, *plain))
    return made
