"""What a line and an alarm become in registers, whatever they hold."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.gateways.modbus_queue import Shown
from streamer.gateways.modbus_registers import RUN_STATES, decode, encode
from streamer.gateways.modbus_values import BLIND, UNHEARD, alarm_values, line_values
from streamer.line_ports import LineView
from streamer.line_status import RunState
from streamer.message import AlarmCondition, AlarmKind, DefectState, RegionMm, Severity
from tests.streamer.gateways.contract import alarm, status, view

PLACES = st.floats(0, 4e6)
NOW_NS = 1_700_000_000_000_000_000


def shown(view_):
    return decode(encode(line_values(view_)))


def test_a_line_that_inspects():
    told = shown(view(70_000, speed_m_min=61.26, latency_p99_mm=200.2))
    assert told["heartbeat"] == 70_000 % 65_536
    assert (told["ready"], told["data_valid"], told["not_inspected_active"]) == (1, 1, 0)
    assert told["speed"] == 613
    assert told["latency_p99_mm"] == 201  # up: a way must not look shorter than it is
    assert (told["position_mm"], told["judged_mm"]) == (2048, 1792)
    assert (told["lag_ms"], told["lag_mm"], told["actuator_mm"]) == (120, 120, 2000)
    assert told["config_digest"] == 0xCCCCCCCC
    assert told["model_digest"] == 0  # that of the test is no number


@pytest.mark.parametrize("state", RunState)
def test_every_state_has_its_code_and_two_are_ready(state):
    told = shown(view(1, state=state))
    assert told["run_state"] == RUN_STATES[state]
    assert told["ready"] == (state in (RunState.READY, RunState.CONTINUOUS_EXECUTION))


def test_silence_is_an_error_and_the_heartbeat_stays():
    told = shown(replace(view(9), is_fresh=False))
    assert told["heartbeat"] == 9
    assert {name: told[name] for name in BLIND} == BLIND


def test_silence_after_the_end_of_a_roll_is_none():
    ended = view(9, state=RunState.HALTED, data_valid=False)
    told = shown(replace(ended, is_fresh=False))
    assert told["run_state"] == RUN_STATES[RunState.HALTED]
    assert (told["data_valid"], told["not_inspected_active"], told["ready"]) == (0, 0, 0)


def test_before_anything_was_heard_nothing_is_valid():
    assert line_values(LineView(None, False, False)) == UNHEARD


@pytest.mark.parametrize(
    ("signal", "state", "flag"),
    [
        ("out_of_specification", DefectState.NEW, 1),
        ("out_of_specification", DefectState.END, 0),
        ("failure", DefectState.NEW, 0),
    ],
)
def test_out_of_specification_while_a_system_alarm_says_so(signal, state, flag):
    one = alarm(
        1,
        kind=AlarmKind.SYSTEM,
        signal=signal,
        state=state,
        condition=AlarmCondition.SHELVED,  # whoever has put it aside, the line is still late
    )
    assert shown(view(1, one))["out_of_specification"] == flag


@given(PLACES, PLACES, PLACES, PLACES)
def test_no_part_of_a_defect_is_left_out(down, length, cross, width):
    region = RegionMm(down, down + length, cross, cross + width)
    told = decode(encode(alarm_values(Shown(5, alarm(1, region=region)), NOW_NS)))
    assert told["alarm_pos_first_mm"] <= region.down_first
    assert told["alarm_pos_end_mm"] == math.ceil(region.down_end)
    assert told["alarm_length_mm"] == told["alarm_pos_end_mm"] - told["alarm_pos_first_mm"]
    assert told["alarm_cross_first_mm"] <= region.cross_first
    assert told["alarm_cross_end_mm"] >= region.cross_end


@given(st.sampled_from(AlarmKind), st.sampled_from(Severity), st.sampled_from(AlarmCondition))
def test_no_code_of_an_alarm_is_that_of_none(kind, severity, condition):
    one = alarm(1, kind=kind, severity=severity, condition=condition)
    told = decode(encode(alarm_values(Shown(5, one), NOW_NS)))
    names = ("alarm_kind", "alarm_severity", "alarm_condition", "alarm_state", "alarm_active")
    assert 0 not in [told[name] for name in names]
    assert (told["alarm_seq"], told["alarm_message"], told["alarm_peak"]) == (5, 1, 170)


def test_age_counts_from_the_capture_and_is_none_of_what_was_not_captured():
    told = alarm_values(Shown(1, alarm(1)), NOW_NS)
    assert told["alarm_age_ms"] == 100
    assert alarm_values(Shown(1, alarm(1, captured_ns=0)), NOW_NS)["alarm_age_ms"] == 0


@given(st.integers(0, 10**12), st.floats(0, 1e12), st.text(max_size=64))
def test_whatever_a_status_holds_is_shown(count, number, digest):
    told = status(last_line=count, judged_line=count, encoder=-count, position_mm=number)
    told = replace(told, config_digest=digest, speed_m_min=number, beat=count)
    assert decode(encode(line_values(LineView(told, True, True))))["heartbeat"] == count % 65_536
