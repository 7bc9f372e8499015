"""Sections of the gateways: what is open to others is locked, what is on is started."""

import pytest
from pydantic import ValidationError

from streamer.gateway_sections import Gateways, PageGateway, is_loopback


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
