"""Example subscriber: follows the alarms of a running `linescan` and always knows the active ones.

It subscribes first, then asks for the snapshot; updates that the snapshot already holds are
dropped. A hole in the sequence numbers, or another publisher, makes it ask again. It needs pyzmq
and nothing of linescan, so that it can be carried over to a gateway as it is.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import deque
from typing import Any

import zmq

BEAT_TOPIC = b"beat"
TOPICS = (b"defect", b"not_inspected", b"system", BEAT_TOPIC)
Alarm = dict[str, Any]


class AlarmFollower:
    """The active alarms as a subscriber knows them; pure, so that it can be tested without sockets.

    `feed_update` and `feed_snapshot` return the changes to show, oldest first, and set
    `needs_snapshot` when the state may be wrong.
    """

    def __init__(self) -> None:
        self.active: dict[str, Alarm] = {}
        self.needs_snapshot = True
        self.lost = 0
        self._publisher = ""
        self._sequence = 0
        # Bounded: what is pushed out shows as a hole after the snapshot, and we ask again.
        self._waiting: deque[Alarm] = deque(maxlen=10_000)

    def feed_snapshot(self, snapshot: dict[str, Any]) -> list[Alarm]:
        """Take the snapshot over, then the updates that came after it."""
        before = self.active
        self._publisher, self._sequence = snapshot["publisher"], snapshot["sequence"]
        self.active = {alarm["id"]: alarm for alarm in snapshot["active"]}
        self.needs_snapshot = False
        changes = [alarm for key, alarm in self.active.items() if before.get(key) != alarm]
        gone = [alarm for key, alarm in before.items() if key not in self.active]
        changes += [{**alarm, "state": "end", "condition": "normal"} for alarm in gone]
        waiting = [u for u in self._waiting if u["publisher"] == self._publisher]
        self._waiting.clear()
        for update in waiting:
            changes += self.feed_update(update)
        return changes

    def feed_update(self, update: Alarm) -> list[Alarm]:
        """Apply an alarm, or keep it until the snapshot is here."""
        if self.needs_snapshot:
            self._waiting.append(update)
            return []
        if self._is_out_of_step(update, update["sequence"] - 1):
            self._waiting.append(update)
            return []
        if update["sequence"] <= self._sequence:
            return []
        self._sequence = update["sequence"]
        self.active.pop(update["id"], None)
        if update["condition"] != "normal":
            self.active[update["id"]] = update
        return [update]

    def feed_beat(self, beat: dict[str, Any]) -> None:
        """Compare the latest sequence of the publisher with ours."""
        if not self.needs_snapshot:
            self._is_out_of_step(beat, beat["sequence"])

    def _is_out_of_step(self, message: dict[str, Any], before: int) -> bool:
        """Whether messages up to `before` are missing here, or the publisher is another one."""
        same = message["publisher"] == self._publisher
        missing = max(0, before - self._sequence) if same else 0
        self.lost += missing
        self.needs_snapshot = missing > 0 or not same
        return self.needs_snapshot


class Subscription:
    """The two sockets of a subscriber; reconnects by itself when the publisher comes back."""

    def __init__(self, publish: str, snapshot: str, retry_s: float = 1.0) -> None:
        self.follower = AlarmFollower()
        self._retry_s = retry_s
        self._asked_s = 0.0
        self._snapshot_endpoint = snapshot
        self._context = zmq.Context()
        self._updates = self._context.socket(zmq.SUB)
        self._updates.rcvhwm = 100_000
        for topic in TOPICS:  # "status" and "map" go over the same socket
            self._updates.subscribe(topic)
        self._updates.connect(publish)
        self._asking: zmq.Socket[bytes] | None = None

    def receive(self, timeout_ms: int) -> list[Alarm]:
        """Changes since the last call; waits for them up to the timeout."""
        self._ask_if_needed()
        waiting = dict(self._poller().poll(timeout_ms))
        changes: list[Alarm] = []
        # Updates first: everything that the publisher sent before the snapshot is then at hand.
        while self._updates in waiting and self._updates.poll(0):
            changes += self._take_update(*self._updates.recv_multipart())
        if self._asking is not None and self._asking in waiting:
            snapshot = json.loads(self._asking.recv())
            self._stop_asking()
            changes += self.follower.feed_snapshot(snapshot)
        return changes

    def close(self) -> None:
        """Release the sockets."""
        self._stop_asking()
        self._updates.close(linger=0)
        self._context.term()

    def _poller(self) -> zmq.Poller:
        poller = zmq.Poller()
        poller.register(self._updates, zmq.POLLIN)
        if self._asking is not None:
            poller.register(self._asking, zmq.POLLIN)
        return poller

    def _take_update(self, topic: bytes, body: bytes) -> list[Alarm]:
        if topic == BEAT_TOPIC:
            self.follower.feed_beat(json.loads(body))
            return []
        return self.follower.feed_update(json.loads(body))

    def _ask_if_needed(self) -> None:
        overdue = time.monotonic() - self._asked_s > self._retry_s
        if not self.follower.needs_snapshot or (self._asking is not None and not overdue):
            return
        # A fresh socket for each attempt: an answer to an older request can then never be taken
        # for the present one.
        self._stop_asking()
        self._asking = self._context.socket(zmq.DEALER)
        self._asking.connect(self._snapshot_endpoint)
        self._asking.send(b"snapshot")
        self._asked_s = time.monotonic()

    def _stop_asking(self) -> None:
        if self._asking is not None:
            self._asking.close(linger=0)
        self._asking = None


def describe(alarm: Alarm) -> str:
    """One line for people."""
    box = alarm["region_mm"]
    place = (
        f"{box['down_first'] / 1000:9.3f} m .. {box['down_end'] / 1000:9.3f} m, "
        f"{box['cross_first']:7.1f} mm .. {box['cross_end']:7.1f} mm"
    )
    return (
        f"{alarm['raised_utc']}  {alarm['state']:<6} {alarm['severity']:<6} {alarm['kind']:<13} "
        f"{alarm['id']:<14} {place}  peak {alarm['peak']:.2f}  {alarm['text']}"
    ).rstrip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--publish", default="tcp://127.0.0.1:5571", help="alarms.publish")
    parser.add_argument("--snapshot", default="tcp://127.0.0.1:5572", help="alarms.snapshot")
    parser.add_argument("--json", action="store_true", help="print each change as one JSON line")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time")
    options = parser.parse_args()
    subscription = Subscription(options.publish, options.snapshot)
    end_s = time.monotonic() + options.seconds
    try:
        while time.monotonic() < end_s:
            for change in subscription.receive(timeout_ms=200):
                print(json.dumps(change) if options.json else describe(change), flush=True)
    except KeyboardInterrupt:
        return 0
    finally:
        subscription.close()
        follower = subscription.follower
        print(f"active {len(follower.active)}, lost and recovered {follower.lost}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
