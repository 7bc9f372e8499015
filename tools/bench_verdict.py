"""How soon a verdict is readable, and whether many defects delay the heartbeat; in one run each.

    python tools/bench_verdict.py [--seconds 60]

Two small lines, one after the other, at the speed of the web: one with few defects, one with more
than a thousand a minute. *Beyond scoring* is from the moment the verdict of the defect's last lines
was there until a subscriber had the alarm; the goal is 150 ms in the 99th percentile. Over Modbus,
a beat is seen one poll (20 ms) after a subscriber has it.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import zmq
from fail_safe import read_registers
from started_line import free_port, started_line

if TYPE_CHECKING:
    from collections.abc import Sequence

GOAL_MS = 150.0
START_S = 120.0
SETTLE_S = 3.0
POLL_S = 0.02
NS_PER_MS = 1_000_000
WEB = {"web.web_speed_m_min": 90.0, "source.length_m": 1000.0}
CASES = {"few defects": 0.5, "many defects": 20.0}  # planted per metre


@dataclass
class Heard:
    """What one line told, with when it was read (UTC nanoseconds)."""

    alarms: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    beats: dict[int, int] = field(default_factory=dict)
    shown: dict[int, int] = field(default_factory=dict)  # beats in the registers

    @property
    def new(self) -> list[tuple[int, dict[str, Any]]]:
        """Alarms of defects when they were first announced."""
        return [(at, a) for at, a in self.alarms if a["state"] == "new" and a["scored_ns"]]


def main() -> int:
    """Measure both lines and print; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    worst_ms, intervals = 0.0, {}
    for name, defects_per_m in CASES.items():
        heard = listen({"source.defects_per_m": defects_per_m}, seconds)
        worst_ms = max(worst_ms, _show_alarms(name, heard, seconds))
        intervals[name] = _show_beats(heard)
    few, many = (np.percentile(intervals[name], 99) for name in CASES)
    print(f"99th percentile of beats, many to few defects: {many / few:.2f}x")
    print(f"goal: {GOAL_MS:g} ms beyond scoring: {'met' if worst_ms <= GOAL_MS else 'missed'}")
    return int(worst_ms > GOAL_MS)


def listen(settings: dict[str, Any], seconds: float) -> Heard:
    """What a line with these settings tells in so many seconds after it has settled.

    Raises:
        TimeoutError: it never inspected.
    """
    port = free_port()
    gateway = {"gateways.modbus.mode": "on", "gateways.modbus.port": port}
    with ExitStack() as opened:
        line = opened.enter_context(started_line(WEB | gateway | settings))
        context = opened.enter_context(zmq.Context())
        socket = opened.enter_context(closing(context.socket(zmq.SUB)))
        socket.linger = 0
        for topic in (b"defect", b"status"):
            socket.subscribe(topic)
        socket.connect(line.settings["alarms.publish"])
        _wait_valid(socket)
        ended, heard = threading.Event(), Heard()
        thread = threading.Thread(target=_poll_registers, args=(port, heard, ended))
        thread.start()
        opened.callback(thread.join)
        opened.callback(ended.set)
        _hear(socket, heard, seconds)
    return heard


def _wait_valid(socket: zmq.Socket[bytes]) -> None:
    deadline, since_s = time.monotonic() + START_S, None
    while time.monotonic() < deadline:
        if not socket.poll(100):
            continue
        topic, frame = socket.recv_multipart()
        if topic == b"status":
            is_valid = json.loads(frame)["data_valid"]
            since_s = (since_s or time.monotonic()) if is_valid else None
        if since_s is not None and time.monotonic() - since_s > SETTLE_S:
            return
    msg = f"the line must inspect within {START_S:g} s, got no valid data"
    raise TimeoutError(msg)


def _hear(socket: zmq.Socket[bytes], heard: Heard, seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        if not socket.poll(100):
            continue
        topic, frame = socket.recv_multipart()
        at_ns, message = time.time_ns(), json.loads(frame)
        if topic == b"status":
            heard.beats[message["beat"]] = at_ns
        else:
            heard.alarms.append((at_ns, message))


def _poll_registers(port: int, heard: Heard, ended: threading.Event) -> None:
    while not ended.wait(POLL_S):
        registers = read_registers(port)
        if registers is not None:
            heard.shown.setdefault(registers["heartbeat"], time.time_ns())


def _show_alarms(name: str, heard: Heard, seconds: float) -> float:
    """Print the delays; returns the 99th percentile beyond scoring in milliseconds."""
    beyond = [(at - alarm["scored_ns"]) / NS_PER_MS for at, alarm in heard.new]
    whole = [(at - alarm["captured_ns"]) / NS_PER_MS for at, alarm in heard.new]
    rate = 60 * len(heard.new) / seconds
    print(f"{name}: {rate:.0f} new alarms a minute, {len(heard.alarms)} messages")
    print(f"  capture to subscriber {_quantiles(whole)}")
    print(f"  beyond scoring        {_quantiles(beyond)}")
    return float(np.percentile(beyond, 99))


def _show_beats(heard: Heard) -> list[float]:
    """Print how regular the beats are and when they are in the registers; their intervals."""
    times = [at for _, at in sorted(heard.beats.items())]
    intervals = [float(gap) / NS_PER_MS for gap in np.diff(times)]
    behind = [
        (at - heard.beats[beat]) / NS_PER_MS
        for beat, at in heard.shown.items()
        if beat in heard.beats
    ]
    print(f"  beat to beat          {_quantiles(intervals)}")
    print(f"  beat over Modbus      {_quantiles(behind)} after a subscriber")
    return intervals


def _quantiles(values: Sequence[float]) -> str:
    if not values:
        return "none"
    middle, high = np.percentile(values, [50, 99])
    return f"p50 {middle:.0f} ms, p99 {high:.0f} ms, max {max(values):.0f} ms"


if __name__ == "__main__":
    sys.exit(main())
