"""Sections of the gateways: what is open to others is locked, what is on is started."""

import pytest
from pydantic import ValidationError

from streamer.gateway_sections import (
    Gateways,
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
