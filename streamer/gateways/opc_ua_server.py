"""Runs the OPC UA server in a thread of its own; decides nothing about alarms."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamer.gateways import extra
from streamer.gateways.opc_ua_channels import Sessions, channel_policies, endpoints
from streamer.gateways.opc_ua_methods import Methods
from streamer.gateways.opc_ua_nodes import LineNodes, add_line
from streamer.gateways.opc_ua_security import Trust, read_identity
from streamer.gateways.opc_ua_values import Shown
from streamer.gateways.opc_ua_wire import LineServer, bound
from streamer.line_ports import LineView

with extra("opcua"):
    from asyncua import ua

if TYPE_CHECKING:
    from streamer.gateway_sections import OpcUaGateway
    from streamer.line_status import Command, CommandAnswer
    from streamer.message import Alarm

_LOG = logging.getLogger(__name__)
STALE_S = 0.5  # without a view: the stage hangs, whatever it showed last
TURN_S = 0.1
STOP_S = 1.5
MOST_NEWS = 10_000
MOST_COMMANDS = 100
NEWS_AT_ONCE = 100
NOTHING = LineView(None, False, False)


@dataclass(slots=True)
class Desk:
    """Between the stage's thread and the server's: views one way, commands the other."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    view: LineView = NOTHING
    shown_s: float = field(default_factory=time.monotonic)
    news: deque[Alarm] = field(default_factory=lambda: deque(maxlen=MOST_NEWS))
    answers: deque[CommandAnswer] = field(default_factory=lambda: deque(maxlen=MOST_COMMANDS))
    commands: deque[Command] = field(default_factory=lambda: deque(maxlen=MOST_COMMANDS))
    lost: int = 0

    def put(self, view: LineView) -> None:
        """Take over a view."""
        with self.lock:
            self.lost += max(0, len(self.news) + len(view.news) - MOST_NEWS)
            self.news.extend(view.news)
            self.answers.extend(view.answers)
            self.view, self.shown_s = view, time.monotonic()

    def take(self) -> tuple[Shown, tuple[Alarm, ...], tuple[CommandAnswer, ...]]:
        """How the line stands, and what came since the last call."""
        with self.lock:
            shown = Shown(self.view, time.monotonic() - self.shown_s <= STALE_S)
            news, answers = tuple(self.news), tuple(self.answers)
            self.news.clear()
            self.answers.clear()
            return shown, news, answers

    def ask(self, command: Command) -> None:
        """Hand over a command."""
        with self.lock:
            self.commands.append(command)

    def take_commands(self) -> tuple[Command, ...]:
        """What was asked for since the last call."""
        with self.lock:
            taken = tuple(self.commands)
            self.commands.clear()
            return taken


class OpcUaServer:
    """Runs until closed; `is_alive` says whether it still serves."""

    def __init__(self, settings: OpcUaGateway, desk: Desk) -> None:
        """Listen; who comes before the address space is built waits.

        Raises:
            OSError: the address cannot be bound, or a file not be read; the text names it.
            ValueError: certificate and key are none, or do not belong together.
        """
        secured = settings.policy != "none"
        self._settings, self._desk = settings, desk
        self._identity = read_identity(settings) if secured else None
        self._trust = Trust(settings.trusted) if secured and settings.trusted else None
        self._listener = bound(settings.host, settings.port)
        self.port = int(self._listener.getsockname()[1])
        self._stop, self._wake = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="opc_ua", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether peers are still served."""
        return self._thread.is_alive()

    def wake(self) -> None:
        """Have the server look at the desk."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._wake.set)

    def close(self) -> None:
        """Stop listening and drop all peers, within STOP_S; may be called twice."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop.set)
            self._loop.call_soon_threadsafe(self._wake.set)
        self._thread.join(STOP_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._listener.close()
            self._loop.close()

    async def _serve(self) -> None:
        server = LineServer(user_manager=Sessions(self._trust))
        await self._prepare(server)
        nodes = await add_line(server)
        methods = Methods(self._settings.stop == "on", self._desk.ask, nodes)
        await methods.add()
        if self._stop.is_set():
            return
        await server.start()
        try:
            await self._work(nodes, methods)
        finally:
            await _end(server)

    async def _prepare(self, server: LineServer) -> None:
        settings, identity = self._settings, self._identity
        await server.init()
        uri = (identity and identity.application_uri) or f"urn:{socket.gethostname()}:linescan"
        await server.set_application_uri(uri)
        server.set_endpoint(f"opc.tcp://{settings.host}:{self.port}/")
        server.set_server_name("linescan")
        server.set_identity_tokens([ua.AnonymousIdentityToken])
        server.set_security_policy(endpoints(settings.policy))
        if identity is not None:
            server.iserver.certificate = identity.certificate
            server.iserver.private_key = identity.private_key
        policies = channel_policies(settings.policy, identity, self._trust)
        server.bind(self._listener, settings.connections, policies)

    async def _work(self, nodes: LineNodes, methods: Methods) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            shown, news, answers = self._desk.take()
            methods.take(shown, answers)
            await nodes.show(shown)
            for count, alarm in enumerate(news, start=1):
                await nodes.fire(alarm)
                if count % NEWS_AT_ONCE == 0:
                    await asyncio.sleep(0)  # peers are answered meanwhile
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), TURN_S)


async def _end(server: LineServer) -> None:
    """Whatever peers do, within STOP_S."""
    server.drop_all()
    await asyncio.sleep(0)  # the connections tell their ends
    own = asyncio.current_task()
    others = asyncio.all_tasks() - {own}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=STOP_S / 2)
    server.iserver.method_service.stop()
