"""Links inside one process, for tests and for running the stages without sockets."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field

from streamer import wire


def _copy(message: object) -> object:
    """What the other side would see: through the wire format, arrays read-only."""
    return wire.decode([bytes(frame) for frame in wire.encode(message)])


@dataclass(slots=True)
class MemoryLink:
    """One end of a link; `outbox` is the other end's `inbox`. Holds at most `capacity`."""

    inbox: deque[object] = field(default_factory=deque)
    outbox: deque[object] = field(default_factory=deque)
    capacity: int = 1000

    def send(self, message: object) -> bool:
        """See ports.Outlet."""
        if len(self.outbox) >= self.capacity:
            return False
        self.outbox.append(_copy(message))
        return True

    def receive(self) -> object | None:
        """See ports.Inlet."""
        return self.inbox.popleft() if self.inbox else None

    def close(self) -> None:
        """Nothing to release."""


@dataclass(slots=True)
class MemorySwitchboard:
    """The bound end of many memory links."""

    inbox: deque[tuple[str, object]] = field(default_factory=deque)
    outboxes: dict[str, deque[object]] = field(default_factory=lambda: defaultdict(deque))
    gone: set[str] = field(default_factory=set)

    def connect(self, name: str) -> MemoryPeer:
        """The other end, known as `name`."""
        self.gone.discard(name)
        return MemoryPeer(self, name)

    def send(self, peer: str, message: object) -> bool:
        """See ports.Switchboard."""
        if peer in self.gone:
            return False
        self.outboxes[peer].append(_copy(message))
        return True

    def receive(self) -> tuple[str, object] | None:
        """See ports.Switchboard."""
        return self.inbox.popleft() if self.inbox else None

    def close(self) -> None:
        """Nothing to release."""


@dataclass(slots=True)
class MemoryPeer:
    """A link to a MemorySwitchboard."""

    board: MemorySwitchboard
    name: str

    def send(self, message: object) -> bool:
        """See ports.Outlet."""
        self.board.inbox.append((self.name, _copy(message)))
        return True

    def receive(self) -> object | None:
        """See ports.Inlet."""
        box = self.board.outboxes[self.name]
        return box.popleft() if box else None

    def close(self) -> None:
        """The switchboard can no longer reach this peer."""
        self.board.gone.add(self.name)
