"""Operator page, metrics and health over HTTP, in a thread of its own; decides nothing."""

from __future__ import annotations

import asyncio
import queue
import socket
from threading import Thread
from typing import TYPE_CHECKING

from streamer.gateways.page_access import Access, read_token
from streamer.gateways.page_board import Board
from streamer.gateways.page_server import PageServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.gateway_sections import PageGateway
    from streamer.line_ports import LineView
    from streamer.line_status import Command

MOST_COMMANDS = 100
LONGEST_JOIN_S = 1.5
LONGEST_STALL_MS = 15_000
MM_PER_M = 1000.0


class OperatorPage:
    """Shows the line to browsers, Prometheus and health probes; see line_ports.Gateway."""

    def __init__(self, settings: PageGateway) -> None:
        """Listen and serve.

        Raises:
            OSError: the address cannot be bound, or the token not be read; the text names it.
            ValueError: the token is too short.
        """
        access = Access(read_token(settings.token_file) if settings.token_file else "")
        listening = _listen(settings.host, settings.port)
        self._name = f"page at {settings.host}:{settings.port}"
        self._board = Board(settings.map_m * MM_PER_M)
        self._commands: queue.Queue[Command] = queue.Queue(MOST_COMMANDS)
        self._server = PageServer(self._board, access, self._commands, settings.commands == "on")
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._serve, args=(listening,), name="page", daemon=True)
        self._thread.start()

    def show(self, view: LineView) -> None:
        """Take over a view.

        Raises:
            OSError: the server has ended.
        """
        self._board.put(view)
        if not self._call(self._server.wake):
            msg = f"the {self._name} must be served, got: its thread has ended; see the log"
            raise OSError(msg)

    def take_commands(self) -> tuple[Command, ...]:
        """What was clicked or posted since the last call."""
        return tuple(self._commands.get_nowait() for _ in range(self._commands.qsize()))

    def close(self) -> None:
        """End the server within two seconds; may be called twice."""
        if self._call(self._server.stop):
            self._thread.join(LONGEST_JOIN_S)

    def _serve(self, listening: socket.socket) -> None:
        try:
            self._loop.run_until_complete(self._server.run(listening))
        finally:
            listening.close()
            self._loop.close()

    def _call(self, what: Callable[[], None]) -> bool:
        """Have the server's thread call something; False when it has ended."""
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:  # the loop is closed
            return False
        return self._thread.is_alive()


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # RFC 5482; connections inherit it
            # A peer that takes nothing of an answer for so long is gone.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LONGEST_STALL_MS)
        listening.bind((host, port))
        listening.listen()  # who comes before the thread serves waits
    except OSError as error:
        listening.close()
        msg = f"gateways.page must be able to listen on {host}:{port}, got: {error.strerror}"
        raise OSError(msg) from error
    return listening
