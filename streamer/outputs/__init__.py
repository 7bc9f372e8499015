"""Where verdicts go: alarms, the roll map, the defect log, pictures and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.config import Alarms
    from streamer.outputs.zmq_alarms import ZmqAlarms


def open_zmq_alarms(settings: Alarms) -> ZmqAlarms:
    """The endpoints that everybody follows: alarms, status and commands; close it.

    Raises:
        OSError: an endpoint cannot be bound; the text names it.
    """
    from streamer.outputs.zmq_alarms import ZmqAlarms

    return ZmqAlarms(settings.publish, settings.snapshot)
