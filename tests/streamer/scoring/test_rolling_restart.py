"""Workers die, hang and join at any time: the verdicts that the sink keeps are always the same."""

import random
from dataclasses import dataclass, field

import numpy as np
import pytest

from streamer.config import Config
from streamer.dispatch import Dispatcher, DispatchSettings
from streamer.message import Halo, ScoreMap, Tile, TileAddress
from streamer.protocol import Credit
from streamer.scoring.tile_scorer import TileScorer, open_tile_scorer
from streamer.web import WebGeometry

MS = 1_000_000
LINES, COLUMNS, LANES, ROWS = 128, 96, 2, 26
SECTIONS = {
    "tiles": {"lines": LINES, "columns": COLUMNS},
    "profile": {
        **{"mode": "rolling", "bootstrap_m": 2.0, "refresh_m": 1.0},
        **{"window_m": 4.0, "change_m": 2.0},
    },
}
CONFIG = Config.model_validate(SECTIONS)
# All that a lane may remember.
RICH = Config.model_validate(
    SECTIONS | {"scoring": {"brightness": "on"}, "profile": SECTIONS["profile"] | {"prototypes": 2}}
)
GEOMETRY = WebGeometry(LANES * COLUMNS, 4.0, 4.0, 60.0)


@dataclass
class Worker:
    """Scores one item of its queue at a time, as the score stage does."""

    scorer: TileScorer
    queue: list = field(default_factory=list)


@dataclass
class Floor:
    """A dispatcher, its workers and a sink that takes the first verdict of each tile."""

    backbone: object
    dice: random.Random
    config: Config = CONFIG
    dispatcher: Dispatcher = field(
        default_factory=lambda: Dispatcher(
            DispatchSettings("block", 6, 99, 500, 10**9, profile_tiles=24)
        )
    )
    workers: dict[str, Worker] = field(default_factory=dict)
    verdicts: dict[TileAddress, ScoreMap] = field(default_factory=dict)
    unacknowledged: list[TileAddress] = field(default_factory=list)
    now_ns: int = 0
    born: int = 0

    def hire(self) -> None:
        self.born += 1
        name = f"w{self.born}"
        self.workers[name] = Worker(open_tile_scorer(self.backbone, self.config, GEOMETRY, name))
        self.dispatcher.credit(Credit(name, 2, window=2), self.now_ns)

    def kill(self) -> None:
        if self.workers:
            del self.workers[self.dice.choice(sorted(self.workers))]
        self.now_ns += 1000 * MS
        for name in self.workers:
            self.dispatcher.credit(Credit(name, 0, window=2), self.now_ns)
        assert self.dispatcher.expire(self.now_ns) == ()

    def work(self) -> None:
        for sending in self.dispatcher.sendings(self.now_ns):
            if sending.worker in self.workers:
                self.workers[sending.worker].queue.append(sending.content)
        busy = [name for name in sorted(self.workers) if self.workers[name].queue]
        if busy:
            self._turn(self.dice.choice(busy))

    def _turn(self, name: str) -> None:
        worker = self.workers[name]
        item = worker.queue.pop(0)
        if not isinstance(item, Tile):
            worker.scorer.adopt(item)
            return
        verdict = worker.scorer.score(item)
        lost = self.dice.random() < 0.1  # the worker dies with what it had not sent
        if lost:
            del self.workers[name]
            self.now_ns += 1000 * MS
            for other in self.workers:
                self.dispatcher.credit(Credit(other, 0, window=2), self.now_ns)
            self.dispatcher.expire(self.now_ns)
            return
        self.verdicts.setdefault(item.address, verdict.score_map)
        self.unacknowledged.append(item.address)
        if verdict.profile is not None:
            self.dispatcher.adopt_profile(verdict.profile, name)
        self.dispatcher.credit(Credit(name, 1, window=2), self.now_ns)

    def acknowledge(self) -> None:
        count = self.dice.randint(0, len(self.unacknowledged))
        self.dispatcher.settle(self.unacknowledged[:count])
        del self.unacknowledged[:count]

    def run(self, rows: list[list[Tile]], chaos: float) -> None:
        self.hire()
        waiting = list(rows)
        for _ in range(5000):
            if waiting and not self.dispatcher.is_full:
                self.dispatcher.add_row(waiting.pop(0))
            self.work()
            self.acknowledge()
            if self.dice.random() < chaos:
                self.kill()
            if not self.workers or self.dice.random() < chaos:
                self.hire()
            self.dispatcher.balance()
            if not waiting and len(self.verdicts) == sum(map(len, rows)):
                return
        pytest.fail("the roll must end")


@pytest.fixture(scope="module")
def rows() -> list[list[Tile]]:
    """Two lanes; a hole now and then, and another article from row 16 on."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:LINES, 0 : LANES * COLUMNS]
    made = []
    for n in range(ROWS):
        uneven = np.kron(rng.normal(0, 40, (16, LANES * 12)), np.ones((8, 8)))
        pixels = 110 + 40 * np.sin(y * 0.9) * np.sin(x * 0.7) + uneven
        pixels += rng.normal(0, 12, pixels.shape)
        if n >= 16:
            pixels = 0.6 * pixels + 80 * (x % 32 < 10)
        pixels = np.clip(pixels, 0, 255).astype(np.uint8)
        if n % 5 == 4:
            pixels[40:64, 30:60] = 255
        made.append([_tile(pixels, lane, n) for lane in range(LANES)])
    return made


def _tile(pixels: np.ndarray, lane: int, sequence: int) -> Tile:
    columns = slice(lane * COLUMNS, (lane + 1) * COLUMNS)
    place = (lane, sequence, sequence * LINES, LINES, lane * COLUMNS, COLUMNS)
    own = np.ascontiguousarray(pixels[:, columns])
    return Tile("roll", "cam0", *place, Halo(), own, 1, "c0ffee")


def told(floor: Floor) -> list[tuple[object, ...]]:
    """All that a verdict says but who gave it and when."""
    return [
        (
            address,
            one.scores.tobytes(),
            one.profile_digest,
            one.background,
            one.alarm_level,
            one.self_judged,
            one.article_line,
            one.profile_drift,
        )
        for address, one in sorted(floor.verdicts.items())
    ]


@pytest.mark.parametrize(
    ("config", "seed", "chaos"),
    [
        *((CONFIG, seed, chaos) for seed, chaos in ((1, 0.0), (2, 0.03), (3, 0.03), (4, 0.1))),
        *((RICH, seed, chaos) for seed, chaos in ((5, 0.0), (6, 0.03), (7, 0.1))),
    ],
)
def test_whoever_works_the_verdicts_are_the_same(
    backbone, rows, config: Config, seed: int, chaos: float
) -> None:
    calm = Floor(backbone, random.Random(0), config)
    calm.dice.random = lambda: 1.0  # nobody dies, nobody joins
    calm.run(rows, 0.0)
    wild = Floor(backbone, random.Random(seed), config)
    wild.run(rows, chaos)
    assert wild.born >= calm.born
    assert told(wild) == told(calm)
    articles = {one.article_line for one in calm.verdicts.values()}
    assert len(articles) == 2
