"""What opens a broker: read once, named when it cannot be, and never empty."""

import ssl

import pytest

from streamer.gateway_sections import MqttGateway
from streamer.gateways.mqtt_access import client_id, read_access
from tests.streamer.gateways.certificates import make_certificates


def test_without_files_nothing_is_needed():
    access = read_access(MqttGateway())
    assert (access.user, access.password, access.context) == (None, None, None)


def test_a_password_is_a_file_without_its_line_end(tmp_path):
    (tmp_path / "password").write_text("  with blanks \n")
    access = read_access(MqttGateway(user="line", password_file=tmp_path / "password"))
    assert (access.user, access.password) == ("line", "  with blanks ")


def test_a_password_that_is_missing_or_empty_is_named(tmp_path):
    locked = MqttGateway(user="line", password_file=tmp_path / "password")
    with pytest.raises(OSError, match=r"password_file must be readable, got .*No such"):
        read_access(locked)
    (tmp_path / "password").write_text("\n")
    with pytest.raises(ValueError, match="password_file must hold a password"):
        read_access(locked)


def test_tls_trusts_the_given_authority_alone_and_asks_for_the_name(tmp_path):
    files = make_certificates(tmp_path)
    context = read_access(MqttGateway(tls="on", ca_file=files.authority)).context
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1
    own = {"certificate_file": files.certificate, "key_file": files.key}
    assert read_access(MqttGateway(tls="on", **own)).context is not None


def test_certificates_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(OSError, match=r"certificates of gateways.mqtt .*ca.pem: .*No such file"):
        read_access(MqttGateway(tls="on", ca_file=tmp_path / "ca.pem"))
    (tmp_path / "ca.pem").write_text("nonsense")
    with pytest.raises(OSError, match=r"must be readable PEM files, got .*ca.pem"):
        read_access(MqttGateway(tls="on", ca_file=tmp_path / "ca.pem"))


def test_lines_have_names_of_their_own_that_every_broker_takes():
    names = {client_id(MqttGateway(prefix=prefix)) for prefix in ("a", "b", "plant 3/Linie ü")}
    assert len(names) == 3
    assert all(len(name) <= 23 and name.isascii() and name.isalnum() for name in names)
    assert client_id(MqttGateway(prefix="a")) == client_id(MqttGateway(prefix="a"))
    assert client_id(MqttGateway(client_id="line-1")) == "line-1"
