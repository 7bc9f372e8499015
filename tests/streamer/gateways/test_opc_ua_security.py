"""Whose certificate is trusted, and what a server may prove itself with."""

import shutil
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from streamer.gateway_sections import OpcUaGateway
from streamer.gateways.opc_ua_security import Trust, read_identity
from tests.streamer.gateways.opc_certificates import DAY, make_application


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("made")


@pytest.fixture(scope="module")
def server(folder):
    return make_application(folder, "server", uri="urn:plant:line-3")


@pytest.fixture(scope="module")
def client(folder):
    return make_application(folder, "hmi-1")


def settings(server, **changes):
    named = {"certificate": server.certificate, "private_key": server.private_key}
    return OpcUaGateway(**{**named, **changes})


def trusting(tmp_path, *applications):
    for one in applications:
        shutil.copy(one.certificate, tmp_path)
    return Trust(tmp_path)


def test_a_certificate_in_the_folder_is_known_by_its_common_name(tmp_path, client, server):
    assert trusting(tmp_path, server, client).name_of(client.der) == "hmi-1"


def test_it_may_lie_there_as_der_beside_what_is_no_certificate(tmp_path, client):
    (tmp_path / "hmi.der").write_bytes(client.der)
    (tmp_path / "notes.txt").write_text("-----BEGIN nothing")
    (tmp_path / "more").mkdir()
    assert Trust(tmp_path).name_of(client.der) == "hmi-1"


def test_what_is_put_there_or_taken_away_counts_at_once(tmp_path, client):
    trust = Trust(tmp_path)
    assert trust.name_of(client.der) == ""
    trusting(tmp_path, client)
    assert trust.name_of(client.der) == "hmi-1"
    (tmp_path / client.certificate.name).unlink()
    assert trust.name_of(client.der) == ""


@pytest.mark.parametrize("given", [None, b"", b"nonsense"])
def test_nothing_and_nonsense_are_nobody(tmp_path, client, given):
    assert trusting(tmp_path, client).name_of(given) == ""


def test_another_certificate_of_the_same_name_is_not_trusted(tmp_path, client):
    twin = make_application(tmp_path, "hmi-1")
    twin_der = twin.der
    twin.certificate.unlink()
    assert trusting(tmp_path, client).name_of(twin_der) == ""


@pytest.mark.parametrize(
    "unfit",
    [
        {"first": -2 * DAY, "last": -timedelta(hours=1)},
        {"first": timedelta(hours=1)},
        {"bits": 1024},
        {"curve": ec.SECP256R1()},
    ],
    ids=["expired", "not yet valid", "weak", "not of Basic256Sha256"],
)
def test_a_certificate_that_is_unfit_is_not_trusted_though_it_lies_there(tmp_path, unfit):
    one = make_application(tmp_path, "old", **unfit)
    assert Trust(tmp_path).name_of(one.der) == ""


def test_a_folder_that_cannot_be_read_trusts_nobody_and_says_so(tmp_path, client, caplog):
    assert Trust(tmp_path / "gone").name_of(client.der) == ""
    assert "gateways.opc_ua.trusted cannot be read" in caplog.text


def test_certificate_and_key_are_read_with_the_name_of_the_application(server, caplog):
    identity = read_identity(settings(server))
    assert identity.application_uri == "urn:plant:line-3"
    assert identity.private_key.key_size == 2048
    assert caplog.text == ""
    assert read_identity(OpcUaGateway()) is None


def test_a_key_of_another_certificate_is_refused(server, client):
    with pytest.raises(ValueError, match="private_key must be that of the certificate"):
        read_identity(settings(server, private_key=client.private_key))


def test_files_that_are_none_are_named(server, tmp_path):
    with pytest.raises(OSError, match="gateways.opc_ua.certificate must be readable.*gone"):
        read_identity(settings(server, certificate=tmp_path / "gone"))
    with pytest.raises(ValueError, match="gateways.opc_ua.certificate must be X.509"):
        read_identity(settings(server, certificate=server.private_key))
    with pytest.raises(ValueError, match="private_key must be an RSA key without a password"):
        read_identity(settings(server, private_key=server.certificate))


def test_a_key_that_is_no_rsa_is_refused(tmp_path):
    curved = make_application(tmp_path, "curved", curve=ec.SECP256R1())
    with pytest.raises(ValueError, match="must be an RSA key"):
        read_identity(settings(curved))


def test_an_expired_certificate_of_the_server_is_told_but_does_not_end_the_line(tmp_path, caplog):
    old = make_application(tmp_path, "old", first=-2 * DAY, last=-DAY)
    assert read_identity(settings(old)) is not None
    assert "is not valid now: clients will refuse it" in caplog.text
