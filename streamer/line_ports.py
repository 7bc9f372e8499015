"""What the stages expect of those who follow the line, and those of the sink; names no class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from streamer.line_status import RunState

if TYPE_CHECKING:
    from streamer.alarm_book.state import BookState
    from streamer.line_status import Command, CommandAnswer, LineStatus, MapRows
    from streamer.message import Alarm


class AlarmOutput(Protocol):
    """Publishes alarms; never blocks the sink, and says nothing about who listens."""

    def publish(self, alarm: Alarm) -> None:
        """Hand over one alarm."""
        ...

    def poll(self) -> None:
        """Answer peers that wait (snapshot requests); returns at once."""
        ...

    def close(self) -> None:
        """Flush within a bounded time and release; may be called twice."""
        ...


class AlarmMemory(Protocol):
    """What the alarm book knows, over a restart; never blocks the sink for long.

    Raises OSError when it cannot be kept for now: the next commit keeps what is due.
    """

    def publish(self, alarm: Alarm) -> None:
        """Take a message for the history; kept by the next commit."""
        ...

    def commit(self, state: BookState) -> None:
        """Keep the book, and what was published since the last commit."""
        ...

    def close(self) -> None:
        """Release; may be called twice."""
        ...


class LinePeers(Protocol):
    """Whoever follows the line: told how it stands, and heard; never blocks the sink.

    Says nothing about who listens; raises OSError when it cannot tell.
    """

    @property
    def publisher(self) -> str:
        """Names this life of the sink."""
        ...

    def tell(self, status: LineStatus) -> None:
        """Hand over how the line stands."""
        ...

    def show_rows(self, rows: MapRows) -> None:
        """Hand over rows of the live map."""
        ...

    def take_commands(self) -> tuple[tuple[list[bytes], Command], ...]:
        """What was asked for since the last call, each with the address of who asked."""
        ...

    def answer(self, address: list[bytes], answer: CommandAnswer) -> None:
        """Tell who asked whether it was done."""
        ...


@dataclass(frozen=True, slots=True)
class LineView:
    """The line as a gateway shows it to its peers.

    `status` is the sink's latest, None before the first; `is_fresh`: it is not older than five of
    its intervals. `alarms` are all that are not normal, by sequence, right once `is_synchronised`;
    `news` what changed since the view before, oldest first; `rows` the live map's; `answers` those
    to the gateway's commands.
    """

    status: LineStatus | None
    is_fresh: bool
    is_synchronised: bool
    alarms: tuple[Alarm, ...] = ()
    news: tuple[Alarm, ...] = ()
    rows: tuple[MapRows, ...] = ()
    answers: tuple[CommandAnswer, ...] = ()

    @property
    def data_valid(self) -> bool:
        """Whether web is being inspected, as far as is known now."""
        return self.is_fresh and self.status is not None and self.status.data_valid

    @property
    def reason(self) -> str:
        """Why the data is not valid; "" when it is."""
        if self.status is None:
            return "nothing was heard of the sink yet"
        return self.status.reason if self.is_fresh else "the sink is silent"

    @property
    def state(self) -> RunState:
        """The sink's; ERROR when it is silent though its roll has not ended."""
        if self.status is None:
            return RunState.PREOPERATIONAL
        ended = self.status.state is RunState.HALTED
        return self.status.state if self.is_fresh or ended else RunState.ERROR


class LineFeed(Protocol):
    """What a gateway hears of the line; goes on by itself whenever the sink comes and goes."""

    def wait(self, timeout_ms: int) -> None:
        """Return as soon as something has come, or after the timeout."""
        ...

    def poll(self) -> LineView:
        """Take what came; returns at once."""
        ...

    def send(self, command: Command) -> bool:
        """Ask the sink for something; False when the question cannot be queued."""
        ...

    def close(self) -> None:
        """Release; may be called twice."""
        ...


class Gateway(Protocol):
    """Shows the line to the peers of one protocol; decides nothing and never blocks its stage.

    Peers that are slow, dead or talk nonsense are its own concern: what they ask for waits in a
    thread or queue of its own, bounded. Whatever count of life its protocol has must follow
    `LineView.status.beat`: it may not go on by itself when the sink's work loop does not.
    """

    def show(self, view: LineView) -> None:
        """Take over the line's present state; comes at least every 100 ms, returns in a few."""
        ...

    def take_commands(self) -> tuple[Command, ...]:
        """What peers asked for since the last call."""
        ...

    def close(self) -> None:
        """Say goodbye within a bounded time and release; may be called twice."""
        ...
