"""Sections of the gateways: what is open to others is locked, what is on is started."""

import pytest
from pydantic import ValidationError

from streamer.gateway_sections import (
    Gateways,
    MqttGateway,
    OpcUaGateway,
    PageGateway,
    WebhookGateway,
    is_loopback,
)


def test_only_what_is_on_is_active():
    assert Gateways().active == ()
    assert Gateways(page=PageGateway(mode="on")).active == ("page",)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_needs_no_token(host):
    assert is_loopback(host)
    assert PageGateway(mode="on", host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "line-3.example"])
def test_a_page_for_others_needs_a_token(host, tmp_path):
    with pytest.raises(ValidationError, match="token_file must be given"):
        PageGateway(mode="on", host=host)
    assert PageGateway(mode="off", host=host).token_file is None
    assert PageGateway(mode="on", host=host, token_file=tmp_path).mode == "on"


def test_a_password_is_not_sent_in_the_clear_to_another_machine_unless_that_is_said_too(tmp_path):
    locked = {"mode": "on", "user": "line", "password_file": tmp_path / "password"}
    with pytest.raises(ValidationError, match=r"tls must be on .* got broker.example"):
        MqttGateway(**locked, host="broker.example")
    assert MqttGateway(**locked).broker_port == 1883
    assert MqttGateway(**locked, host="broker.example", tls="on").broker_port == 8883
    assert (
        MqttGateway(**locked, host="broker.example", plain_password="on", port=9).broker_port == 9
    )


@pytest.mark.parametrize("prefix", ["", "/a", "a/", "a//b", "a/+", "#", "$SYS/a", "a\nb"])
def test_a_prefix_must_be_a_topic(prefix):
    with pytest.raises(ValidationError, match="prefix"):
        MqttGateway(prefix=prefix)


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"password_file": "p"}, "user must be given"),
        ({"ca_file": "ca.pem"}, "tls must be on for certificates"),
        ({"tls": "on", "key_file": "key.pem"}, "certificate_file must be given"),
    ],
)
def test_half_a_secret_is_refused(settings, rule):
    with pytest.raises(ValidationError, match=rule):
        MqttGateway(**settings)


def test_prefixes_of_lines_are_topics():
    assert MqttGateway(prefix="plant 3/Linie ü").prefix == "plant 3/Linie ü"


@pytest.mark.parametrize("url", ["http://a/", "https://[::1]:8443/hook?line=3", "http://10.0.0.1"])
def test_what_can_be_posted_to_is_an_address(url):
    assert WebhookGateway(mode="on", url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://a/",
        "http://",
        "http:///x",
        "http://a:99999/",
        "http://a:0/",
        "http://[::1/",
        "http://a/b c",
        "http://a/\u00fc",
        "http://user:secret@a/",  # it would not be sent; a signature is
    ],
)
def test_what_cannot_is_refused_before_anything_starts(url):
    with pytest.raises(ValidationError, match=r"url must be http://"):
        WebhookGateway(mode="on", url=url)
    assert WebhookGateway(url=url).mode == "off"


FILES = {"certificate": "c.pem", "private_key": "k.pem", "trusted": "clients"}


@pytest.mark.parametrize("policy", ["sign", "sign_and_encrypt"])
@pytest.mark.parametrize("missing", FILES)
def test_a_secured_opc_ua_server_needs_to_prove_itself_and_to_know_its_clients(policy, missing):
    assert OpcUaGateway(mode="on", policy=policy, **FILES).policy == policy
    given = {name: file for name, file in FILES.items() if name != missing}
    with pytest.raises(ValidationError, match=f"must be given with policy {policy}"):
        OpcUaGateway(mode="on", policy=policy, **given)
    assert OpcUaGateway(policy=policy, **given).mode == "off"


@pytest.mark.parametrize("wrong", [{"policy": "basic256"}, {"port": 0}, {"connections": 0}])
def test_what_an_opc_ua_server_cannot_be_is_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        OpcUaGateway(**wrong)
