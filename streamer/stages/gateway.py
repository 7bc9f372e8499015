"""Gateway: what the sink tells, to the peers of one protocol, and their wishes back."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.line_status import RunState
from streamer.message import StageState

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.line_ports import Gateway, LineFeed
    from streamer.stages.pulse import Pulse

_LOG = logging.getLogger(__name__)
WAIT_MS = 20  # nothing that must be seen within a status' interval takes longer
LAST_VIEWS = 10  # of an ended line, for peers that poll


@dataclass(slots=True)
class GatewayStage:
    """Runs until it is stopped; a peer that is slow, dead or wrong is the gateway's own concern."""

    feed: LineFeed
    gateway: Gateway
    pulse: Pulse
    stopping: Callable[[], bool]

    def run(self) -> None:
        """Show the line until asked to stop; it is then shown to the end of its roll."""
        self.pulse.enter(StageState.READY)
        last_views = LAST_VIEWS
        while last_views:
            self.feed.wait(WAIT_MS)
            view = self.feed.poll()
            self.gateway.show(view)
            for command in self.gateway.take_commands():
                if not self.feed.send(command):
                    _LOG.warning("could not pass on %s of %s", command.kind, command.by)
            self.pulse.last_line = view.status.last_line if view.status else 0
            self.pulse.beat()
            is_over = self.stopping() and (not view.is_fresh or view.state is RunState.HALTED)
            last_views -= is_over
        self.pulse.enter(StageState.STOPPED)
