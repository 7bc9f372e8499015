"""What the registers say of a line and of an alarm, by name; pure: knows no address or socket."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from streamer.gateways.modbus_registers import (
    CONDITIONS,
    DEFECT_STATES,
    KINDS,
    MAP_VERSION,
    RUN_STATES,
    SEVERITIES,
    SIGNALS,
)
from streamer.line_status import RunState
from streamer.message import DefectState

if TYPE_CHECKING:
    from streamer.gateways.modbus_queue import Shown
    from streamer.line_ports import LineView
    from streamer.line_status import LineStatus

OUT_OF_SPECIFICATION = "out_of_specification"
BLIND: dict[str, float] = {  # whatever was valid, a PLC that reads this must reject
    "run_state": RUN_STATES[RunState.ERROR],
    "ready": 0,
    "data_valid": 0,
    "not_inspected_active": 1,
}
UNHEARD: dict[str, float] = {
    **BLIND,
    "map_version": MAP_VERSION,
    "run_state": RUN_STATES[RunState.PREOPERATIONAL],
}
_READY = (RunState.READY, RunState.CONTINUOUS_EXECUTION)
_NS_PER_MS = 1e6
_BEATS = 65_536


def line_values(view: LineView) -> dict[str, float]:
    """How the line stands; blind where nothing is known."""
    if view.status is None:
        return dict(UNHEARD)
    is_silent = not view.is_fresh and view.state is not RunState.HALTED
    return {
        **_status_values(view.status),
        "map_version": MAP_VERSION,
        "run_state": RUN_STATES[view.state],
        "ready": view.is_fresh and view.state in _READY,
        "data_valid": view.data_valid,
        "not_inspected_active": is_silent or view.status.not_inspected_active,
        "out_of_specification": _is_out_of_specification(view),
    }


def alarm_values(shown: Shown, now_ns: int) -> dict[str, float]:
    """An alarm; its place is rounded so that no part of it is left out."""
    alarm, region = shown.alarm, shown.alarm.region
    first, end = math.floor(region.down_first), math.ceil(region.down_end)
    return {
        "alarm_active": 1,
        "alarm_seq": shown.number,
        "alarm_message": alarm.sequence,
        "alarm_kind": KINDS[alarm.kind],
        "alarm_severity": SEVERITIES[alarm.severity],
        "alarm_state": DEFECT_STATES[alarm.state],
        "alarm_condition": CONDITIONS[alarm.condition],
        "alarm_signal": SIGNALS.get(alarm.signal, 0),
        "alarm_peak": 100 * alarm.peak,
        "alarm_pos_first_mm": first,
        "alarm_pos_end_mm": end,
        "alarm_length_mm": end - first,
        "alarm_cross_first_mm": math.floor(region.cross_first),
        "alarm_cross_end_mm": math.ceil(region.cross_end),
        "alarm_encoder_first": alarm.encoder_first,
        "alarm_encoder_end": alarm.encoder_end,
        "alarm_travel_mm": math.ceil(alarm.travel_mm),
        "alarm_age_ms": (now_ns - alarm.captured_ns) / _NS_PER_MS if alarm.captured_ns else 0,
    }


def _is_out_of_specification(view: LineView) -> bool:
    """Whether a system alarm says so that is not over, whoever has acknowledged or shelved it."""
    return any(
        alarm.signal == OUT_OF_SPECIFICATION and alarm.state is not DefectState.END
        for alarm in view.alarms
    )


def _status_values(status: LineStatus) -> dict[str, float]:
    judged = status.judged_line / status.last_line if status.last_line else 0.0
    return {
        "heartbeat": status.beat % _BEATS,
        "speed": 10 * status.speed_m_min,
        "position_mm": status.position_mm,
        "judged_mm": status.position_mm * judged,
        "encoder": status.encoder,
        "lag_ms": status.lag_ms,
        "lag_mm": status.lag_mm,
        "latency_p99_mm": math.ceil(status.latency_p99_mm),
        "actuator_mm": status.actuator_mm,
        "defects": status.defects,
        "active_alarms": status.active_alarms,
        "unacknowledged": status.unacknowledged,
        "config_digest": _first_bits(status.config_digest),
        "model_digest": _first_bits(status.model_digest),
    }


def _first_bits(digest: str) -> int:
    """First 32 bits of a digest in hexadecimal; 0 when there is none."""
    try:
        return int(digest[:8] or "0", 16)
    except ValueError:
        return 0
