"""OPC UA gateway: the line as a vision system's nodes, events and methods; decides nothing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from streamer.gateway_sections import is_loopback
from streamer.gateways.opc_ua_server import Desk, OpcUaServer

if TYPE_CHECKING:
    from streamer.gateway_sections import OpcUaGateway
    from streamer.line_ports import LineView
    from streamer.line_status import Command

_LOG = logging.getLogger(__name__)
_LIBRARY = "asyncua"  # it tells of every wrong request of a peer, which its answer says already


class OpcUa:
    """Shows the line to OPC UA clients, and takes what they call; see line_ports.Gateway."""

    def __init__(self, settings: OpcUaGateway) -> None:
        """Listen; until something is shown, nothing is valid.

        Raises:
            OSError: the address cannot be bound, or a file not be read; the text names it.
            ValueError: certificate and key are none, or do not belong together.
        """
        logging.getLogger(_LIBRARY).setLevel(logging.CRITICAL)
        self._desk = Desk()
        self._lost_told = 0
        self._server = OpcUaServer(settings, self._desk)
        if settings.policy == "none" and not is_loopback(settings.host):
            _LOG.warning("gateways.opc_ua.policy is none: who reaches it acknowledges")

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    def show(self, view: LineView) -> None:
        """Take over the line's present state.

        Raises:
            OSError: the server has ended; the process must be started anew.
        """
        if not self._server.is_alive:
            msg = "the OPC UA server must go on until it is closed, got the end of its thread"
            raise OSError(msg)
        self._desk.put(view)
        self._server.wake()
        if self._desk.lost > self._lost_told:
            self._lost_told = self._desk.lost
            _LOG.warning("%d events in all came faster than they could be told", self._lost_told)

    def take_commands(self) -> tuple[Command, ...]:
        """What clients called for since the last call."""
        return self._desk.take_commands()

    def close(self) -> None:
        """Stop serving; may be called twice."""
        self._server.close()
