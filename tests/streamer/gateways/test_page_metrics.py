"""Metrics: base units, low cardinality, and nothing that is not of now."""

import re
from dataclasses import replace

from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as strict_families
from prometheus_client.parser import text_string_to_metric_families

from streamer.gateways.page_board import Shown
from streamer.gateways.page_metrics import line_registry
from streamer.line_ports import LineView
from streamer.line_status import StageView
from streamer.message import AlarmKind, Severity
from tests.streamer.gateways.contract import alarm, view

STAGE = StageView("score", "score-0", "running", "onnxruntime:CPU", 3, 4096, 250.0, {"mb": 5.0})


def told(shown):
    """Samples as a Prometheus of another make would read them: (name, labels) -> value."""
    text = generate_latest(line_registry(lambda: shown, tuple)).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def shown(silent_s=0.0, **changes):
    given = view(
        9,
        alarm(1, severity=Severity.HIGH),
        alarm(2, kind=AlarmKind.SYSTEM),
        stages=(STAGE,),
        figures={"inspected_px": 7.0, "light_percent": 80.0},
        not_inspected_m={"overload": 1.5},
        **changes,
    )
    return Shown(given, silent_s, 0.2, (("defect", 4),))


def test_the_stricter_format_of_openmetrics_is_kept_too():
    text = openmetrics.generate_latest(line_registry(shown, tuple)).decode()
    families = {one.name: one for one in strict_families(text)}
    assert families["linescan_state"].type == "stateset"
    assert families["linescan_stage"].type == "info"
    assert families["linescan_lines"].type == "counter"
    for name, one in families.items():
        assert name.startswith("linescan_")
        assert one.documentation.endswith(".")
        assert not re.search(r"_(ms|mm|min|percent|px)(_|$)|_total$", name)


def test_units_are_base_units():
    values = told(shown())
    assert values["linescan_web_speed_meters_per_second", ()] == 1.0
    assert values["linescan_lag_seconds", ()] == 0.12
    assert values["linescan_lag_meters", ()] == 0.12
    assert values["linescan_latency_p99_seconds", ()] == 0.2
    assert values["linescan_position_meters", ()] == 2.048
    assert values["linescan_actuator_meters", ()] == 2.0
    assert values["linescan_not_inspected_meters_total", (("reason", "overload"),)] == 1.5
    assert values["linescan_lines_total", (("result", "captured"),)] == 4096
    assert values["linescan_pixels_total", (("result", "inspected"),)] == 7
    assert values["linescan_figure", (("name", "light_percent"),)] == 80
    assert values["linescan_beats_total", ()] == 9
    assert values["linescan_beat_age_seconds", ()] == 0.2


def test_alarms_are_counted_and_none_is_a_label():
    values = told(shown())
    high = (("condition", "unacknowledged"), ("kind", "defect"), ("severity", "high"))
    assert values["linescan_alarms", high] == 1
    assert values["linescan_alarm_messages_total", (("kind", "defect"),)] == 4
    assert not any("roll-1" in str(labels) for _, labels in values)


def test_stages_show_their_age_queue_and_engine():
    values = told(shown())
    where = (("process", "score-0"), ("stage", "score"))
    assert values["linescan_stage_age_seconds", where] == 0.25
    assert values["linescan_stage_queue_depth", where] == 3
    info = (("backend", "onnxruntime:CPU"), *where[:1], ("stage", "score"), ("state", "running"))
    assert values["linescan_stage_info", info] == 1
    assert values["linescan_stage_figure", (("name", "mb"), *where)] == 5


def test_validity_and_state():
    values = told(shown())
    assert values["linescan_data_valid", ()] == 1
    assert values["linescan_state", (("linescan_state", "continuous_execution"),)] == 1
    assert values["linescan_state", (("linescan_state", "error"),)] == 0


def test_what_is_not_of_now_is_left_out_and_counts_stand():
    for silent in (
        shown(silent_s=3.0),
        replace(shown(), view=replace(shown().view, is_fresh=False)),
    ):
        values = told(silent)
        assert values["linescan_data_valid", ()] == 0
        assert values["linescan_sink_up", ()] == 0
        assert values["linescan_state", (("linescan_state", "error"),)] == 1
        assert ("linescan_lag_seconds", ()) not in values
        assert not any(name.startswith("linescan_stage") for name, _ in values)
        assert values["linescan_lines_total", (("result", "judged"),)] == 3584


def test_before_anything_was_heard_only_that_is_told():
    values = told(Shown(LineView(None, False, False), 0.0, float("inf")))
    assert values["linescan_data_valid", ()] == 0
    assert values["linescan_state", (("linescan_state", "preoperational"),)] == 1
    assert not any(name.startswith("linescan_lines") for name, _ in values)
