"""Which gateway a name opens, and what is said when it cannot be."""

import sys

import pytest

from streamer.config import Config
from streamer.gateways import open_gateway
from streamer.gateways.mqtt import Mqtt
from streamer.gateways.page import OperatorPage
from streamer.gateways.webhook import Webhook
from tests.streamer.gateways.test_page import free_port


@pytest.mark.parametrize(
    ("name", "settings", "kind"),
    [
        ("page", {"mode": "on"}, OperatorPage),
        ("webhook", {"mode": "on", "url": "http://127.0.0.1:9/"}, Webhook),
        ("mqtt", {"mode": "on", "port": 9}, Mqtt),
    ],
)
def test_a_name_opens_its_gateway(name, settings, kind):
    port = {"port": free_port()} if name == "page" else {}
    opened = open_gateway(name, Config(gateways={name: {**settings, **port}}))
    try:
        assert isinstance(opened, kind)
    finally:
        opened.close()


def test_a_package_that_is_missing_is_named_with_its_remedy(monkeypatch):
    monkeypatch.delitem(sys.modules, "streamer.gateways.page")
    monkeypatch.delitem(sys.modules, "streamer.gateways.page_server", raising=False)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "linescan\[page\]"'):
        open_gateway("page", Config())


def test_a_name_that_none_has_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"must be one of .*page.*got fax"):
        open_gateway("fax", Config())
