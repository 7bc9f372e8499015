"""Which worker gets which tile, and what is dropped: credits, lanes, attempts; no I/O, no clock."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from streamer.lane_states import LaneStates
from streamer.message import Gap, GapReason, ProfileState, Tile, TileAddress

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from streamer.protocol import Credit

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class DispatchSettings:
    """Bounds of capture's tile store.

    `capacity` counts tiles that wait for their verdict. `profile_tiles` settled tiles of each lane
    at most are kept until the lane's profile arrives, of a lane that goes on learning those since
    its last profile, so that another worker can make the same profile.
    """

    overload: Literal["block", "drop_oldest", "skip_lanes"]
    capacity: int
    max_attempts: int
    worker_timeout_ms: int
    verdict_timeout_ms: int
    profile_tiles: int = 0

    @property
    def most_waiting(self) -> int:
        """Tiles without a verdict that are kept; above it the oldest that nobody has are dropped.

        skip_lanes halves the load; when even that is too much, the oldest go, as the bound holds.
        """
        return self.capacity * (2 if self.overload == "skip_lanes" else 1)


@dataclass(slots=True)
class _Held:
    """A tile that waits for its verdict; `worker` has it since `sent_ns`, or nobody has."""

    tile: Tile
    worker: str | None = None
    sent_ns: int = 0
    attempts: int = 0
    settled: bool = False  # has a verdict, and is kept only to make the profile again


@dataclass(slots=True)
class _Worker:
    """What capture knows of a worker."""

    credit: int = 0
    last_seen_ns: int = 0
    busy_until_ns: int = 0
    held: tuple[TileAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class Sending:
    """Something to send to a worker; pass it to `unsent` if that fails."""

    worker: str
    content: Tile | ProfileState


@dataclass(slots=True)
class Dispatcher:
    """Keeps every tile until its verdict; a lane is worked on in order by one worker at a time."""

    settings: DispatchSettings
    _tiles: dict[TileAddress, _Held] = field(default_factory=dict)
    _workers: dict[str, _Worker] = field(default_factory=dict)
    _owners: dict[int, str] = field(default_factory=dict)
    _profiles: dict[int, ProfileState] = field(default_factory=dict)
    _learning: dict[int, LaneStates] = field(default_factory=dict)
    _first_tiles: dict[int, int] = field(default_factory=dict)  # sequence, by lane
    _profile_due: set[int] = field(default_factory=set)
    _skip_parity: int = 0

    @property
    def waiting(self) -> int:
        """Tiles without a verdict."""
        return sum(not held.settled for held in self._tiles.values())

    @property
    def is_full(self) -> bool:
        """Whether capture must stop reading (policy `block`)."""
        return self.settings.overload == "block" and self.waiting >= self.settings.capacity

    @property
    def workers(self) -> tuple[str, ...]:
        """Workers that are believed alive."""
        return tuple(self._workers)

    def add_row(self, tiles: Iterable[Tile]) -> tuple[Gap, ...]:
        """Take the tiles of one row; returns gaps for what the overload policy drops."""
        row, skipped = list(tiles), []
        for tile in row:
            self._first_tiles.setdefault(tile.lane, tile.sequence)
        if self.settings.overload == "skip_lanes" and self.waiting >= self.settings.capacity:
            self._skip_parity ^= 1  # even and odd lanes take turns
            skipped = [t for t in row if len(row) > 1 and t.lane % 2 == self._skip_parity]
        self._tiles.update({t.address: _Held(t) for t in row if all(t is not s for s in skipped)})
        gaps = tuple(_gap(t, GapReason.OVERLOAD, "lane skipped") for t in skipped)
        return gaps + self._drop_oldest()

    def _drop_oldest(self) -> tuple[Gap, ...]:
        if self.settings.overload == "block":
            return ()
        idle = sorted(
            (h.tile.sequence, h.tile.lane, a)
            for a, h in self._tiles.items()
            if h.worker is None and not h.settled
        )
        excess = max(0, self.waiting - self.settings.most_waiting)
        dropped = [self._tiles.pop(address).tile for *_, address in idle[:excess]]
        return tuple(_gap(tile, GapReason.OVERLOAD, "oldest dropped") for tile in dropped)

    def credit(self, credit: Credit, now_ns: int) -> None:
        """A worker lives, holds these tiles and asks for more.

        One that is new here, or was believed lost, may already have asked somebody who forgot it.
        """
        worker = self._workers.get(credit.worker)
        if worker is None:
            free = credit.window - len(credit.held)
            worker = self._workers[credit.worker] = _Worker(max(0, free - credit.tiles))
        worker.credit += credit.tiles
        worker.last_seen_ns = now_ns
        worker.busy_until_ns = credit.busy_until_ns
        worker.held = credit.held

    def adopt_profile(self, state: ProfileState, worker: str) -> None:
        """`worker` has a lane's profile: a new worker gets it, and its tiles need not be kept.

        The one that holds from the earliest tile is the lane's; another was learnt for want of it.
        """
        if state.learnt_from is not None:
            self._adopt_state(state, worker)
            return
        known = self._profiles.setdefault(state.lane, state)
        is_news = known is state or state.sequence < known.sequence
        if is_news:
            self._profiles[state.lane] = state
        is_owner = worker == self._owners.get(state.lane)
        if is_owner and state.digest == self._profiles[state.lane].digest:
            self._profile_due.discard(state.lane)
        elif is_owner or is_news:
            self._profile_due.add(state.lane)
        for address, held in list(self._tiles.items()):
            if held.settled and address.lane == state.lane:
                del self._tiles[address]

    def _adopt_state(self, state: ProfileState, worker: str) -> None:
        """The lane goes on learning: its worker must be told only what it cannot make itself.

        That is what was learnt from tiles before the first of this capture, by another worker.
        """
        states = self._learning.setdefault(state.lane, LaneStates())
        follows, is_owner = states.is_of(state), worker == self._owners.get(state.lane)
        is_older = (state.learnt_from or 0) < self._first_tiles.get(state.lane, 0)
        accepted = states.add(state)
        if is_owner != accepted and (is_owner or is_older and not follows):
            self._profile_due.add(state.lane)
        self._forget_replay(state.lane)

    def _forget_replay(self, lane: int) -> None:
        """Let go of the settled tiles that no other worker needs any more."""
        own = {address: held for address, held in self._tiles.items() if address.lane == lane}
        # A settled tile that nobody has is on its way to the lane's next worker.
        open_tiles = [a.sequence for a, held in own.items() if not held.settled or not held.worker]
        self._learning[lane].advance(min(open_tiles, default=None))
        if (base := self._learning[lane].base) is None:
            return
        self._profiles[lane] = base
        for address, held in own.items():
            if held.settled and address.sequence < base.sequence:
                del self._tiles[address]

    def sendings(self, now_ns: int) -> list[Sending]:
        """What can be sent now; counts as sent until `unsent` says otherwise."""
        out: list[Sending] = []
        for lane, held in self._next_tiles():
            worker = self._worker_for(lane)
            if worker is None or self._workers[worker].credit < 1:
                continue
            if lane in self._profile_due and lane in self._profiles:
                out.append(Sending(worker, self._profiles[lane]))
            self._profile_due.discard(lane)
            self._workers[worker].credit -= 1
            held.worker, held.sent_ns = worker, now_ns
            out.append(Sending(worker, held.tile))
        return out

    def _next_tiles(self) -> list[tuple[int, _Held]]:
        """Tiles nobody has, by sequence, then lane."""
        idle = [(a.sequence, a.lane, h) for a, h in self._tiles.items() if h.worker is None]
        return [(lane, held) for _, lane, held in sorted(idle, key=lambda item: item[:2])]

    def _worker_for(self, lane: int) -> str | None:
        """The lane's worker; a lane without one goes to the worker with the fewest lanes."""
        owner = self._owners.get(lane)
        if owner in self._workers:
            return owner
        if not self._workers:
            return None
        lanes: dict[str, int] = defaultdict(int)
        for name in self._owners.values():
            lanes[name] += 1
        chosen = min(self._workers, key=lambda name: (lanes[name], name))
        self._owners[lane] = chosen
        self._profile_due.add(lane)
        return chosen

    def balance(self) -> None:
        """Let lanes with nothing in flight move when a worker has two more than another."""
        lanes = {
            name: [ln for ln, o in self._owners.items() if o == name] for name in self._workers
        }
        if not lanes:
            return
        most = max(lanes, key=lambda name: len(lanes[name]))
        fewest = min(lanes, key=lambda name: len(lanes[name]))
        if len(lanes[most]) - len(lanes[fewest]) < 2:
            return
        busy = {a.lane for a, h in self._tiles.items() if h.worker is not None and not h.settled}
        for lane in [lane for lane in lanes[most] if lane not in busy][:1]:
            self._release_lane(lane)

    def _release_lane(self, lane: int) -> None:
        """Give the lane to whoever comes, with everything that makes its profile again."""
        self._owners.pop(lane, None)
        for address, held in self._tiles.items():
            if address.lane == lane:
                held.worker = None

    def settle(self, addresses: Collection[TileAddress]) -> None:
        """The sink has stored these verdicts."""
        for address in addresses:
            held = self._tiles.get(address)
            if held is None:
                continue
            if self._is_kept_for_profile(address):
                held.settled = True
            else:
                del self._tiles[address]
        for lane in {address.lane for address in addresses} & self._learning.keys():
            self._forget_replay(lane)

    def _is_kept_for_profile(self, address: TileAddress) -> bool:
        is_learnt = address.lane in self._profiles and address.lane not in self._learning
        if self.settings.profile_tiles == 0 or is_learnt:
            return False
        kept = sum(h.settled for a, h in self._tiles.items() if a.lane == address.lane)
        return kept < self.settings.profile_tiles

    def failed(self, address: TileAddress, detail: str) -> tuple[Gap, ...]:
        """A worker reports that it could not score a tile."""
        held = self._tiles.get(address)
        if held is None or held.settled:
            return ()
        held.worker = None
        held.attempts += 1
        return self._give_up(GapReason.ENGINE_ERROR, detail)

    def unsent(self, sending: Sending) -> tuple[Gap, ...]:
        """The worker could not be reached."""
        return self._lose_worker(sending.worker, "not reachable")

    def expire(self, now_ns: int) -> tuple[Gap, ...]:
        """Notice silent workers and verdicts that do not come."""
        gaps: tuple[Gap, ...] = ()
        for name, worker in list(self._workers.items()):
            silent_ns = now_ns - max(worker.last_seen_ns, worker.busy_until_ns)
            if silent_ns > self.settings.worker_timeout_ms * NS_PER_MS:
                gaps += self._lose_worker(name, f"silent for {silent_ns // NS_PER_MS} ms")
        return gaps + self._expire_verdicts(now_ns)

    def _expire_verdicts(self, now_ns: int) -> tuple[Gap, ...]:
        limit_ns = self.settings.verdict_timeout_ms * NS_PER_MS
        late = [
            address
            for address, held in self._tiles.items()
            if held.worker is not None and not held.settled and now_ns - held.sent_ns > limit_ns
        ]
        detail = f"no verdict in {self.settings.verdict_timeout_ms} ms"
        return tuple(_gap(self._tiles.pop(a).tile, GapReason.TIMEOUT, detail) for a in late)

    def _lose_worker(self, name: str, detail: str) -> tuple[Gap, ...]:
        """Free the tiles of a dead worker; only the one it worked on counts an attempt."""
        worker = self._workers.pop(name, None)
        suspect = worker.held[0] if worker and worker.held else None
        for address, held in self._tiles.items():
            if held.worker == name and address == suspect and not held.settled:
                held.attempts += 1
        for lane in [lane for lane, owner in self._owners.items() if owner == name]:
            self._release_lane(lane)
        return self._give_up(GapReason.WORKER_LOST, f"{name} {detail}")

    def _give_up(self, reason: GapReason, detail: str) -> tuple[Gap, ...]:
        hopeless = [
            a for a, held in self._tiles.items() if held.attempts >= self.settings.max_attempts
        ]
        return tuple(_gap(self._tiles.pop(a).tile, reason, detail) for a in hopeless)

    def abandon(self, reason: GapReason, detail: str) -> tuple[Gap, ...]:
        """Give up every tile that has no verdict (end of a bounded drain)."""
        held = [h.tile for h in self._tiles.values() if not h.settled]
        self._tiles.clear()
        return tuple(_gap(tile, reason, detail) for tile in held)


def _gap(tile: Tile, reason: GapReason, detail: str) -> Gap:
    return Gap(
        tile.roll,
        tile.camera,
        tile.lane,
        tile.sequence,
        1,
        tile.first_line,
        tile.line_count,
        reason,
        detail,
    )
