"""A real MQTT broker and clients of another make than the gateway's, in processes of their own."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from tests.streamer.gateways.contract import PATIENCE_S

PREFIX = "plant/line1"
FORMAT = "%r %t %p"  # retained, topic, payload: one line each


def need(*programs):
    """Skip without these programs; fail in CI, that installs them."""
    for program in programs:
        if shutil.which(program) is None:
            text = f"{program} must be installed (Debian: mosquitto, mosquitto-clients)"
            pytest.fail(text) if os.environ.get("CI") == "true" else pytest.skip(text)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(holds, what="it never came", patience_s=PATIENCE_S):
    end = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.01)


class Broker:
    """mosquitto on a port of this machine; it can stand still, die and come again."""

    def __init__(self, folder, *settings, port=None):
        need("mosquitto", "mosquitto_sub", "mosquitto_pub")
        self.port = port or free_port()
        anonymous = [] if settings else ["allow_anonymous true"]
        self._file = folder / "mosquitto.conf"
        lines = ["user root", f"listener {self.port} 127.0.0.1", *anonymous, *settings]
        self._file.write_text("\n".join(lines) + "\n")
        self.start()

    def start(self):
        self._process = subprocess.Popen(
            ["mosquitto", "-c", str(self._file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._answers, "mosquitto did not start")

    def _answers(self):
        assert self._process.poll() is None, "mosquitto ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def stand_still(self):
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self._process.send_signal(signal.SIGCONT)

    def kill(self):
        self._process.kill()
        self._process.wait(10)

    close = kill


class Subscriber:
    """mosquitto_sub below the prefix, with QoS 1; keeps all that it prints."""

    def __init__(self, port, *options):
        self._process = subprocess.Popen(
            ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-q", "1", *options]
            + ["-t", f"{PREFIX}/#", "-F", FORMAT],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        wait_until(lambda: self._hears(port, options), "mosquitto_sub did not subscribe")

    def _hears(self, port, options):
        assert self._process.poll() is None, "mosquitto_sub ended"
        send(port, "?", *options, topic="probe")
        time.sleep(0.02)
        return self.told("probe")

    def _read(self):
        for line in self._process.stdout:
            retained, topic, payload = line.rstrip("\n").split(" ", 2)
            self.lines.append((topic.removeprefix(PREFIX + "/"), payload, retained == "1"))

    def told(self, topic):
        """Payloads on a topic, oldest first."""
        return [payload for name, payload, _ in list(self.lines) if name == topic]

    def retained(self, topic):
        return [payload for name, payload, kept in list(self.lines) if kept and name == topic]

    @property
    def availability(self):
        """What is told last; "" before anything is."""
        return (self.told("availability") or [""])[-1]

    @property
    def states(self):
        return [json.loads(one) for one in self.told("state")]

    @property
    def alarms(self):
        """All messages of alarms, whatever their kind, as they came."""
        lines = list(self.lines)
        return [json.loads(payload) for name, payload, _ in lines if name.startswith("alarms/")]

    @property
    def answers(self):
        return [json.loads(one) for one in self.told("answer")]

    @property
    def lists(self):
        return [json.loads(one) for one in self.told("active")]

    def stand_still(self):
        self._process.send_signal(signal.SIGSTOP)

    def close(self):
        self._process.kill()
        self._process.wait(10)
        self._thread.join(10)
        self._process.stdout.close()


def send(port, payload, *options, topic="command"):
    """Publish with mosquitto_pub."""
    command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-q", "1", *options]
    text = payload if isinstance(payload, str) else json.dumps(payload)
    subprocess.run([*command, "-t", f"{PREFIX}/{topic}", "-m", text], check=True, timeout=10)


class MqttPeer:
    """A newcomer: what the retained list holds, then what is told; see contract.Peer."""

    def __init__(self, port):
        self._port = port
        self.heard = Subscriber(port)
        wait_until(lambda: self.heard.told("availability"), "the gateway never came")

    def beat(self):
        states = self.heard.states
        return states[-1]["beat"] if states else None

    def data_valid(self):
        available, states = self.heard.availability, self.heard.states
        return bool(states and available == "online" and states[-1]["data_valid"])

    def seen(self):
        ids = []
        for topic, payload, _ in list(self.heard.lines):
            if topic == "active":
                ids += [one["id"] for one in json.loads(payload)["active"]]
            elif topic.startswith("alarms/"):
                ids.append(json.loads(payload)["id"])
        return list(dict.fromkeys(ids))

    def acknowledge(self, alarm):
        command = {"schema": "linescan.command/1", "id": "1", "kind": "acknowledge"}
        send(self._port, {**command, "alarm": alarm.id, "by": "shift leader"})

    def stall(self):
        self.heard.stand_still()

    def close(self):
        self.heard.close()
