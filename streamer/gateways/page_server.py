"""HTTP of the operator page: routes, events and limits; knows neither the sink nor its thread."""

from __future__ import annotations

import asyncio
import queue
import time
import uuid
from collections import Counter
from importlib.resources import files
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

from streamer.gateways.page_access import COOKIE, SECURITY_HEADERS, command_refusal
from streamer.gateways.page_clients import Client, Clients
from streamer.gateways.page_document import (
    MOST_ALARMS,
    alarms_document,
    command_of,
    encode,
    event,
    rows_document,
    status_document,
)
from streamer.gateways.page_metrics import line_registry

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from prometheus_client.metrics_core import Metric

    from streamer.gateways.page_access import Access
    from streamer.gateways.page_board import Board
    from streamer.line_status import Command
    from streamer.message import Alarm

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

TELL_S = 0.1
PROBE_S = 5.0  # a comment for peers while nothing is shown, so that the dead ones are noticed
MOST_CONNECTIONS = 128
LONGEST_CLOSE_S = 0.5
MOST_LISTED = 1000  # alarms in one answer: 40 ms of work, which every other peer waits for
LARGEST_REQUEST_BYTES = 4096
LONGEST_REQUEST_S = 15.0  # for its head, and for its body: who drips them must not keep a place
COOKIE_S = 30 * 24 * 3600
ASSETS = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/map.js": ("map.js", "text/javascript"),
}


class PageServer:
    """Serves the page, its events, commands, metrics and health from what the board shows."""

    def __init__(
        self, board: Board, access: Access, commands: queue.Queue[Command], takes_commands: bool
    ) -> None:
        """Prepare; `run` serves."""
        self._board, self._access = board, access
        self._commands = commands if takes_commands else None
        self._clients = Clients()
        self._counts: Counter[str] = Counter()
        self._registry = line_registry(board.shown, self._own_metrics)
        self._changed, self._stopping = asyncio.Event(), asyncio.Event()

    def wake(self) -> None:
        """There is a new view; from the loop's thread."""
        self._changed.set()

    def stop(self) -> None:
        """End `run`; from the loop's thread."""
        self._stopping.set()

    async def run(self, listening: socket.socket) -> None:
        """Serve at a bound socket until stopped."""
        runner = web.AppRunner(
            self._application(),
            handle_signals=False,
            access_log=None,
            keepalive_timeout=LONGEST_REQUEST_S,
            shutdown_timeout=LONGEST_CLOSE_S,
        )
        await runner.setup()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _accept(runner.server), sock=listening)
        work = {loop.create_task(self._tell_for_ever()), loop.create_task(self._stopping.wait())}
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in work:
                task.cancel()
            server.close()
            self._clients.drop_all()
            await asyncio.gather(*work, return_exceptions=True)
            await runner.cleanup()

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._guard], client_max_size=LARGEST_REQUEST_BYTES)
        app.on_response_prepare.append(_secure)
        folder = files("streamer.gateways") / "web"
        for path, (name, kind) in ASSETS.items():
            app.router.add_get(path, _asset((folder / name).read_bytes(), kind))
        app.router.add_get("/api/status", self._status)
        app.router.add_get("/api/alarms", self._alarms)
        app.router.add_get("/api/events", self._events, allow_head=False)
        app.router.add_post("/api/command", self._command)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/" and self._access.is_token(request.query.get("token", "")):
            return self._welcome()
        cookie = request.cookies.get(COOKIE, "")
        refusal = self._access.refusal(request.path, request.headers, cookie)
        if not refusal:
            return await handler(request)
        self._counts["refused"] += 1
        return _text(f"{refusal}\n", 401 if self._access.token else 403)

    def _welcome(self) -> web.Response:
        """Keep a cookie and lead on to an address without the token."""
        response = web.Response(status=303, headers={"Location": "/"})
        cookie = self._access.cookie
        response.set_cookie(COOKIE, cookie, max_age=COOKIE_S, httponly=True, samesite="Strict")
        return response

    async def _status(self, _: web.Request) -> web.Response:
        return _json(status_document(self._board.shown()))

    async def _alarms(self, _: web.Request) -> web.Response:
        return _json(self._alarms_now(self._board.alarms(), MOST_LISTED))

    async def _metrics(self, request: web.Request) -> web.Response:
        write, kind = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=write(self._registry), headers={"Content-Type": kind})

    async def _healthz(self, _: web.Request) -> web.Response:
        shown = self._board.shown()
        return _text("ok\n", 200) if shown.is_live else _text(f"{shown.reason}\n", 503)

    async def _readyz(self, _: web.Request) -> web.Response:
        shown = self._board.shown()
        if shown.is_ready:
            return _text("ok\n", 200)
        return _text(f"{shown.reason or f'the line is {shown.state}'}\n", 503)

    async def _command(self, request: web.Request) -> web.Response:
        refusal = command_refusal(request.headers)
        if self._commands is None:
            refusal = "commands must be turned on in gateways.page"
        if refusal or self._commands is None:
            self._counts["refused"] += 1
            return _problem(refusal, 403)
        try:
            async with asyncio.timeout(LONGEST_REQUEST_S):
                body = await request.read()
            command = command_of(body, uuid.uuid4().hex)
            self._commands.put_nowait(command)
        except TimeoutError:
            return _problem("the command must come at once", 408)
        except ValueError as error:
            return _problem(str(error), 400)
        except queue.Full:
            return _problem("too many commands wait", 503)
        self._counts["commands"] += 1
        return _json({"id": command.id}, 202)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        client = self._clients.add(self._first_events(), _Dropping(request))
        if client is None:
            return _problem("too many pages are open", 503)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        try:
            await response.prepare(request)
            await _pass_on(client, response)
        except ConnectionResetError:
            pass  # gone, as peers go
        finally:
            self._clients.remove(client)
        return response

    def _first_events(self) -> Iterator[bytes]:
        yield b"retry: 500\n\n"
        yield self._status_event()
        yield event("alarms", self._alarms_now(self._board.alarms(), MOST_ALARMS))
        yield event("rows", [rows_document(rows) for rows in self._board.rows()])

    async def _tell_for_ever(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._changed.wait(), PROBE_S)
            except TimeoutError:
                self._clients.tell(b":\n\n")
                continue
            self._changed.clear()
            self._tell()
            await asyncio.sleep(TELL_S)

    def _tell(self) -> None:
        changes = self._board.take_changes()
        if not len(self._clients):
            return
        events = [self._status_event()]
        if changes.alarms is not None:
            events.append(event("alarms", self._alarms_now(changes.alarms, MOST_ALARMS)))
        if changes.rows:
            events.append(event("rows", [rows_document(rows) for rows in changes.rows]))
        events += [event("answer", answer) for answer in changes.answers]
        self._clients.tell(b"".join(events))

    def _status_event(self) -> bytes:
        """With the time of sending, so that what was held up on the way shows as old."""
        document = status_document(self._board.shown())
        document["told_ms"] = time.monotonic() * 1000.0
        document["takes_commands"] = self._commands is not None
        document["map_mm"] = self._board.map_mm
        return event("status", document)

    def _alarms_now(self, alarms: Sequence[Alarm], most: int) -> dict[str, object]:
        view = self._board.shown().view
        publisher = view.status.publisher if view.status else ""
        return alarms_document(alarms, publisher, view.is_synchronised, most)

    def _own_metrics(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("linescan_page_clients", "Open pages.", value=len(self._clients))
        for name, text, count in (
            ("clients_dropped", "Pages that were too slow.", self._clients.dropped),
            ("commands", "Commands that were passed on.", self._counts["commands"]),
            ("refused", "Requests without the right to ask.", self._counts["refused"]),
        ):
            yield CounterMetricFamily(f"linescan_page_{name}", text, value=count)


class _Dropping:
    """Ends one request at once: what it has not taken yet is thrown away."""

    def __init__(self, request: web.Request) -> None:
        self._transport, self._task = request.transport, asyncio.current_task()

    def __call__(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        if self._task is not None:
            self._task.cancel()


class _Refused(asyncio.Protocol):
    """One connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _accept(server: web.Server | None) -> asyncio.BaseProtocol:
    if server is None or len(server.connections) >= MOST_CONNECTIONS:
        return _Refused()
    return server()


async def _pass_on(client: Client, response: web.StreamResponse) -> None:
    while True:
        await response.write(await client.queue.get())


async def _secure(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY_HEADERS)
    response.headers["Server"] = "linescan"


def _asset(content: bytes, kind: str) -> Handler:
    async def serve(_: web.Request) -> web.StreamResponse:
        return web.Response(body=content, content_type=kind, charset="utf-8")

    return serve


def _text(text: str, status: int) -> web.Response:
    return web.Response(text=text, status=status)


def _json(document: object, status: int = 200) -> web.Response:
    return web.Response(body=encode(document), status=status, content_type="application/json")


def _problem(text: str, status: int) -> web.Response:
    return _json({"error": text}, status)
