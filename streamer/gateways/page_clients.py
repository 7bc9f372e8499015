"""Peers that follow the operator page's events, each with a bounded queue; runs in one loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_CLIENTS = 32
MOST_WAITING = 64  # events; at ten a second a peer that is so far behind shows what is long past


@dataclass(eq=False, slots=True)
class Client:
    """One peer's events that it has not taken yet; `drop` ends its connection."""

    queue: asyncio.Queue[bytes]
    drop: Callable[[], None]


@dataclass(slots=True)
class Clients:
    """Who follows now. A slow peer is dropped, and no other notices; it may come again."""

    dropped: int = 0
    _clients: set[Client] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._clients)

    def add(self, first: Iterable[bytes], drop: Callable[[], None]) -> Client | None:
        """A new peer with what it must know first; None when there are too many."""
        if len(self._clients) >= MOST_CLIENTS:
            return None
        client = Client(asyncio.Queue(MOST_WAITING), drop)
        client.queue.put_nowait(b"".join(first))
        self._clients.add(client)
        return client

    def remove(self, client: Client) -> None:
        """The peer is gone; may be called twice."""
        self._clients.discard(client)

    def tell(self, events: bytes) -> None:
        """Hand events to everybody, and drop those whose queue is full."""
        for client in tuple(self._clients):
            try:
                client.queue.put_nowait(events)
            except asyncio.QueueFull:
                self.dropped += 1
                self._drop(client)

    def drop_all(self) -> None:
        """End every peer, as the server does."""
        for client in tuple(self._clients):
            self._drop(client)

    def _drop(self, client: Client) -> None:
        self.remove(client)
        client.drop()
