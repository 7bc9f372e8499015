"""An OPC UA client in a process of its own, ordered about by lines of JSON; knows no product code.

It is the client of the library that the gateway serves with: no second implementation is to be had
as a small package. What both sides of that library get wrong together is not seen by it.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading

TIMEOUT_S = 30.0
NAMESPACE = "urn:linescan:line"
EVENT = "LineAlarmEventType"


class RefusedError(Exception):
    """The server said no; the text begins with the name of the status."""


class ClientProcess:
    """Runs this file as a program; `ask` gives what it answers."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._count = 0

    def ask(self, do, **more):
        """One order and its answer, within TIMEOUT_S."""
        watchdog = threading.Timer(TIMEOUT_S, self._process.kill)
        watchdog.start()
        try:
            self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        assert line, f"the client died of {do} {more}"
        answer = json.loads(line)
        if "refused" in answer:
            raise RefusedError(answer["refused"])
        return answer["said"]

    def open(self, port, **more):
        """A session of its own; `security` as asyncua's set_security_string takes it."""
        self._count += 1
        peer = Session(self, self._count)
        self.ask("open", peer=peer.number, url=f"opc.tcp://127.0.0.1:{port}/", **more)
        return peer

    def attack(self, do, port, **more):
        """One of the attacks of _Attacker; what the server let it do, if anything."""
        return self.ask(do, peer="attacker", url=f"opc.tcp://127.0.0.1:{port}/", **more)

    def freeze(self):
        """Stay connected and take nothing more."""
        self._process.send_signal(signal.SIGSTOP)

    def close(self):
        """Kill it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGCONT)
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


class Session:
    """One connection."""

    def __init__(self, process, number):
        self._process, self.number = process, number

    def read(self, *names):
        """(value, name of its status) of nodes by their paths below the line, of one request."""
        return [tuple(one) for one in self._ask("read", names=names)]

    def value(self, name):
        """A value, whatever its status."""
        return self.read(name)[0][0]

    def status(self, name):
        """The name of a value's status."""
        return self.read(name)[0][1]

    def call(self, method, *args):
        """Name of the status; RefusedError when it is bad."""
        return self._ask("call", method=method, args=args)

    def write(self, name, value):
        """Try to write."""
        return self._ask("write", name=name, value=value)

    def events(self):
        """Fields of all events so far."""
        return self._ask("events")

    def watch(self, *names):
        """Subscribe to values; `changes` gives what came."""
        return self._ask("watch", names=names)

    def changes(self):
        """(name, value) of all changes so far."""
        return [tuple(one) for one in self._ask("changes")]

    def endpoints(self):
        """(policy, mode) of what the server offers."""
        return self._ask("endpoints")

    def drop(self):
        """Go away without a word."""
        return self._ask("drop")

    def _ask(self, do, **more):
        return self._process.ask(do, peer=self.number, **more)


class _Session:
    """The other side of Session, in the program."""

    def __init__(self):
        self.fields, self.values = [], []

    def event_notification(self, event):
        fields = vars(event)
        self.fields.append({name: _plain(fields[name]) for name in fields if name[0].isupper()})

    def datachange_notification(self, node, value, _data):
        self.values.append((node.nodeid.Identifier, _plain(value)))

    def status_change_notification(self, _status):
        pass

    async def open(self, url, security="", emitter="Line"):
        from asyncua import Client, ua

        self.client = Client(url, timeout=20)
        self.client.description = "test"
        if security:
            await self.client.set_security_string(security)
        await self.client.connect()
        self.index = await self.client.get_namespace_index(NAMESPACE)
        kind = await self.client.nodes.base_event_type.get_child(f"{self.index}:{EVENT}")
        self.subscription = await self.client.create_subscription(50, self)
        line = self.node("") if emitter == "Line" else self.client.get_node(ua.ObjectIds.Server)
        await self.subscription.subscribe_events(line, kind)

    def node(self, name):
        return self.client.get_node(f"ns={self.index};s=Line{'.' * bool(name)}{name}")

    async def read(self, names):
        from asyncua import ua

        nodes = [self.node(name) for name in names]
        told = await self.client.read_attributes(nodes, ua.AttributeIds.Value)
        return [(_plain(one.Value and one.Value.Value), one.StatusCode.name) for one in told]

    async def call(self, method, args):
        from asyncua import ua

        request = ua.CallMethodRequest(self.node("").nodeid, self.node(method).nodeid)
        request.InputArguments = [ua.Variant(one) for one in args]
        result = (await self.client.uaclient.call([request]))[0]
        result.StatusCode.check()
        return result.StatusCode.name

    async def write(self, name, value):
        await self.node(name).write_value(value)

    async def events(self):
        return self.fields

    async def watch(self, names):
        await self.subscription.subscribe_data_change([self.node(name) for name in names])

    async def changes(self):
        return self.values

    async def endpoints(self):
        found = await self.client.get_endpoints()
        return [(one.SecurityPolicyUri, one.SecurityMode.name) for one in found]

    async def drop(self):
        self.client.uaclient.protocol.transport.abort()


class _Attacker:
    """What no client of good will does."""

    async def come_without_security(self, url, certificate=""):
        client = await self._connected(url)
        with _showing(bytes.fromhex(certificate)):
            await client.open_secure_channel()
        return await self._enter(client)

    async def take_over_a_session(self, url, token, security="", opens=True):
        from asyncua import ua
        from asyncua.ua.uaerrors import UaError

        client = await self._connected(url, security)
        if opens:
            await client.open_secure_channel()
        client.uaclient.protocol.authentication_token = ua.NodeId(token)
        with contextlib.suppress(UaError, TimeoutError, ConnectionError):
            await client.uaclient.activate_session(ua.ActivateSessionParameters())
        return await self._look(client)

    async def ask_without_reading(self, url, count):
        client = await self._connected(url)
        await client.open_secure_channel()
        await self._enter(client)
        index = await client.get_namespace_index(NAMESPACE)
        nodes = [client.get_node(f"ns={index};s=Line.ConfigDigest")] * 900
        transport = client.uaclient.protocol.transport
        transport.pause_reading()
        wire = transport.get_extra_info("socket")
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        asks = [client.read_values(nodes) for _ in range(count)]
        _KEPT.extend([client, asyncio.gather(*asks, return_exceptions=True)])
        await asyncio.sleep(0.1)
        return "it asked"

    async def _enter(self, client):
        from asyncua import ua

        wanted = ua.CreateSessionParameters(RequestedSessionTimeout=60_000)
        wanted.ClientDescription.ApplicationUri = "urn:attacker"
        wanted.EndpointUrl = client.server_url.geturl()
        await client.uaclient.create_session(wanted)
        await client.uaclient.activate_session(ua.ActivateSessionParameters())
        return await self._look(client)

    async def _look(self, client):
        from asyncua import ua

        node = client.get_node(ua.ObjectIds.Server_ServerStatus_CurrentTime)
        return f"it read {await node.read_value()}"

    async def _connected(self, url, security=""):
        from asyncua import Client

        client = Client(url, timeout=5)
        if security:
            await client.set_security_string(security)
        await client.connect_socket()
        await client.send_hello()
        return client


_KEPT = []  # what must live on though nobody waits for it


@contextlib.contextmanager
def _showing(certificate):
    """Send a certificate with a request that is signed by nobody."""
    from unittest.mock import patch

    from asyncua import ua
    from asyncua.common import connection

    write = connection.struct_to_binary

    def writing(part):
        if isinstance(part, ua.AsymmetricAlgorithmHeader):
            part.SenderCertificate = certificate or None
        return write(part)

    with patch.object(connection, "struct_to_binary", writing):
        yield


def _plain(value):
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return getattr(value, "Text", None) or getattr(value, "Identifier", None) or str(value)


async def _answer(sessions, order):
    from asyncua.ua.uaerrors import UaError

    do, peer = order.pop("do"), order.pop("peer")
    session = _Attacker() if peer == "attacker" else sessions.setdefault(peer, _Session())
    try:
        return {"said": await getattr(session, do)(**order)}
    except (UaError, ConnectionError, TimeoutError) as error:
        return {"refused": f"{type(error).__name__}: {error}"}


async def _main():
    import logging

    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    sessions, loop = {}, asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        answer = await _answer(sessions, json.loads(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main())
