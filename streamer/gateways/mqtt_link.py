"""The connection to a broker, in a thread of its own; knows no line and no alarm."""

from __future__ import annotations

import logging
import select
import socket
import ssl
import time
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from streamer.gateways.mqtt_access import client_id

if TYPE_CHECKING:
    from paho.mqtt.client import ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from streamer.gateway_sections import MqttGateway
    from streamer.gateways.mqtt_access import Access
    from streamer.gateways.mqtt_messages import Message
    from streamer.gateways.mqtt_outbox import Outbox

_LOG = logging.getLogger(__name__)
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0
STEADY_S = 5.0  # What ends sooner, as when two clients have one name, is begun ever more rarely.
CONNECT_S = 3.0
TURN_S = 0.1  # Nothing is due more often than this while nothing comes.
LONGEST_FAREWELL_S = 1.0
ENDED = "the gateway has ended"


@dataclass(slots=True)
class MqttLink:
    """Connects, tells what the outbox holds, hears commands; again and again until it is ended.

    One message with a receipt is under way at a time. So nothing overtakes anything when the
    connection breaks, and at most one message comes twice (QoS 1 promises no more). Every
    connection has a client and a session of its own: commands that were sent while nobody listened
    are not carried out later.
    """

    settings: MqttGateway
    access: Access
    outbox: Outbox
    ending: Event = field(default_factory=Event)
    _is_connected: bool = False
    _is_greeted: bool = False
    _under_way: int | None = None
    _said: str = ""
    _wake: tuple[socket.socket, socket.socket] = field(default_factory=socket.socketpair)

    def __post_init__(self) -> None:
        for end in self._wake:
            end.setblocking(False)

    def wake(self) -> None:
        """Something is to be told, or to end."""
        try:
            self._wake[1].send(b"\0")
        except BlockingIOError:  # it is awake
            return

    def run(self) -> None:
        """Serve until `ending` is set; then say goodbye, if somebody is there."""
        pause_s = FIRST_PAUSE_S
        while not self.ending.is_set():
            if self._serve():
                pause_s = FIRST_PAUSE_S
            self.ending.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def release(self) -> None:
        """Close what wakes, once `run` has returned."""
        for end in self._wake:
            end.close()

    def _serve(self) -> bool:
        """One connection from its beginning to its end; whether it lasted."""
        client = self._client()
        self._is_connected, self._is_greeted, self._under_way = False, False, None
        try:
            client.connect(self.settings.host, self.settings.broker_port, self.settings.keepalive_s)
        except (OSError, UnicodeError) as error:  # UnicodeError: no such name can be
            self._say(f"cannot reach {self._broker}: {error}")
            return False
        _send_at_once(client)
        begin_s = time.monotonic()
        while client.socket() is not None and not self.ending.is_set():
            if not self._is_connected and time.monotonic() - begin_s > CONNECT_S:
                self._say(f"{self._broker} does not answer")
                break
            self._tell(client)
            self._turn(client)
        if self._is_greeted:
            self._say_goodbye(client)
        _abandon(client)
        return self._is_greeted and time.monotonic() - begin_s > STEADY_S

    def _client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2, client_id(self.settings), reconnect_on_failure=False
        )
        client.connect_timeout = CONNECT_S
        client.username_pw_set(self.access.user, self.access.password)
        if self.access.context is not None:
            client.tls_set_context(self.access.context)
        will = self.outbox.topics.available(is_online=False)
        client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def _on_connect(
        self, client: Client, _: object, flags: ConnectFlags, code: ReasonCode, more: object
    ) -> None:
        del flags, more
        if code.is_failure:
            self._say(f"{self._broker} refuses the connection: {code}")
            return
        self._say(f"connected to {self._broker}", logging.INFO)
        self._is_connected = True

    def _on_disconnect(
        self, client: Client, _: object, flags: DisconnectFlags, code: ReasonCode, more: object
    ) -> None:
        del client, flags, more
        if self._is_connected and not self.ending.is_set():
            self._say(f"lost {self._broker}: {code}")
        self._is_connected = False

    def _on_publish(
        self, client: Client, _: object, mid: int, code: ReasonCode, more: Properties
    ) -> None:
        del client, code, more
        if mid == self._under_way:
            self._under_way = None
            self.outbox.done()

    def _on_message(self, client: Client, _: object, message: MQTTMessage) -> None:
        del client
        is_open = self.settings.commands == "on"
        self.outbox.ask(bytes(message.payload), is_retained=message.retain, is_open=is_open)

    def _greet(self, client: Client) -> None:
        """Say how the line stands, then that it is this gateway that says so.

        What an earlier life left in the broker must not hold once this one is online.
        """
        self.outbox.begin()
        client.subscribe(self.outbox.topics.command, qos=1)
        state = self.outbox.next_state()
        if state is not None:
            _publish(client, state)
        self._under_way = _publish(client, self.outbox.topics.available(is_online=True))
        self._is_greeted = True

    def _tell(self, client: Client, fault: str = "") -> None:
        """Hand over what is due, unless earlier bytes still wait for the broker to take them."""
        if not self._is_connected or client.want_write():
            return
        if not self._is_greeted:
            self._greet(client)
            return
        state = self.outbox.next_state(fault)
        if state is not None:
            _publish(client, state)
        if self._under_way is None and not client.want_write():
            message = self.outbox.next_message()
            if message is not None:
                self._under_way = _publish(client, message)

    def _turn(self, client: Client) -> None:
        """Read and write what can be; returns after a while, or as soon as something happens."""
        connection = client.socket()
        if connection is None:
            return
        waits = isinstance(connection, ssl.SSLSocket) and connection.pending()
        writes = [connection] if client.want_write() else []
        readable, writable, _ = select.select(
            [connection, self._wake[0]], writes, [], 0 if waits else TURN_S
        )
        if self._wake[0] in readable:
            self._wake[0].recv(4096)
        if waits or connection in readable:
            client.loop_read()
        if connection in writable:
            client.loop_write()
        client.loop_misc()

    def _say_goodbye(self, client: Client) -> None:
        """Tell what waits, as far as time allows, then that nobody stands behind it any more."""
        end_s = time.monotonic() + LONGEST_FAREWELL_S
        while self._goes_on(client, end_s) and (self.outbox.waiting or self._under_way is not None):
            self._tell(client, ENDED)
            self._turn(client)
        if not self._is_connected:
            return
        self._tell(client, ENDED)
        self._under_way = _publish(client, self.outbox.topics.available(is_online=False))
        while self._goes_on(client, end_s) and self._under_way is not None:
            self._turn(client)
        client.disconnect()

    def _goes_on(self, client: Client, end_s: float) -> bool:
        return self._is_connected and client.socket() is not None and time.monotonic() < end_s

    @property
    def _broker(self) -> str:
        return f"the broker at {self.settings.host}:{self.settings.broker_port}"

    def _say(self, text: str, level: int = logging.WARNING) -> None:
        """Log it, once while it goes on."""
        if text != self._said:
            _LOG.log(level, "%s", text)
        self._said = text


def _publish(client: Client, message: Message) -> int:
    """The number by which its receipt is known."""
    return client.publish(message.topic, message.payload, message.qos, message.retain).mid


def _send_at_once(client: Client) -> None:
    """Without this an alarm after a state waits 40 ms for its receipt (Nagle and delayed ACK)."""
    connection = client.socket()
    if isinstance(connection, socket.socket):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _abandon(client: Client) -> None:
    """Close the connection whatever its state; the broker then tells the last will, if it is due.

    Only `disconnect` takes back the last will, and it has been said before.
    """
    connection = client.socket()
    if connection is not None:
        connection.close()
