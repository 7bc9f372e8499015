"""What every gateway must do for its peers, whatever it speaks; each adapter brings a real peer.

A test class of an adapter inherits from GatewayContract and gives `open_gateway` and `open_peer`.
"""

import time
from dataclasses import replace
from typing import Any, Protocol

import pytest

from streamer.line_ports import Gateway, LineView
from streamer.line_status import CommandKind, LineStatus, RunState
from streamer.message import Alarm, AlarmCondition, AlarmKind, DefectState, RegionMm, Severity

PATIENCE_S = 20.0
LONGEST_SHOW_S = 0.5  # on a machine with other work; what blocks blocks for ever


class Peer(Protocol):
    """A client of another implementation than the gateway's own, where one can be had."""

    def beat(self) -> int | None:
        """The count of life as the peer sees it now; None: it sees none."""

    def data_valid(self) -> bool:
        """Whether the peer is told that web is being inspected."""

    def seen(self) -> list[str]:
        """Ids of the alarms that the peer was told of, in the order in which it was."""

    def acknowledge(self, alarm: Alarm) -> None:
        """Acknowledge this alarm."""

    def stall(self) -> None:
        """Stay connected and take nothing more."""

    def close(self) -> None:
        """Go away without a word."""


def status(**changes: Any) -> LineStatus:
    """A line that inspects."""
    known = LineStatus(
        publisher="p",
        sequence=0,
        beat=1,
        sent_ns=1_700_000_000_000_000_000,
        state=RunState.CONTINUOUS_EXECUTION,
        roll="roll-1",
        data_valid=True,
        reason="",
        not_inspected_active=False,
        last_line=4096,
        judged_line=3584,
        encoder=4096,
        position_mm=2048.0,
        speed_m_min=60.0,
        lag_ms=120.0,
        lag_mm=120.0,
        latency_p99_ms=200.0,
        latency_p99_mm=200.0,
        actuator_mm=2000.0,
        defects=0,
        active_alarms=0,
        unacknowledged=0,
        config_digest="c" * 64,
        model_digest="m" * 64,
    )
    return replace(known, **changes)


def alarm(number: int, **changes: Any) -> Alarm:
    """A defect of medium severity, 100 * number mm down the web."""
    known = Alarm(
        id=f"roll-1/cam0/defect-{number}",
        sequence=number,
        kind=AlarmKind.DEFECT,
        state=DefectState.NEW,
        severity=Severity.MEDIUM,
        roll="roll-1",
        camera="cam0",
        region=RegionMm(100.0 * number, 100.0 * number + 5, 40.0, 44.0),
        encoder_first=200 * number,
        encoder_end=200 * number + 10,
        raised_ns=1_700_000_000_000_000_000,
        captured_ns=1_699_999_999_900_000_000,
        peak=1.7,
        config_digest="c" * 64,
        model_digest="m" * 64,
        text="unknown, 20 mm2",
    )
    return replace(known, **changes)


def view(
    beat: int, *alarms: Alarm, news: tuple[Alarm, ...] | None = None, **changes: Any
) -> LineView:
    """What the feed gives: `alarms` are active, and news unless something else is."""
    told = status(beat=beat, active_alarms=len(alarms), **changes)
    return LineView(told, True, True, alarms, alarms if news is None else news)


class GatewayContract:
    """Inherit, and give the two below."""

    def open_gateway(self) -> Gateway:
        """The gateway under test, on a free port."""
        raise NotImplementedError

    def open_peer(self, gateway: Gateway) -> Peer:
        """A connected peer."""
        raise NotImplementedError

    @pytest.fixture
    def gateway(self):
        opened = self.open_gateway()
        yield opened
        opened.close()
        opened.close()  # may be called twice

    @pytest.fixture
    def peer(self, gateway):
        gateway.show(view(1))
        opened = self.open_peer(gateway)
        yield opened
        opened.close()

    def until(self, gateway, shown, holds):
        """Show views until something holds of the peer; the last one goes on being shown."""
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end, "the peer never saw it"
            gateway.show(shown)
            time.sleep(0.01)

    def test_the_peer_sees_the_beat_of_the_sink_and_none_of_the_gateways_own(self, gateway, peer):
        for beat in (5, 6, 9):
            self.until(gateway, view(beat), lambda beat=beat: peer.beat() == beat)
        for _ in range(30):  # The sink stands still; the gateway does not.
            gateway.show(view(9, news=()))
            time.sleep(0.01)
        assert peer.beat() == 9

    def test_silence_of_the_sink_makes_the_data_invalid(self, gateway, peer):
        self.until(gateway, view(2), peer.data_valid)
        stale = replace(view(2), is_fresh=False)
        self.until(gateway, stale, lambda: not peer.data_valid())
        self.until(gateway, view(3), peer.data_valid)

    def test_a_sink_that_says_so_makes_the_data_invalid(self, gateway, peer):
        self.until(gateway, view(2), peer.data_valid)
        blind = view(3, data_valid=False, reason="camera cam0 is away", not_inspected_active=True)
        self.until(gateway, blind, lambda: not peer.data_valid())

    def test_alarms_come_in_order_each_once(self, gateway, peer):
        alarms = [alarm(n) for n in range(1, 6)]
        for n, one in enumerate(alarms, start=1):
            # As news once; later views hold it as active.
            gateway.show(view(10 + n, *alarms[:n], news=(one,)))
            wanted = [a.id for a in alarms[:n]]
            self.until(
                gateway, view(10 + n, *alarms[:n], news=()), lambda w=wanted: peer.seen() == w
            )
            gateway_took = gateway.take_commands()
            assert gateway_took == ()
            if not self.sees_all_without_acknowledging:
                self.acknowledge(gateway, peer, one, view(10 + n, *alarms[:n], news=()))

    sees_all_without_acknowledging = True  # False: one alarm at a time, the next after its ack

    def acknowledge(self, gateway, peer, one, shown):
        """Let the peer acknowledge; returns the command that came of it."""
        peer.acknowledge(one)
        taken = []

        def came():
            taken.extend(gateway.take_commands())
            return bool(taken)

        self.until(gateway, shown, came)
        assert [(c.kind, c.alarm) for c in taken] == [(CommandKind.ACKNOWLEDGE, one.id)]
        return taken[0]

    def test_an_acknowledgement_becomes_a_command_with_a_name(self, gateway, peer):
        one = alarm(1)
        gateway.show(view(2, one))
        self.until(gateway, view(2, one, news=()), lambda: peer.seen() == [one.id])
        assert self.acknowledge(gateway, peer, one, view(2, one, news=())).by

    def test_a_peer_that_comes_later_learns_what_is_active(self, gateway):
        one = alarm(7)
        gateway.show(view(3, one))
        late = self.open_peer(gateway)
        try:
            self.until(gateway, view(4, one, news=()), lambda: late.seen() == [one.id])
        finally:
            late.close()

    tells_until_taken = False  # True: also what ended first, since its place has yet to come by

    def test_an_alarm_that_became_normal_is_not_told_to_newcomers(self, gateway):
        one = alarm(1)
        gateway.show(view(3, one))
        gone = replace(one, sequence=2, state=DefectState.END, condition=AlarmCondition.NORMAL)
        gateway.show(view(4, news=(gone,)))
        late = self.open_peer(gateway)
        try:
            self.until(gateway, view(5), lambda: late.beat() == 5)
            assert late.seen() == ([one.id] if self.tells_until_taken else [])
        finally:
            late.close()

    def test_a_peer_that_goes_may_come_again(self, gateway):
        first = self.open_peer(gateway)
        self.until(gateway, view(2), lambda: first.beat() == 2)
        first.close()
        second = self.open_peer(gateway)
        try:
            self.until(gateway, view(3), lambda: second.beat() == 3)
        finally:
            second.close()

    def test_a_peer_that_takes_nothing_delays_neither_the_stage_nor_other_peers(
        self, gateway, peer
    ):
        self.until(gateway, view(2), lambda: peer.beat() == 2)
        stalled = self.open_peer(gateway)
        stalled.stall()
        slowest_s = 0.0
        for n in range(200):
            one = alarm(n + 1)
            begin = time.monotonic()
            gateway.show(view(100 + n, one))
            slowest_s = max(slowest_s, time.monotonic() - begin)
        assert slowest_s < LONGEST_SHOW_S
        self.until(gateway, view(400), lambda: peer.beat() == 400)
        stalled.close()

    def test_before_anything_was_heard_nothing_is_valid(self, gateway):
        gateway.show(LineView(None, False, False))
        early = self.open_peer(gateway)
        try:
            assert not early.data_valid()
        finally:
            early.close()
