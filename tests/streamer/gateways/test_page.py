"""The operator page as a client of another make sees it: over real sockets, in threads."""

import contextlib
import http.client
import json
import socket
import threading
import time

import pytest

from streamer.gateway_sections import PageGateway
from streamer.gateways.page import OperatorPage
from streamer.line_ports import LineView
from streamer.line_status import CommandAnswer, CommandKind
from tests.streamer.gateways.contract import GatewayContract, alarm, view

JSON = {"Content-Type": "application/json", "X-Linescan": "1"}
TOKEN = "a secret of some length"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port, path, headers=None, body=None):
    """Status, headers and text of an answer; redirections are not followed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET" if body is None else "POST", path, body, headers or {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.headers), text


def read_all(connection):
    while connection.recv(1 << 20):
        pass


class EventPeer:
    """Follows /api/events as a browser does."""

    def __init__(self, port):
        self._port = port
        self._stalled, self._closed = threading.Event(), threading.Event()
        self._status, self._heard_s, self._seen = None, 0.0, []
        self.answers, self.rows = [], []
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._connection.request("GET", "/api/events")
        self._socket = self._connection.sock
        self._stream = self._connection.getresponse()
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def beat(self):
        return self._status["beat"] if self._status else None

    def data_valid(self):
        is_of_now = time.monotonic() - self._heard_s < 1.0
        return bool(is_of_now and self._status["data_valid"])

    def seen(self):
        return list(self._seen)

    def acknowledge(self, one):
        body = json.dumps({"kind": "acknowledge", "alarm": one.id})
        assert get(self._port, "/api/command", JSON, body)[0] == 202

    def stall(self):
        self._stalled.set()

    def close(self):
        self._closed.set()
        with contextlib.suppress(OSError):  # the server may have gone first
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._stream.close()
        self._connection.close()

    def _follow(self):
        name = ""
        while not self._closed.is_set():
            if self._stalled.is_set():
                time.sleep(0.01)
                continue
            try:
                read = self._stream.readline()
            except (OSError, http.client.HTTPException):
                return
            if not read:
                return
            line = read.decode().rstrip("\n")
            kind, _, content = line.partition(": ")
            if kind == "event":
                name = content
            elif kind == "data":
                self._take(name, json.loads(content))

    def _take(self, name, content):
        if name == "status":
            self._heard_s, self._status = time.monotonic(), content
        elif name == "alarms":
            new = [a for a in content["alarms"] if a["id"] not in self._seen]
            self._seen += [a["id"] for a in sorted(new, key=lambda a: a["sequence"])]
        elif name == "answer":
            self.answers.append(content)
        elif name == "rows":
            self.rows += content


class TestPage(GatewayContract):
    port = 0

    def open_gateway(self):
        self.port = free_port()
        return OperatorPage(PageGateway(mode="on", port=self.port))

    def open_peer(self, gateway):
        return EventPeer(self.port)

    def test_an_answer_reaches_the_pages(self, gateway, peer):
        answer = CommandAnswer("x", ok=False, text="no such alarm")
        gateway.show(LineView(None, False, False, answers=(answer,)))
        self.until(gateway, view(2), lambda: peer.answers)
        assert peer.answers == [{"id": "x", "ok": False, "text": "no such alarm"}]

    def test_health_is_life_and_readiness_is_inspection(self, gateway):
        gateway.show(view(1))
        assert get(self.port, "/healthz")[::2] == (200, "ok\n")
        assert get(self.port, "/readyz")[::2] == (200, "ok\n")
        gateway.show(view(2, data_valid=False, reason="camera cam0 is away"))
        assert get(self.port, "/healthz")[0] == 200
        assert get(self.port, "/readyz")[::2] == (503, "camera cam0 is away\n")

    def test_a_stage_that_shows_nothing_more_is_neither_alive_nor_valid(self, gateway):
        gateway.show(view(1))
        time.sleep(1.1)
        assert get(self.port, "/healthz")[0] == 503
        assert get(self.port, "/readyz")[0] == 503
        told = json.loads(get(self.port, "/api/status")[2])
        assert (told["data_valid"], told["line"]) == (False, None)
        assert "linescan_data_valid 0.0" in get(self.port, "/metrics")[2]

    def test_a_flood_of_alarms_is_listed_as_far_as_nobody_waits_for_it(self, gateway):
        gateway.show(view(1, *(alarm(n) for n in range(1, 5001))))
        told = json.loads(get(self.port, "/api/alarms")[2])
        assert (told["total"], len(told["alarms"])) == (5000, 1000)

    def test_alarms_are_listed_whole(self, gateway):
        gateway.show(view(1, *(alarm(n) for n in range(1, 151))))
        told = json.loads(get(self.port, "/api/alarms")[2])
        assert (told["total"], len(told["alarms"])) == (150, 150)
        assert told["alarms"][0]["id"] == alarm(150).id  # the newest first

    def test_a_shelving_keeps_its_time_and_the_name_of_who_asks(self, gateway):
        body = {"kind": "shelve", "alarm": "a", "seconds": 900, "reason": "known", "by": "eve"}
        assert get(self.port, "/api/command", JSON, json.dumps(body))[0] == 202
        (command,) = gateway.take_commands()
        assert (command.kind, command.seconds) == (CommandKind.SHELVE, 900)
        assert (command.by, command.reason) == ("page:eve", "known")

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            ({"Content-Type": "text/plain"}, "application/json"),
            ({"X-Linescan": None}, "X-Linescan"),
            ({"Origin": "http://evil.example"}, "Origin"),
            ({"Sec-Fetch-Site": "cross-site"}, "Sec-Fetch-Site"),
        ],
    )
    def test_another_sites_page_cannot_command(self, gateway, change, text):
        headers = {k: v for k, v in {**JSON, **change}.items() if v is not None}
        body = json.dumps({"kind": "acknowledge", "alarm": "*"})
        status, _, told = get(self.port, "/api/command", headers, body)
        assert status == 403
        assert text in told
        assert gateway.take_commands() == ()

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "[]",
            '{"kind":"stop","alarm":""}',
            '{"kind":"shelve","alarm":"a"}',
            "\xff",
            "[" * 999,
        ],
    )
    def test_nonsense_is_refused_and_explained(self, gateway, body):
        status, _, text = get(self.port, "/api/command", JSON, body.encode("latin-1"))
        assert status == 400
        assert json.loads(text)["error"]
        assert gateway.take_commands() == ()

    def test_a_body_that_is_too_long_is_not_read(self, gateway):
        assert get(self.port, "/api/command", JSON, b"x" * 100_000)[0] == 413

    def test_commands_that_nobody_takes_do_not_pile_up(self, gateway):
        body = json.dumps({"kind": "acknowledge", "alarm": "*"})
        answers = [get(self.port, "/api/command", JSON, body)[0] for _ in range(102)]
        assert answers.count(202) == 100
        assert answers[-1] == 503

    def test_what_a_foreign_name_asks_for_is_not_told(self, gateway):
        # A name of the attacker that resolves to 127.0.0.1 ("DNS rebinding").
        assert get(self.port, "/api/status", {"Host": "evil.example"})[0] == 403
        assert get(self.port, "/api/status", {"Host": f"localhost:{self.port}"})[0] == 200

    @pytest.mark.parametrize("path", ["/", "/page.css", "/page.js", "/map.js", "/nothing"])
    def test_every_answer_is_locked_down(self, gateway, path):
        status, headers, _ = get(self.port, path)
        assert status == (404 if path == "/nothing" else 200)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy

    @pytest.mark.parametrize(
        "path", ["/../page.py", "/%2e%2e/page.py", "/web/page.html", "//etc/passwd", "/page.js/.."]
    )
    def test_there_is_no_way_to_other_files(self, gateway, path):
        assert get(self.port, path)[0] in (400, 404)

    def test_only_so_many_pages_may_be_open(self, gateway):
        peers = [EventPeer(self.port) for _ in range(32)]
        try:
            assert get(self.port, "/api/events")[0] == 503
            assert get(self.port, "/healthz")[0] == 503  # nothing was shown yet; but answered
        finally:
            for one in peers:
                one.stall()
                gateway.show(view(1))
            for one in peers:
                one.close()

    def test_a_browser_that_takes_nothing_is_dropped(self, gateway, monkeypatch):
        monkeypatch.setattr("streamer.gateways.page_server.TELL_S", 0.002)
        with socket.create_connection(("127.0.0.1", self.port)) as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.sendall(b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            end, n = time.monotonic() + 20, 0
            while "linescan_page_clients_dropped_total 1.0" not in get(self.port, "/metrics")[2]:
                assert time.monotonic() < end, "it was never dropped"
                for _ in range(50):
                    n += 1
                    gateway.show(view(n, *(alarm(1000 * n + i) for i in range(100)), news=()))
                    time.sleep(0.002)

    @pytest.mark.parametrize(
        "begun",
        [
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
            b"POST /api/command HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Linescan: 1\r\n"
            b"Content-Type: application/json\r\nContent-Length: 999\r\n\r\n{",
        ],
    )
    def test_who_drips_a_request_keeps_no_place(self, monkeypatch, begun):
        monkeypatch.setattr("streamer.gateways.page_server.LONGEST_REQUEST_S", 0.3)
        page = self.open_gateway()
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as slow:
                slow.sendall(begun)
                begin = time.monotonic()
                page.show(view(1))
                assert get(self.port, "/healthz")[0] == 200  # nobody waits for it
                assert slow.recv(12) in (b"", b"HTTP/1.1 408")
                assert time.monotonic() - begin < 5
        finally:
            page.close()

    def test_who_takes_nothing_of_an_answer_keeps_no_place(self, monkeypatch):
        monkeypatch.setattr("streamer.gateways.page.LONGEST_STALL_MS", 500)
        page = self.open_gateway()
        try:
            page.show(view(1, *(alarm(n, text="x" * 200) for n in range(20_000)), news=()))
            with socket.socket() as slow:
                slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                slow.settimeout(10)
                slow.connect(("127.0.0.1", self.port))
                slow.sendall(b"GET /api/alarms HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                time.sleep(3)  # the kernel asks a full peer ever more rarely
                with pytest.raises(ConnectionResetError):
                    read_all(slow)
        finally:
            page.close()

    def test_a_server_that_ended_is_noticed_by_the_stage(self, gateway):
        gateway.close()
        with pytest.raises(OSError, match="page at 127.0.0.1"):
            gateway.show(view(1))

    def test_an_address_that_is_taken_is_named(self, gateway):
        with pytest.raises(OSError, match=f"listen on 127.0.0.1:{self.port}"):
            OperatorPage(PageGateway(mode="on", port=self.port))

    def test_closing_with_open_pages_is_quick(self, gateway, peer):
        begin = time.monotonic()
        gateway.close()
        assert time.monotonic() - begin < 2.0


def test_a_page_to_look_at_only_takes_no_commands():
    port = free_port()
    page = OperatorPage(PageGateway(mode="on", port=port, commands="off"))
    try:
        body = json.dumps({"kind": "acknowledge", "alarm": "*"})
        assert get(port, "/api/command", JSON, body)[0] == 403
    finally:
        page.close()


@pytest.fixture
def locked(tmp_path):
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    port = free_port()
    page = OperatorPage(
        PageGateway(mode="on", host="0.0.0.0", port=port, token_file=tmp_path / "token")
    )
    page.show(view(1))
    yield port
    page.close()


def test_beyond_this_machine_a_token_is_needed(locked):
    assert get(locked, "/")[0] == 401
    assert get(locked, "/metrics", {"Authorization": "Bearer wrong"})[0] == 401
    assert get(locked, "/?token=wrong")[0] == 401
    assert get(locked, "/metrics", {"Authorization": f"Bearer {TOKEN}"})[0] == 200
    assert get(locked, "/readyz")[0] == 200


def test_a_browser_keeps_a_cookie_instead_of_the_token(locked):
    status, headers, _ = get(locked, "/?token=" + TOKEN.replace(" ", "+"))
    assert (status, headers["Location"]) == (303, "/")
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    assert get(locked, "/", {"Cookie": cookie.partition(";")[0]})[0] == 200
    assert get(locked, "/", {"Cookie": "linescan_page=" + "0" * 64})[0] == 401
