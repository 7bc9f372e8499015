"""The line through an MQTT broker: retained state, alarms, commands; decides nothing."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING

from streamer.gateways.mqtt_access import read_access
from streamer.gateways.mqtt_link import MqttLink
from streamer.gateways.mqtt_messages import Topics
from streamer.gateways.mqtt_outbox import Outbox

if TYPE_CHECKING:
    from streamer.gateway_sections import MqttGateway
    from streamer.line_ports import LineView
    from streamer.line_status import Command

LONGEST_CLOSE_S = 1.8


class Mqtt:
    """Tells a broker how the line stands; see line_ports.Gateway.

    Below the configured prefix: `availability` and `state` say together whether web is inspected;
    `alarms/KIND` has every message in order; `active` what a newcomer must know; `command` is
    heard, and `answer` says what came of it. Who subscribes takes (publisher, sequence) once: after
    a lost connection one message may come again, and after a start all that is active does.
    """

    def __init__(self, settings: MqttGateway) -> None:
        """Begin to connect; the broker need not be there yet.

        Raises:
            OSError: password or certificates cannot be read; the text names them.
            ValueError: the password is empty.
        """
        self._settings = settings
        topics = Topics(settings.prefix)
        self._outbox = Outbox(topics, settings.most_waiting, settings.interval_s)
        self._link = MqttLink(settings, read_access(settings), self._outbox)
        self._thread = Thread(target=self._link.run, name="mqtt", daemon=True)
        self._thread.start()
        self._is_closed = False

    @property
    def lost(self) -> int:
        """Alarm messages that nobody was told, because too many waited."""
        return self._outbox.lost

    def show(self, view: LineView) -> None:
        """Hand over the present state; returns at once.

        Raises:
            OSError: the thread has ended.
        """
        if not self._thread.is_alive():
            msg = f"the MQTT client of {self._settings.host} must run, got: its thread has ended"
            raise OSError(msg)
        self._outbox.show(view)
        self._link.wake()

    def take_commands(self) -> tuple[Command, ...]:
        """What was asked for through the broker."""
        return self._outbox.take_commands()

    def close(self) -> None:
        """Say goodbye within two seconds; may be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        self._link.ending.set()
        self._link.wake()
        self._thread.join(LONGEST_CLOSE_S)
        if not self._thread.is_alive():
            self._link.release()
