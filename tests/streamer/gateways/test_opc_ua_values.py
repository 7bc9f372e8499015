"""What the variables say when all is well, when the sink is silent and when its gateway hangs."""

from dataclasses import replace

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from streamer.gateways.opc_ua_values import (
    DEGRADED,
    HEALTHY,
    LINE_VARIABLES,
    NO_DATA,
    SINK_VARIABLES,
    VARIABLES,
    Quality,
    Shown,
    line_values,
)
from streamer.line_ports import LineView
from streamer.line_status import RunState
from streamer.message import AlarmKind, DefectState
from tests.streamer.gateways.contract import alarm, view

UNHEARD = LineView(None, False, False)


def told(shown_view, is_live=True):
    return line_values(Shown(shown_view, is_live))


def test_every_name_is_there_once_with_a_type_and_a_text():
    names = [variable.name for variable in VARIABLES]
    assert len(set(names)) == len(names)
    assert set(told(view(1))) == set(names)
    assert all(variable.kind in ua.VariantType.__members__ for variable in VARIABLES)
    assert all(variable.text for variable in VARIABLES)


def test_a_line_that_inspects_is_good_throughout():
    values = told(view(7))
    assert {quality for _, quality in values.values()} == {Quality.GOOD}
    assert values["Heartbeat"][0] == 7
    assert values["DataValid"][0] is True
    assert values["NotInspectedActive"][0] is False
    assert values["Reason"][0] == ""
    assert (values["Speed"][0], values["LatencyP99"][0]) == (60.0, 200.0)
    assert values["JudgedPosition"][0] == pytest.approx(2048 * 3584 / 4096)


def test_before_anything_was_heard_nothing_has_a_value_but_what_is_known_here():
    values = told(UNHEARD)
    for sink in SINK_VARIABLES:
        assert values[sink.name] == (None, Quality.UNHEARD)
    for line in LINE_VARIABLES:
        assert values[line.name][1] is Quality.GOOD
    assert values["RunState"][0] == "preoperational"
    assert values["NotInspectedActive"][0] is True
    assert "nothing was heard" in values["Reason"][0]


@pytest.mark.parametrize(
    ("shown_view", "is_live", "quality", "reason"),
    [
        (replace(view(3), is_fresh=False), True, Quality.SILENT, "the sink is silent"),
        (view(3), False, Quality.HUNG, "the gateway's own process stands still"),
        (replace(view(3), is_fresh=False), False, Quality.HUNG, "stands still"),
    ],
    ids=["silent", "hung", "both"],
)
def test_a_value_that_nobody_renews_keeps_and_says_so(shown_view, is_live, quality, reason):
    values = told(shown_view, is_live)
    assert values["Heartbeat"] == (3, quality)
    assert values["Position"] == (2048.0, quality)
    assert values["DataValid"] == (False, Quality.GOOD)
    assert values["NotInspectedActive"] == (True, Quality.GOOD)
    assert values["RunState"] == ("error", Quality.GOOD)
    assert reason in values["Reason"][0]


def test_an_ended_roll_stays_right_though_its_sink_is_gone():
    ended = replace(view(9, state=RunState.HALTED, data_valid=False), is_fresh=False)
    values = told(ended)
    assert values["Defects"] == (0, Quality.GOOD)
    assert values["RunState"][0] == "halted"
    assert values["NotInspectedActive"][0] is False
    assert values["DataValid"][0] is False


def test_a_blind_line_that_speaks_is_good_and_says_why():
    blind = view(3, data_valid=False, reason="camera cam0 is away", not_inspected_active=True)
    values = told(blind)
    assert values["Speed"][1] is Quality.GOOD
    assert values["DataValid"][0] is False
    assert values["NotInspectedActive"][0] is True
    assert values["Reason"][0] == "camera cam0 is away"


def test_out_of_specification_lasts_until_its_alarm_has_ended():
    late = alarm(1, kind=AlarmKind.SYSTEM, signal="out_of_specification")
    assert told(view(1, late))["OutOfSpecification"][0] is True
    over = replace(late, state=DefectState.END)
    assert told(view(1, over))["OutOfSpecification"][0] is False
    assert told(view(1, alarm(1)))["OutOfSpecification"][0] is False


@pytest.mark.parametrize(
    ("shown", "level"),
    [
        (Shown(view(1), is_live=True), HEALTHY),
        (Shown(view(1, data_valid=False), is_live=True), DEGRADED),
        (Shown(view(1), is_live=False), NO_DATA),
        (Shown(UNHEARD, is_live=True), NO_DATA),
    ],
)
def test_a_client_with_a_choice_takes_the_server_that_sees(shown, level):
    assert shown.service_level == level


@given(
    beat=st.integers(0, 2**40),
    last=st.integers(0, 2**40),
    is_fresh=st.booleans(),
    is_live=st.booleans(),
    state=st.sampled_from(RunState),
    data_valid=st.booleans(),
)
def test_whatever_the_line_does_values_fit_their_types_and_doubt_is_blind(
    beat, last, is_fresh, is_live, state, data_valid
):
    changed = view(beat, last_line=last, state=state, data_valid=data_valid)
    values = told(replace(changed, is_fresh=is_fresh), is_live)
    for variable in VARIABLES:
        value, quality = values[variable.name]
        kind = ua.VariantType[variable.kind]
        assert len(ua.ua_binary.variant_to_binary(ua.Variant(value, kind))) > 1
        assert quality is not Quality.UNHEARD
    assert values["DataValid"][0] == (is_fresh and is_live and data_valid)
    if not is_live:
        assert values["NotInspectedActive"][0]
