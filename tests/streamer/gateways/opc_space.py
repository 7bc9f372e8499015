"""An address space without a socket, for tests of what is in it."""

import asyncio
import contextlib
import gc
from dataclasses import dataclass
from typing import Any

from asyncua import Server, ua

from streamer.gateways.opc_ua_nodes import LineNodes, add_line


@dataclass
class Space:
    """A server that listens nowhere, with the line in it; `run` runs a coroutine to its end."""

    loop: asyncio.AbstractEventLoop
    server: Server
    nodes: LineNodes | None = None

    def run(self, work) -> Any:
        return self.loop.run_until_complete(work)

    def node(self, name):
        return self.server.get_node(ua.NodeId(name, self.nodes.index))

    def read(self, name):
        """(value, name of its status)."""
        told = self.server.read_attribute_value(self.node(f"Line.{name}").nodeid)
        return told.Value.Value, told.StatusCode.name


@contextlib.contextmanager
def space():
    loop = asyncio.new_event_loop()
    gc.disable()  # twice as fast
    try:
        made = Space(loop, loop.run_until_complete(_server()))
        made.nodes = made.run(add_line(made.server))
        yield made
    finally:
        gc.enable()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _server():
    server = Server()
    await server.init()
    return server
