"""Gateways: the processes that show the line to PLCs, operators and monitors."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from streamer.compose.children import stage_pulse
from streamer.stages.gateway import GatewayStage
from streamer.transport.zeromq import ZmqHub

if TYPE_CHECKING:
    from streamer.compose.children import Setting

PREFIX = "gateway-"


def run_gateway(setting: Setting, name: str) -> None:
    """Run the gateway of this name until it is stopped.

    Raises:
        OSError: its address cannot be bound, or it cannot serve any more.
        ModuleNotFoundError: what it needs is not installed; the text says what to do.
    """
    from streamer.gateways import open_gateway
    from streamer.gateways.feed import SinkFeed

    alarms, hub = setting.config.alarms, ZmqHub()
    with ExitStack() as opened:
        opened.callback(hub.close)
        feed = SinkFeed(alarms.publish, alarms.snapshot)
        opened.callback(feed.close)
        gateway = open_gateway(name, setting.config)
        opened.callback(gateway.close)
        pulse = stage_pulse(setting, hub, "gateway")
        GatewayStage(feed, gateway, pulse, setting.stopping).run()
