"""Score: tiles in, score maps out, one at a time; knows no method, engine or transport."""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamer.message import ProfileState, StageState, Tile
from streamer.protocol import Credit, ProfileQuery, TileFailed
from streamer.stages.rated_log import RatedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamer.ports import Link, Outlet, TileScorer, Verdict, Waiting
    from streamer.stages.pulse import Pulse

_LOG = logging.getLogger(__name__)
NS_PER_S = 1_000_000_000
DRAIN_MS = 1000
PREFETCH_TILES = 2  # one to work on, one on its way


@dataclass(slots=True)
class ScoreLinks:
    """A worker's connections: each camera's tiles, the sink's results, and waiting on tiles.

    `holds` says whether a tile's pixels are still its own: capture may use the memory of a tile
    that it has given up for another one.
    """

    tiles: Mapping[str, Link]
    results: Outlet
    wait: Waiting
    holds: Callable[[Tile], bool] = lambda _: True


@dataclass(slots=True)
class ScoreStage:
    """Works until `stopping` says so; a tile that cannot be scored is reported, never dropped."""

    worker: str
    links: ScoreLinks
    pulse: Pulse
    scorer: TileScorer
    stopping: Callable[[], bool]
    tile_timeout_ms: int
    _tiles: deque[Tile | ProfileState] = field(default_factory=deque)
    # By camera and lane, of one roll.
    _profiles: dict[tuple[str, int], ProfileState] = field(default_factory=dict)
    _outboxes: defaultdict[str, deque[ProfileState | TileFailed]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    _failures: RatedLog = field(default_factory=lambda: RatedLog("failures"))
    _drops: RatedLog = field(default_factory=lambda: RatedLog("dropped messages"))
    _fault: str = ""
    _asked_ns: int = 0
    _received_ns: int = 0
    _tiles_done: int = 0
    _seconds: float = 0.0

    def run(self) -> str:
        """Ask for tiles and score them; returns what ended it too early, or ""."""
        self.pulse.backend = self.scorer.description
        self.pulse.enter(StageState.READY)
        for camera in self.links.tiles:
            self._ask(camera, PREFETCH_TILES)
        while not self._fault and not self._may_stop():
            self._receive()
            self._flush()
            if not self._tiles:
                self.links.wait(50)
                self.pulse.state = StageState.READY
                self._keep_alive()
                continue
            self._work(self._tiles.popleft())
        self._flush()
        self._failures.flush()
        self._drops.flush()
        self.pulse.enter(StageState.STOPPED)
        return self._fault

    def _may_stop(self) -> bool:
        """Whether to end: asked to, and no tile has come for a while; capture may still drain."""
        idle_ms = (self.pulse.now_ns() - self._received_ns) / 1_000_000
        return self.stopping() and not self._tiles and idle_ms > DRAIN_MS

    def _receive(self) -> None:
        for camera, link in self.links.tiles.items():
            while (message := link.receive()) is not None:
                self._received_ns = self.pulse.now_ns()
                self._take(camera, message)

    def _take(self, camera: str, message: object) -> None:
        match message:
            # What another camera's capture sends under this one's address could not be answered.
            case Tile() | ProfileState() if message.camera == camera:
                self._tiles.append(message)
            case ProfileQuery() if message.camera == camera:
                self._answer(message)
            case TileFailed():
                self._refuse(camera, message)
            case _:
                line = f"dropped {type(message).__name__} from capture"
                self._drops.add(line, self._received_ns)

    def _refuse(self, camera: str, failed: TileFailed) -> None:
        """The link could not take a tile; capture decides, and another one may come."""
        line = f"tile {failed.address} cannot be taken: {failed.detail}"
        self._failures.add(line, self._received_ns)
        self._outboxes[camera].append(failed)
        self._ask(camera, 1)

    def _answer(self, query: ProfileQuery) -> None:
        """A capture that does not know this worker asks: tell it the profiles in use."""
        outbox = self._outboxes[query.camera]
        asked = [s for s in self._profiles.values() if _same_web(s, query)]
        outbox.extend(s for s in asked if s not in outbox)

    def _flush(self) -> None:
        for camera, outbox in self._outboxes.items():
            while outbox and self.links.tiles[camera].send(outbox[0]):
                outbox.popleft()

    def _work(self, item: Tile | ProfileState) -> None:
        if isinstance(item, ProfileState):
            self._adopt(item)
        elif self.links.holds(item):
            self._score(item)
        else:
            self._drops.add(f"{item.address} was given up before its turn", self.pulse.now_ns())
            self._ask(item.camera, 1)

    def _score(self, item: Tile) -> None:
        self.pulse.state = StageState.RUNNING
        self.pulse.announce_busy(self.tile_timeout_ms)
        self._ask_all(item, self.tile_timeout_ms)
        started_ns = self.pulse.now_ns()
        try:
            verdict = self.scorer.score(item)
        except (RuntimeError, ValueError, MemoryError) as error:
            self._fail(item, error)
        else:
            if not self.links.holds(item):
                # The scorer may have learnt from pixels of another tile: it must not go on.
                self._fault = f"tile {item.address} was given up while it was scored"
                return
            self._count(item, self.pulse.now_ns() - started_ns)
            self._show(item, verdict)
            self._deliver(item, verdict)
        self._flush()  # before the credit, which asks for tiles that come after this
        self._ask(item.camera, 1)
        self.pulse.beat_now()

    def _show(self, tile: Tile, verdict: Verdict) -> None:
        prefix = f"{tile.camera}_" if len(self.links.tiles) > 1 else ""
        lane = f"{prefix}lane{tile.lane}"
        self.pulse.figures |= {f"{lane}_{name}": value for name, value in verdict.figures.items()}

    def _adopt(self, state: ProfileState) -> None:
        try:
            self.scorer.adopt(state)
        except ValueError as error:
            # The lane then learns its profile anew from the tiles that come next.
            _LOG.error("profile of lane %d cannot be used: %s", state.lane, error)
        else:
            self._remember(state)

    def _remember(self, state: ProfileState) -> None:
        """Keep what a capture that is started anew must be told; one roll at a time."""
        kept = {place: s for place, s in self._profiles.items() if s.roll == state.roll}
        self._profiles = kept | {(state.camera, state.lane): state}

    def _count(self, tile: Tile, elapsed_ns: int) -> None:
        self._tiles_done += 1
        self._seconds += elapsed_ns / NS_PER_S
        self.pulse.last_line = tile.first_line + tile.line_count
        self.pulse.queue_depth = len(self._tiles)
        self.pulse.figures["tiles"] = self._tiles_done
        self.pulse.figures["busy_s"] = round(self._seconds, 3)

    def _deliver(self, tile: Tile, verdict: Verdict) -> None:
        """Results wait for room in the sink's queue; a stop lets go of them after a while."""
        finished_ns = self.pulse.now_ns()
        while not self.links.results.send(verdict.score_map):
            if self.stopping() and self.pulse.now_ns() - finished_ns > DRAIN_MS * 1_000_000:
                return
            self._receive()  # what waits there would end every wait at once
            self.links.wait(5)
            self._keep_alive(tile)
        if verdict.profile is not None:
            self._remember(verdict.profile)
            self._outboxes[tile.camera].append(verdict.profile)

    def _fail(self, tile: Tile, error: Exception) -> None:
        detail = f"{type(error).__name__}: {error}"[:500]
        line = f"tile {tile.address} cannot be scored: {detail}"
        self._failures.add(line, self.pulse.now_ns())
        self._outboxes[tile.camera].append(TileFailed(tile.address, self.worker, detail))

    def _ask_all(self, present: Tile | None, busy_ms: int = 0) -> None:
        """Tell every camera what is held, and for how long nothing may be heard."""
        for camera in self.links.tiles:
            self._ask(camera, 0, present, busy_ms)

    def _ask(self, camera: str, tiles: int, present: Tile | None = None, busy_ms: int = 0) -> None:
        """Credit for more tiles of a camera, and which are still held, the present one first.

        One of another camera is told, too: should it end the worker, no tile of this one did.
        """
        ours = (i for i in self._tiles if isinstance(i, Tile) and i.camera == camera)
        begun = (present.address,) if present else ()
        held = (*begun, *(item.address for item in ours))
        window = PREFETCH_TILES + sum(address.camera != camera for address in begun)
        self._asked_ns = self.pulse.now_ns()
        busy_until_ns = self._asked_ns + busy_ms * 1_000_000
        self.links.tiles[camera].send(Credit(self.worker, tiles, held, busy_until_ns, window))

    def _keep_alive(self, present: Tile | None = None) -> None:
        """Show capture and watchers that this loop turns, with what is held meanwhile."""
        if self.pulse.now_ns() - self._asked_ns > self.pulse.beat_ms * 1_000_000:
            self._flush()
            self._ask_all(present)
        self.pulse.beat()


def _same_web(state: ProfileState, other: ProfileState | ProfileQuery) -> bool:
    return (state.roll, state.camera) == (other.roll, other.camera)
