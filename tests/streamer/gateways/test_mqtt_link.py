"""The connection to a broker that is locked, dumb, refusing, or wanted by two."""

import contextlib
import logging
import socket
import subprocess
import threading
import time

import pytest

from streamer.gateway_sections import MqttGateway
from streamer.gateways import mqtt_link
from streamer.gateways.mqtt_access import read_access
from streamer.gateways.mqtt_link import MqttLink
from streamer.gateways.mqtt_messages import Topics
from streamer.gateways.mqtt_outbox import Outbox
from tests.streamer.gateways.broker import PREFIX, Broker, Subscriber, free_port, need, wait_until
from tests.streamer.gateways.certificates import make_certificates
from tests.streamer.gateways.contract import alarm, view

PASSWORD = "a secret"


@pytest.fixture
def open_link(caplog):
    """Links that run in threads of their own, ended at the end."""
    caplog.set_level(logging.INFO, logger="streamer.gateways.mqtt_link")
    opened = []

    def open_one(port, **changes):
        settings = MqttGateway(**{"port": port, "prefix": PREFIX, "keepalive_s": 1, **changes})
        outbox = Outbox(Topics(PREFIX), 100, 0.1)
        link = MqttLink(settings, read_access(settings), outbox)
        thread = threading.Thread(target=link.run)
        thread.start()
        opened.append((link, thread))
        return link

    yield open_one
    for link, thread in opened:
        link.ending.set()
        link.wake()
        thread.join(10)
        assert not thread.is_alive()
        link.release()


def locked_broker(folder, *settings, port=None):
    """A broker that wants a user and a password; and a file with the latter."""
    need("mosquitto_passwd")
    users = folder / "users"
    subprocess.run(
        ["mosquitto_passwd", "-c", "-b", str(users), "line", PASSWORD], check=True, timeout=10
    )
    users.chmod(0o644)
    (folder / "password").write_text(PASSWORD + "\n")
    return Broker(folder, "allow_anonymous false", f"password_file {users}", *settings, port=port)


def test_a_broker_with_tls_and_password_is_opened_by_both(tmp_path, open_link):
    files = make_certificates(tmp_path)
    keys = f"certfile {files.certificate}", f"keyfile {files.key}"
    broker = locked_broker(tmp_path, *keys)
    options = "--cafile", str(files.authority), "-u", "line", "-P", PASSWORD
    heard = None
    try:
        access = {"user": "line", "password_file": tmp_path / "password"}
        link = open_link(broker.port, tls="on", ca_file=files.authority, **access)
        heard = Subscriber(broker.port, *options)
        wait_until(lambda: heard.told("availability"))
        link.outbox.show(view(1, news=tuple(alarm(n) for n in range(1, 51))))
        link.wake()
        wait_until(lambda: len(heard.alarms) == 50)
        assert [one["sequence"] for one in heard.alarms] == list(range(1, 51))
    finally:
        if heard is not None:
            heard.close()
        broker.close()


# The client leaves it to the garbage collector to close what failed its handshake.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_of_a_foreign_authority_gets_no_password(tmp_path, open_link, caplog):
    files = make_certificates(tmp_path)
    (tmp_path / "other").mkdir()
    other = make_certificates(tmp_path / "other")
    broker = locked_broker(tmp_path, f"certfile {files.certificate}", f"keyfile {files.key}")
    try:
        access = {"user": "line", "password_file": tmp_path / "password"}
        open_link(broker.port, tls="on", ca_file=other.authority, **access)
        wait_until(lambda: "cannot reach" in caplog.text)
        assert "CERTIFICATE_VERIFY_FAILED" in caplog.text
        assert "connected" not in caplog.text
    finally:
        broker.close()


def test_a_wrong_password_is_said_once(tmp_path, open_link, caplog, monkeypatch):
    monkeypatch.setattr(mqtt_link, "FIRST_PAUSE_S", 0.05)
    broker = locked_broker(tmp_path)
    (tmp_path / "password").write_text("another")
    try:
        open_link(broker.port, user="line", password_file=tmp_path / "password")
        wait_until(lambda: "refuses the connection" in caplog.text)
        time.sleep(0.5)
        assert caplog.text.count("refuses the connection") == 1
        assert PASSWORD not in caplog.text
        assert "another" not in caplog.text
    finally:
        broker.close()


@contextlib.contextmanager
def dumb_server():
    """Takes connections and says nothing; yields its port and when each came."""
    times_s, kept = [], []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        ending = threading.Event()

        def take():
            while not ending.is_set():
                with contextlib.suppress(TimeoutError):
                    kept.append(server.accept()[0])
                    times_s.append(time.monotonic())

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield server.getsockname()[1], times_s
        finally:
            ending.set()
            thread.join(10)
            for one in kept:
                one.close()


def test_what_answers_nothing_is_given_up_and_tried_ever_more_rarely(
    open_link, caplog, monkeypatch
):
    monkeypatch.setattr(mqtt_link, "CONNECT_S", 0.1)
    monkeypatch.setattr(mqtt_link, "FIRST_PAUSE_S", 0.1)
    monkeypatch.setattr(mqtt_link, "LONGEST_PAUSE_S", 0.4)
    with dumb_server() as (port, times_s):
        link = open_link(port, keepalive_s=60)
        wait_until(lambda: len(times_s) >= 5)
        link.ending.set()
        pauses_s = [b - a for a, b in zip(times_s, times_s[1:], strict=False)]
        assert "does not answer" in caplog.text
        # Up to a turn of 0.1 s each until it is given up, then 0.1, 0.2, 0.4, 0.4 s.
        for pause_s, least_s in zip(pauses_s, (0.2, 0.3, 0.5, 0.5), strict=False):
            assert pause_s >= least_s * 0.95


def test_a_broker_that_is_not_there_is_found_when_it_comes(tmp_path, open_link, caplog):
    port = free_port()
    open_link(port)
    wait_until(lambda: "cannot reach" in caplog.text)
    broker = Broker(tmp_path, port=port)
    try:
        wait_until(lambda: "connected to" in caplog.text)
    finally:
        broker.close()
    wait_until(lambda: "lost the broker" in caplog.text)


def test_a_name_that_cannot_be_is_no_more_than_not_there(open_link, caplog):
    open_link(1883, host="a..b")
    wait_until(lambda: "cannot reach" in caplog.text)


def test_two_with_one_name_do_not_connect_without_end(tmp_path, open_link, caplog, monkeypatch):
    monkeypatch.setattr(mqtt_link, "FIRST_PAUSE_S", 0.1)
    broker = Broker(tmp_path)
    try:
        open_link(broker.port)
        open_link(broker.port)
        time.sleep(2.5)
        # 0.1 + 0.2 + 0.4 + 0.8 + 1.6 s between the tries of each, not 0.1 s.
        assert 2 <= caplog.text.count("connected to") <= 12
    finally:
        broker.close()


def test_waking_never_blocks(open_link):
    link = open_link(free_port())
    for _ in range(100_000):
        link.wake()
    assert not link.ending.is_set()  # Still here, though nobody reads what wakes.
