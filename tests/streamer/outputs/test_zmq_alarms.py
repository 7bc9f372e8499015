"""Alarms over ZeroMQ: whoever joins, whenever, ends with the right active alarms."""

import importlib.util
import json
import random
import socket
import threading
import time
from pathlib import Path

import jsonschema
import pytest
import zmq

from streamer.config import Alarms
from streamer.line_status import MapRows
from streamer.message import Alarm, AlarmCondition, AlarmKind, DefectState, RegionMm, Severity
from streamer.outputs import open_zmq_alarms
from streamer.outputs.alarm_message import alarm_schema, beat_schema, snapshot_schema
from streamer.outputs.zmq_alarms import AlarmEndpointError, AlarmOutputError, ZmqAlarms
from tests.streamer.gateways.contract import status

TOOL = Path(__file__).parents[3] / "tools" / "plc_subscriber.py"
SPEC = importlib.util.spec_from_file_location("plc_subscriber", TOOL)
plc_subscriber = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(plc_subscriber)

LOOPBACK = "tcp://127.0.0.1:*"
PATIENCE_S = 20


def alarm(sequence, name="a", state=DefectState.NEW):
    return Alarm(
        id=name,
        sequence=sequence,
        kind=AlarmKind.DEFECT,
        state=state,
        severity=Severity.LOW,
        roll="r",
        camera="cam0",
        region=RegionMm(0, 1, 0, 1),
        encoder_first=0,
        encoder_end=8,
        raised_ns=1,
        captured_ns=1,
        peak=1.5,
        config_digest="",
        model_digest="",
        condition=AlarmCondition.NORMAL
        if state is DefectState.END
        else AlarmCondition.UNACKNOWLEDGED,
    )


@pytest.fixture
def output():
    opened = ZmqAlarms(LOOPBACK, LOOPBACK)
    yield opened
    opened.close()


def ask(output, kind=zmq.REQ, request=b"?"):
    with zmq.Context() as context, context.socket(kind) as peer:
        peer.linger = 0
        peer.connect(output.endpoints[1])
        peer.send(request)
        end = time.monotonic() + PATIENCE_S
        while not peer.poll(5):
            output.poll()
            assert time.monotonic() < end
        return json.loads(peer.recv())


def follow(output, subscription, done):
    end = time.monotonic() + PATIENCE_S
    changes = []
    while not done():
        output.poll()
        changes += subscription.receive(timeout_ms=5)
        assert time.monotonic() < end, "the subscriber never came to the right state"
    return changes


def states(active):
    return {name: found["sequence"] for name, found in active.items()}


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER])
def test_any_request_is_answered_with_what_is_active(output, kind):
    output.publish(alarm(1, "a"))
    output.publish(alarm(2, "b"))
    output.publish(alarm(3, "a", DefectState.UPDATE))
    output.publish(alarm(4, "b", DefectState.END))
    snapshot = ask(output, kind, b"")
    jsonschema.validate(snapshot, snapshot_schema())
    assert snapshot["sequence"] == 4
    assert [(a["id"], a["sequence"], a["state"]) for a in snapshot["active"]] == [
        ("a", 3, "update")
    ]


@pytest.mark.parametrize("use", [lambda o: o.publish(alarm(1)), lambda o: o.poll()])
def test_a_refusal_of_zeromq_is_an_oserror(use):
    output = ZmqAlarms(LOOPBACK, LOOPBACK)
    output.close()
    with pytest.raises(AlarmOutputError, match="alarm endpoints must be open and working, got"):
        use(output)
    assert issubclass(AlarmOutputError, OSError)


def test_a_beat_that_cannot_be_sent_is_an_oserror_too(output):
    output._publish_socket.close()
    with pytest.raises(AlarmOutputError):
        output.poll()


def test_the_snapshot_of_a_fresh_sink_is_empty(output):
    assert ask(output)["active"] == []
    assert ask(output)["sequence"] == 0


def test_alarms_go_out_under_their_kind_and_follow_the_schema(output):
    with zmq.Context() as context, context.socket(zmq.SUB) as peer:
        peer.subscribe(b"defect")
        peer.subscribe(b"beat")
        peer.connect(output.endpoints[0])
        output._beat_due_s = 0.0
        while not peer.poll(10):  # a beat proves that the subscription has arrived
            output._beat_due_s = 0.0
            output.poll()
        topic, beat = peer.recv_multipart()
        assert topic == b"beat"
        jsonschema.validate(json.loads(beat), beat_schema())
        output.publish(alarm(1))
        while topic == b"beat":
            assert peer.poll(PATIENCE_S * 1000)
            topic, body = peer.recv_multipart()
        assert topic == b"defect"
        jsonschema.validate(json.loads(body), alarm_schema())


def test_what_an_earlier_sink_left_is_told_to_newcomers_and_numbers_go_on(output):
    output.adopt((alarm(3, "left"),), 7)
    answer = ask(output)
    assert (answer["sequence"], [one["id"] for one in answer["active"]]) == (7, ["left"])
    output.publish(alarm(8, "left", DefectState.END))
    answer = ask(output)
    assert (answer["sequence"], answer["active"]) == (8, [])
    with pytest.raises(ValueError, match="must be > 8"):
        output.publish(alarm(8))


def test_a_sequence_never_falls(output):
    output.publish(alarm(5))
    with pytest.raises(ValueError, match="Alarm.sequence must be > 5, got 5"):
        output.publish(alarm(5))


def script(rng, count):
    """A life of alarms: (sequence, id, state), and the active ones after each message."""
    active, messages = {}, []
    for sequence in range(1, count + 1):
        name = f"d{rng.randrange(12)}"
        options = [DefectState.UPDATE, DefectState.END] if name in active else [DefectState.NEW]
        state = rng.choice(options)
        active.pop(name, None)
        if state is not DefectState.END:
            active[name] = sequence
        messages.append(alarm(sequence, name, state))
    return messages, active


@pytest.mark.parametrize("seed", range(8))
def test_a_subscriber_that_joins_at_a_random_moment_knows_all_active_alarms(output, seed):
    rng = random.Random(seed)
    messages, expected = script(rng, 400)
    joined = threading.Event()
    stop = threading.Event()
    join_at = rng.randrange(len(messages))

    def publisher():
        for number, message in enumerate(messages):
            if number == join_at:
                joined.set()
            output.publish(message)
            output.poll()
            time.sleep(rng.random() * 2e-4)
        while not stop.is_set():
            output.poll()
            time.sleep(1e-3)

    thread = threading.Thread(target=publisher)
    thread.start()
    joined.wait()
    subscription = plc_subscriber.Subscription(*output.endpoints, retry_s=0.3)
    try:
        end = time.monotonic() + PATIENCE_S
        follower = subscription.follower
        while follower.needs_snapshot or states(follower.active) != expected:
            subscription.receive(timeout_ms=5)
            assert time.monotonic() < end, "wrong active alarms"
    finally:
        stop.set()
        thread.join()
        subscription.close()


def test_a_subscriber_recovers_from_lost_messages(output):
    subscription = plc_subscriber.Subscription(*output.endpoints, retry_s=0.2)
    follower = subscription.follower
    output.publish(alarm(1, "a"))
    follow(output, subscription, lambda: states(follower.active) == {"a": 1})
    # Two messages that this subscriber never gets: only the snapshot and the beat tell of them.
    output._sequence = 3
    output._active.pop("a")
    output._beat_due_s = 0.0
    follow(output, subscription, lambda: follower.active == {} and not follower.needs_snapshot)
    assert follower.lost == 2
    subscription.close()


def test_a_subscriber_of_alarms_is_not_disturbed_by_status_and_map(output):
    subscription = plc_subscriber.Subscription(*output.endpoints, retry_s=0.2)
    follower = subscription.follower
    output.publish(alarm(1, "a"))
    follow(output, subscription, lambda: states(follower.active) == {"a": 1})
    output.tell(status())
    output.show_rows(MapRows("r", 0, 8, 0.0, 4.0, 8.0, 1, 2, b"\0\1"))
    output.publish(alarm(2, "b"))
    follow(output, subscription, lambda: states(follower.active) == {"a": 1, "b": 2})
    assert follower.lost == 0
    subscription.close()


def test_a_subscriber_survives_a_restart_of_the_publisher():
    first = ZmqAlarms(LOOPBACK, LOOPBACK)
    endpoints = first.endpoints
    subscription = plc_subscriber.Subscription(*endpoints, retry_s=0.2)
    follower = subscription.follower
    first.publish(alarm(1, "old"))
    follow(first, subscription, lambda: states(follower.active) == {"old": 1})
    first.close()
    second = ZmqAlarms(*endpoints)
    second.publish(alarm(1, "fresh"))
    second._beat_due_s = 0.0
    changes = follow(second, subscription, lambda: states(follower.active) == {"fresh": 1})
    assert [(c["id"], c["state"]) for c in changes] == [("fresh", "new"), ("old", "end")]
    subscription.close()
    second.close()


def test_a_subscriber_that_does_not_read_never_delays_the_publisher(output):
    with zmq.Context() as context, context.socket(zmq.SUB) as deaf:
        deaf.rcvhwm = 1
        deaf.linger = 0
        deaf.subscribe(b"")
        deaf.connect(output.endpoints[0])
        began = time.monotonic()
        for sequence in range(1, 15_001):
            output.publish(alarm(sequence))
        assert time.monotonic() - began < PATIENCE_S
        assert ask(output)["sequence"] == 15_000


@pytest.mark.parametrize("taken", [0, 1])
def test_a_taken_endpoint_is_named_and_nothing_stays_bound(output, taken):
    endpoints = [LOOPBACK, LOOPBACK]
    endpoints[taken] = output.endpoints[taken]
    name = ("alarms.publish", "alarms.snapshot")[taken]
    text = f"{name} must be an endpoint that can be bound, got {endpoints[taken]}: Address already"
    with pytest.raises(AlarmEndpointError, match=text):
        ZmqAlarms(*endpoints)


def test_an_endpoint_that_is_none_is_named():
    with pytest.raises(OSError, match="alarms.publish must be an endpoint .*, got nonsense"):
        ZmqAlarms("nonsense", LOOPBACK)


def test_close_may_be_called_twice_and_frees_the_ports():
    opened = ZmqAlarms(LOOPBACK, LOOPBACK)
    port = int(opened.endpoints[0].rsplit(":", 1)[1])
    opened.close()
    opened.close()
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))


def test_the_factory_opens_what_the_configuration_says():
    opened = open_zmq_alarms(Alarms(publish=LOOPBACK, snapshot=LOOPBACK))
    assert all(endpoint.startswith("tcp://127.0.0.1:") for endpoint in opened.endpoints)
    opened.close()
