"""The webhook against a real server that may be good, slow, dead or angry."""

import hashlib
import hmac
import http.server
import json
import threading
import time

import jsonschema
import pytest

from streamer.gateway_sections import WebhookGateway
from streamer.gateways.webhook import Webhook, signature
from streamer.line_ports import LineView
from streamer.outputs.alarm_message import alarm_schema
from tests.streamer.gateways.contract import alarm, view
from tests.streamer.gateways.test_page import free_port

SECRET = b"0123456789abcdef"


class Receiver:
    """Takes posts; `answers` are given first, then 200; `pause_s` before each."""

    def __init__(self, port=0, answers=(), pause_s=0.0):
        self.posts, answers = [], list(answers)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(pause_s)
                status = answers.pop(0) if answers else 200
                outer.posts.append((status, self.path, dict(self.headers), body))
                try:
                    self.send_response(status)
                    self.end_headers()
                except OSError:
                    pass  # who asked has gone

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def sequences(self):
        return [json.loads(body)["sequence"] for status, *_, body in self.posts if status == 200]

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def start(monkeypatch):
    monkeypatch.setattr("streamer.gateways.webhook.FIRST_PAUSE_S", 0.02)
    opened = []

    def begin(port, **settings):
        url = f"http://127.0.0.1:{port}/hook?line=3"
        opened.append(Webhook(WebhookGateway(mode="on", url=url, **settings)))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()
        one.close()


@pytest.fixture
def receive():
    opened = []

    def begin(**how):
        opened.append(Receiver(**how))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()


def until(holds):
    end = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.01)


def test_alarms_come_in_order_each_once_as_published(start, receive):
    receiver = receive()
    hook = start(receiver.port)
    hook.show(view(1, alarm(1), alarm(2)))
    hook.show(view(2, alarm(1), alarm(2), news=()))
    hook.show(view(3, alarm(1), alarm(2), alarm(3), news=(alarm(3),)))
    hook.show(LineView(None, False, False))
    until(lambda: len(receiver.posts) == 3)
    assert receiver.sequences == [1, 2, 3]
    _, path, headers, body = receiver.posts[0]
    jsonschema.validate(json.loads(body), alarm_schema())
    assert (path, headers["X-Linescan-Message"]) == ("/hook?line=3", "p/1")
    assert "X-Linescan-Signature" not in headers
    assert hook.take_commands() == ()


def test_a_signature_proves_body_and_time(start, receive, tmp_path):
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    receiver = receive()
    start(receiver.port, secret_file=tmp_path / "secret").show(view(1, alarm(1)))
    until(lambda: receiver.posts)
    *_, headers, body = receiver.posts[0]
    sent, _, mac = headers["X-Linescan-Signature"].removeprefix("t=").partition(",v1=")
    assert abs(time.time() - int(sent)) < 30
    assert mac == hmac.new(SECRET, f"{sent}.".encode() + body, hashlib.sha256).hexdigest()
    assert signature(SECRET, int(sent), body + b" ") != headers["X-Linescan-Signature"]


def test_a_server_that_fails_is_asked_again_and_nothing_overtakes(start, receive):
    receiver = receive(answers=[503, 429, 500])
    start(receiver.port).show(view(1, alarm(1), alarm(2)))
    until(lambda: receiver.sequences == [1, 2])
    assert [status for status, *_ in receiver.posts] == [503, 429, 500, 200, 200]


def test_a_server_that_is_dead_gets_all_when_it_comes(start, receive):
    port = free_port()
    hook = start(port)
    hook.show(view(1, alarm(1), alarm(2)))
    time.sleep(0.2)
    receiver = receive(port=port)
    until(lambda: receiver.sequences == [1, 2])
    assert hook.dropped == 0


def test_what_is_refused_is_counted_and_said_with_the_next(start, receive):
    receiver = receive(answers=[400, 302])
    hook = start(receiver.port)
    hook.show(view(1, alarm(1), alarm(2), alarm(3)))
    until(lambda: receiver.sequences == [3])
    assert hook.dropped == 2
    assert receiver.posts[-1][2]["X-Linescan-Dropped"] == "2"


def test_what_is_too_old_makes_room(start):
    hook = start(free_port(), keep_s=0.05)
    hook.show(view(1, alarm(1), alarm(2)))
    until(lambda: hook.dropped == 2)


def test_a_slow_server_never_delays_the_stage_and_the_oldest_go(start, receive, caplog):
    receiver = receive(pause_s=0.5)
    hook = start(receiver.port, timeout_s=0.1, most_waiting=10)
    slowest_s = 0.0
    for n in range(1, 201):
        begin = time.monotonic()
        hook.show(view(n, alarm(n)))
        slowest_s = max(slowest_s, time.monotonic() - begin)
    assert slowest_s < 0.1
    assert hook.dropped >= 190
    assert "did not post p/1 (1 so far): too many wait" in caplog.text


@pytest.mark.parametrize("waits", [True, False])
def test_closing_is_quick_and_posts_what_it_can(start, receive, waits):
    receiver = receive()
    hook = start(receiver.port if waits else free_port())
    hook.show(view(1, alarm(1), alarm(2)))
    begin = time.monotonic()
    hook.close()
    assert time.monotonic() - begin < 2.0
    if waits:
        assert receiver.sequences == [1, 2]
    with pytest.raises(OSError, match=r"webhook to 127\.0\.0\.1 must run"):
        hook.show(view(2))


def test_a_secret_that_is_none_is_refused(tmp_path):
    settings = WebhookGateway(mode="on", url="http://a/", secret_file=tmp_path / "s")
    with pytest.raises(OSError, match=r"gateways\.webhook\.secret_file must be readable"):
        Webhook(settings)
    (tmp_path / "s").write_text("short")
    with pytest.raises(ValueError, match="at least 16 bytes, got 5"):
        Webhook(settings)


def test_a_name_that_is_none_ends_no_thread():
    hook = Webhook(WebhookGateway(mode="on", url=f"http://{'a' * 70}.example/", keep_s=0.0))
    try:
        hook.show(view(1, alarm(1)))
        until(lambda: hook.dropped == 1)
        hook.show(view(2))
    finally:
        hook.close()
