"""Where verdicts go: alarms, the roll map, the defect log, pictures and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.config import Alarms
    from streamer.ports import AlarmOutput


def open_alarm_outputs(settings: Alarms) -> tuple[AlarmOutput, ...]:
    """Every alarm output that the configuration asks for; close each of them.

    Raises:
        OSError: an endpoint cannot be bound; the text names it.
    """
    from streamer.outputs.zmq_alarms import ZmqAlarms

    return (ZmqAlarms(settings.publish, settings.snapshot),)
