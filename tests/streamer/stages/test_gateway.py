"""The gateway's loop: every view is shown, wishes go back, the end of a roll is shown, too."""

import logging
from dataclasses import replace

import pytest

from streamer.line_ports import LineView
from streamer.line_status import Command, CommandKind, RunState
from streamer.message import StageState
from streamer.stages.gateway import LAST_VIEWS, WAIT_MS, GatewayStage
from streamer.stages.pulse import Pulse
from streamer.transport.memory import MemoryLink
from tests.streamer.gateways.contract import status

STOP = Command("1", CommandKind.STOP, "", "page")
MOST_TURNS = 1000


def view(beat, **changes):
    return LineView(status(beat=beat, last_line=100 * beat, **changes), True, True)


class Feed:
    """Gives one view after the other, the last one for ever; takes commands while `is_open`."""

    def __init__(self, *views, is_open=True):
        self.views, self.is_open = list(views), is_open
        self.sent, self.waits_ms = [], []

    def wait(self, timeout_ms):
        self.waits_ms.append(timeout_ms)
        assert len(self.waits_ms) < MOST_TURNS, "it goes on for ever"

    def poll(self):
        return self.views.pop(0) if len(self.views) > 1 else self.views[0]

    def send(self, command):
        self.sent.append(command)
        return self.is_open


class Gateway:
    """Keeps what it is shown; peers ask for `wishes` after the first view."""

    def __init__(self, *wishes, fault=None):
        self.shown, self.wishes, self.fault = [], wishes, fault

    def show(self, view):
        if self.fault is not None:
            raise self.fault
        self.shown.append(view)

    def take_commands(self):
        wishes, self.wishes = self.wishes, ()
        return wishes


def run(clock, feed, gateway, stop_after=0):
    """Run until the stage ends; it is asked to after so many views."""
    link = MemoryLink()
    pulse = Pulse("gateway", "gateway-page", (link,), 0, clock)
    GatewayStage(feed, gateway, pulse, lambda: len(gateway.shown) >= stop_after).run()
    return list(link.outbox)


def test_every_view_is_shown_in_order_and_never_waited_for_long(clock):
    gateway = Gateway()
    views = [view(n) for n in range(1, 6)]
    ended = view(6, state=RunState.HALTED)
    feed = Feed(*views, ended)
    run(clock, feed, gateway, stop_after=6)
    assert gateway.shown[:6] == [*views, ended]
    assert set(feed.waits_ms) == {WAIT_MS}


def test_wishes_of_peers_go_to_the_sink(clock):
    feed = Feed(view(1, state=RunState.HALTED))
    run(clock, feed, Gateway(STOP, replace(STOP, id="2")))
    assert [command.id for command in feed.sent] == ["1", "2"]


def test_a_wish_that_cannot_be_passed_on_is_said(clock, caplog):
    caplog.set_level(logging.WARNING, logger="streamer.stages.gateway")
    run(clock, Feed(view(1, state=RunState.HALTED), is_open=False), Gateway(STOP))
    assert "could not pass on stop of page" in caplog.text


def test_a_line_is_shown_to_the_end_of_its_roll_and_a_little_longer(clock):
    gateway = Gateway()
    running, ended = [view(n) for n in range(1, 30)], view(30, state=RunState.HALTED)
    run(clock, Feed(*running, ended), gateway, stop_after=1)
    assert gateway.shown == [*running, *[ended] * LAST_VIEWS]


@pytest.mark.parametrize("silent", [LineView(None, False, False), replace(view(9), is_fresh=False)])
def test_a_silent_sink_keeps_no_gateway_from_ending(clock, silent):
    gateway = Gateway()
    run(clock, Feed(silent), gateway, stop_after=1)
    assert len(gateway.shown) in (LAST_VIEWS, LAST_VIEWS + 1)


def test_without_being_asked_to_it_outlives_the_roll(clock):
    ended = view(1, state=RunState.HALTED)
    gateway = Gateway()
    run(clock, Feed(ended), gateway, stop_after=200)
    assert len(gateway.shown) >= 200


def test_it_beats_with_each_view_and_says_its_states(clock):
    beats = run(clock, Feed(view(1), view(2), view(3, state=RunState.HALTED)), Gateway(), 3)
    assert beats[0].state is StageState.READY
    assert [beat.last_line for beat in beats[1:4]] == [100, 200, 300]
    assert beats[-1].state is StageState.STOPPED
    nothing = run(clock, Feed(LineView(None, False, False)), Gateway())
    assert {beat.last_line for beat in nothing} == {0}


def test_a_gateway_that_cannot_serve_any_more_ends_the_stage(clock):
    with pytest.raises(OSError, match="the thread has ended"):
        run(clock, Feed(view(1)), Gateway(fault=OSError("the thread has ended")))
