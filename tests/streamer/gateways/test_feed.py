"""What a gateway hears of a real pair of endpoints, whenever either side starts."""

import itertools
import socket
import time
from dataclasses import replace

import pytest
import zmq

from streamer.gateways import feed as feed_module
from streamer.gateways.feed import SinkFeed
from streamer.line_status import Command, CommandAnswer, CommandKind, LineStatus, MapRows, RunState
from streamer.message import Alarm, AlarmCondition, AlarmKind, DefectState, RegionMm, Severity
from streamer.outputs.zmq_alarms import ZmqAlarms

PATIENCE_S = 20


def free_endpoint():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def alarm(sequence, name="a", condition=AlarmCondition.UNACKNOWLEDGED):
    return Alarm(
        id=name,
        sequence=sequence,
        kind=AlarmKind.SYSTEM,
        state=DefectState.NEW,
        severity=Severity.HIGH,
        roll="r",
        camera="c",
        region=RegionMm(0, 1, 2, 3),
        encoder_first=0,
        encoder_end=1,
        raised_ns=1,
        captured_ns=1,
        peak=0.0,
        config_digest="",
        model_digest="",
        condition=condition,
    )


def status(sink, sequence=0, **changes):
    known = LineStatus(
        publisher=sink.publisher,
        sequence=sequence,
        beat=1,
        sent_ns=1,
        state=RunState.CONTINUOUS_EXECUTION,
        roll="r",
        data_valid=True,
        reason="",
        not_inspected_active=False,
        last_line=1,
        judged_line=1,
        encoder=1,
        position_mm=1.0,
        speed_m_min=60.0,
        lag_ms=1.0,
        lag_mm=1.0,
        latency_p99_ms=1.0,
        latency_p99_mm=1.0,
        actuator_mm=0.0,
        defects=0,
        active_alarms=0,
        unacknowledged=0,
        config_digest="",
        model_digest="",
    )
    return replace(known, **changes)


@pytest.fixture
def endpoints():
    return free_endpoint(), free_endpoint()


@pytest.fixture
def feed(endpoints):
    opened = SinkFeed(*endpoints)
    yield opened
    opened.close()
    opened.close()


@pytest.fixture
def sink(endpoints):
    opened = ZmqAlarms(*endpoints)
    yield opened
    opened.close()


def follow(feed, sink, holds, told=None):
    """Poll both until something holds of a view; the sink goes on telling a status."""
    end = time.monotonic() + PATIENCE_S
    news, rows, answers = [], [], []
    while True:
        assert time.monotonic() < end, "it never came"
        if sink is not None:
            sink.poll()
            if told is not None:
                sink.tell(told)
        feed.wait(10)
        view = feed.poll()
        news += view.news
        rows += view.rows
        answers += view.answers
        seen = replace(view, news=tuple(news), rows=tuple(rows), answers=tuple(answers))
        if holds(seen):
            return seen


def test_before_a_sink_is_there_nothing_is_valid(feed):
    view = feed.poll()
    assert (view.status, view.is_fresh, view.is_synchronised) == (None, False, False)
    assert (view.data_valid, view.state) == (False, RunState.PREOPERATIONAL)
    assert "nothing was heard" in view.reason


def test_a_newcomer_learns_what_is_active(feed, sink):
    sink.publish(alarm(1, "gone"))
    sink.publish(alarm(2, "gone", AlarmCondition.NORMAL))
    sink.publish(alarm(3, "here"))
    view = follow(feed, sink, lambda v: v.is_synchronised and v.alarms, status(sink, 3))
    assert [a.id for a in view.alarms] == ["here"]
    assert view.alarms[0] == alarm(3, "here")
    assert view.data_valid


def test_news_come_in_order(feed, sink):
    follow(feed, sink, lambda v: v.is_synchronised and v.status, status(sink))
    for n in range(1, 200):
        sink.publish(alarm(n, f"a{n}"))
    view = follow(feed, sink, lambda v: len(v.alarms) == 199, status(sink, 199))
    assert [a.sequence for a in view.news] == list(range(1, 200))


def test_a_silent_sink_is_stale_and_an_ended_one_is_not_an_error(feed, sink, monkeypatch):
    follow(feed, sink, lambda v: v.data_valid, status(sink))
    monkeypatch.setattr(feed_module, "STALE_S", -1.0)
    view = feed.poll()
    assert (view.is_fresh, view.data_valid, view.state) == (False, False, RunState.ERROR)
    assert view.reason == "the sink is silent"
    ended = status(sink, state=RunState.HALTED, data_valid=False, reason="the roll has ended")
    view = follow(feed, sink, lambda v: v.status == ended, ended)
    assert view.state is RunState.HALTED


def test_another_sink_at_the_same_place_is_followed(feed, endpoints):
    first = ZmqAlarms(*endpoints)
    first.publish(alarm(1, "old"))
    follow(feed, first, lambda v: [a.id for a in v.news] == ["old"], status(first, 1))
    first.close()
    second = ZmqAlarms(*endpoints)
    try:
        second.publish(alarm(1, "new"))
        # News wait for the status of their sink; what is active is known before.
        view = follow(feed, second, lambda v: v.news, status(second, 1))
        assert [a.id for a in view.news] == [a.id for a in view.alarms] == ["new"]
    finally:
        second.close()


def test_alarms_that_come_before_the_first_status_are_news_with_it(feed, sink):
    sink.publish(alarm(1, "a"))
    early = follow(feed, sink, lambda v: v.alarms)
    assert (early.status, early.news, early.is_synchronised) == (None, (), False)
    view = follow(feed, sink, lambda v: v.news, status(sink, 1))
    assert [a.id for a in view.news] == ["a"]
    assert view.is_synchronised
    assert view.status.publisher == sink.publisher


def test_alarms_of_another_sink_are_not_told_under_the_name_of_the_one_before(feed, endpoints):
    first = ZmqAlarms(*endpoints)
    follow(feed, first, lambda v: v.is_synchronised and v.status, status(first))
    first.close()
    second = ZmqAlarms(*endpoints)
    try:
        numbers = itertools.count(1)

        def hears(view):  # An alarm of it is heard before its status, and so asked for the rest.
            second.publish(alarm(next(numbers), "new"))
            return view.alarms

        view = follow(feed, second, hears)
        assert (view.news, view.is_synchronised) == ((), False)
        told = status(second, next(numbers) - 1)
        view = follow(feed, second, lambda v: v.news, told)
        assert view.status.publisher == second.publisher
    finally:
        second.close()


def test_a_command_reaches_the_sink_and_its_answer_comes_back(feed, sink):
    follow(feed, sink, lambda v: v.is_synchronised, status(sink))
    command = Command("7", CommandKind.SHELVE, "a", "page", 60.0, "cleaning")
    assert feed.send(command)
    end = time.monotonic() + PATIENCE_S
    while not (taken := sink.take_commands()):
        assert time.monotonic() < end
        sink.poll()
        time.sleep(0.01)
    ((address, asked),) = taken
    assert asked == command
    sink.answer(address, CommandAnswer("7", ok=False, text="no such alarm"))
    view = follow(feed, sink, lambda v: v.answers)
    assert view.answers == (CommandAnswer("7", ok=False, text="no such alarm"),)


def test_rows_of_the_live_map_arrive(feed, sink):
    follow(feed, sink, lambda v: v.is_synchronised and v.status, status(sink))
    rows = MapRows("r", 0, 16, 0.0, 8.0, 100.0, 2, 3, bytes([0, 100, 250, 253, 254, 7]))
    sink.show_rows(rows)
    assert follow(feed, sink, lambda v: v.rows).rows == (rows,)


def test_nonsense_is_counted_and_dropped(feed, endpoints):
    with zmq.Context() as context, context.socket(zmq.PUB) as liar:
        liar.linger = 0
        liar.bind(endpoints[0])
        end = time.monotonic() + PATIENCE_S
        while feed.malformed < 4:
            assert time.monotonic() < end
            liar.send_multipart([b"status", b"{"])
            liar.send_multipart([b"defect", b'{"schema": "linescan.alarm/99"}'])
            liar.send_multipart([b"map", b"[]"])
            liar.send_multipart([b"system"])
            view = feed.poll()
            time.sleep(0.01)
    assert view.status is None
    assert view.alarms == ()
