"""A capture that is started anew learns the lanes' profiles from the workers that outlived it."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from streamer.dispatch import DispatchSettings
from streamer.message import Gap, LineBlock, ProfileState, ScoreMap
from streamer.ports import Verdict, WebFormat
from streamer.protocol import Ack, EndOfRoll, Hello, Resume
from streamer.stages.capture import CaptureLinks, CapturePlan, CaptureStage
from streamer.stages.pulse import Pulse
from streamer.stages.score import ScoreLinks, ScoreStage
from streamer.tiling import Origin, TileGrid
from streamer.transport.memory import MemoryLink, MemorySwitchboard

GRID = TileGrid(32, 16, 16, 8, 8, 8, 8)
SETTINGS = DispatchSettings("block", 8, 2, 500, 60_000, profile_tiles=2)
PIECE = 64  # lines that one capture takes


@dataclass
class Piece:
    """PIECE lines from `line` on."""

    line: int
    left: int = PIECE
    format: WebFormat = field(default=WebFormat(32, 1, 8, "piece"))
    truth: bytes = b""

    def read_into(self, buffer):
        count = min(len(buffer), self.left)
        if count == 0:
            return None
        buffer[:count] = 7
        first, self.line, self.left = self.line, self.line + count, self.left - count
        return LineBlock("cam0", first, buffer[:count], count, 1)

    def close(self):
        self.left = 0


@dataclass
class LearningScorer:
    """Learns a lane's profile from its first two tiles here, unless it was given one."""

    name: str
    description: str = "fake:cpu"
    seen: dict = field(default_factory=dict)
    profiles: dict = field(default_factory=dict)
    learnt: list = field(default_factory=list)

    def score(self, tile):
        known = self.profiles.get(tile.lane)
        seen = self.seen.setdefault(tile.lane, [])
        news = None
        if known is None and len(seen) >= 2:
            digest = f"{self.name} from {seen}"
            news = ProfileState("r", "cam0", tile.lane, tile.sequence, digest, b"profile")
            known = self.profiles[tile.lane] = news
            self.learnt.append(news)
        seen.append(tile.sequence)
        shape = (-(-tile.line_count // 8), -(-tile.column_count // 8))
        place = (tile.first_line, tile.line_count, tile.first_column, tile.column_count)
        digest = known.digest if known else "itself"
        scores = np.zeros(shape, np.float32)
        score_map = ScoreMap(
            *("r", "cam0", tile.lane, tile.sequence), *place, 8, scores, 0.0, 1.0, digest, "m", 1,
            2, self.name,
        )  # fmt: skip
        return Verdict(score_map, news)

    def adopt(self, state):
        self.profiles[state.lane] = state


class Worker:
    """A real score stage, one turn of its loop in each wait; dies before tile `dies_at`."""

    def __init__(self, name, clock, results, dies_at=None):
        self.name, self.dies_at, self.alive = name, dies_at, True
        self.scorer, self.results = LearningScorer(name), results
        pulse = Pulse("score", name, (), 200, clock)
        links = ScoreLinks({"cam0": MemoryLink()}, self, lambda _: None)
        self.stage = ScoreStage(name, links, pulse, self.scorer, lambda: False, 100)

    def send(self, score_map):
        self.results.append(score_map)
        return True

    def join(self, board, *, greets):
        """Connect to a capture; only one that starts asks for tiles, as its window tells."""
        self.stage.links.tiles = {"cam0": board.connect(self.name)}
        self.stage._ask("cam0", 2 if greets else 0)

    def __call__(self):
        if not self.alive:
            return
        self.stage._receive()
        self.stage._flush()
        while self.stage._tiles:
            item = self.stage._tiles.popleft()
            if getattr(item, "sequence", None) == self.dies_at and not isinstance(
                item, ProfileState
            ):
                self.alive = False
                return
            self.stage._work(item)
        self.stage._keep_alive()


class Roll:
    """Captures one after the other, and a sink that answers and acknowledges them."""

    def __init__(self, clock):
        self.clock, self.results, self.heard = clock, [], []
        self.between = lambda: None  # what else happens in each wait
        clock.pause_s = 0.0001  # the reader is a real thread

    def capture(self, rows, workers, *, greets):
        """Run a capture over PIECE lines after `rows` rows."""
        near, far = MemoryLink(), MemoryLink()
        near.outbox, far.outbox = far.inbox, near.inbox
        board = MemorySwitchboard()
        plan = CapturePlan(Origin("r", "cam0", "d"), GRID, SETTINGS, 16, 2000, f"i{rows}", "piece")
        pulse = Pulse("capture", "capture", (), 200, self.clock)
        links = CaptureLinks(board, near, self.clock.wait)
        stage = CaptureStage(plan, links, pulse, lambda r: Piece(r.first_line), lambda: False)
        for worker in workers:
            worker.join(board, greets=greets)
        sink = self._sink(far, Resume(rows * 16, rows))
        self.clock.actors[:] = [sink, *workers, lambda: self.between()]
        self.board, self.stage = board, stage
        assert stage.run() == ""
        sink()

    def _sink(self, link, resume):
        sent = {id(m) for m in self.results}

        def act():
            while (message := link.receive()) is not None:
                self.heard.append(message)
                if isinstance(message, Hello):
                    link.send(resume)
            fresh = [m.address for m in self.results if id(m) not in sent]
            sent.update(id(m) for m in self.results)
            if fresh:
                link.send(Ack(tuple(fresh)))

        return act

    def used(self, lane, sequence):
        """The profile digests that a tile was scored with."""
        return {m.profile_digest for m in self.results if (m.lane, m.sequence) == (lane, sequence)}


@pytest.fixture
def roll(clock):
    return Roll(clock)


def test_a_profile_outlives_a_capture_and_then_the_worker_that_made_it(roll, clock):
    first = Worker("a", clock, roll.results)
    roll.capture(0, [first], greets=True)
    old = {state.lane: state.digest for state in first.scorer.learnt}
    assert old == {0: "a from [0, 1]", 1: "a from [0, 1]"}

    first.dies_at = 6
    second = Worker("b", clock, roll.results)

    def replace():
        if not first.alive and second not in clock.actors:
            second.join(roll.board, greets=True)
            clock.actors.append(second)

    roll.between = replace
    roll.capture(4, [first], greets=False)

    assert not first.alive
    assert second.scorer.learnt == []
    assert {lane: state.digest for lane, state in second.scorer.profiles.items()} == old
    for lane in (0, 1):
        for sequence in range(2, 8):
            assert roll.used(lane, sequence) == {old[lane]}
    assert [m for m in roll.heard if isinstance(m, Gap)] == []
    assert sum(isinstance(m, EndOfRoll) for m in roll.heard) == 2
