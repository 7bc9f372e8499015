"""A worker of two cameras: each gets its own credit, answers and profiles."""

import numpy as np
import pytest

from streamer.message import Halo, ProfileState, ScoreMap, Tile
from streamer.ports import Verdict
from streamer.protocol import Credit, ProfileQuery, TileFailed
from streamer.stages.pulse import Pulse
from streamer.stages.score import PREFETCH_TILES, ScoreLinks, ScoreStage
from streamer.transport.memory import MemoryLink

PIXELS = np.zeros((16, 16), np.uint8)


def tile(camera, sequence, lane=0):
    return Tile("r", camera, lane, sequence, sequence * 16, 16, 0, 16, Halo(), PIXELS, 1, "d")


class Scorer:
    """Learns a profile from each camera's first tile; fails on tiles of the given numbers."""

    description = "fake:cpu"

    def __init__(self, fails=()):
        self.fails, self.done = fails, []

    def score(self, tile):
        if tile.sequence in self.fails:
            raise ValueError("too dark")
        self.done.append((tile.camera, tile.sequence))
        scores = np.zeros((2, 2), np.float32)
        place = tile.lane, tile.sequence, tile.first_line, 16, 0, 16, 8
        score_map = ScoreMap("r", tile.camera, *place, scores, 0.0, 1.0, "p", "m", 1, 2, "w")
        state = ProfileState("r", tile.camera, tile.lane, 1, f"of {tile.camera}", b"profile")
        return Verdict(score_map, state if tile.sequence == 0 else None, {"drift": 0.5})

    def adopt(self, state):
        self.done.append(("adopt", state.camera))


@pytest.fixture
def start(clock):
    def run(*messages, fails=()):
        cameras = {name: MemoryLink() for name in "ab"}
        tiles = {name: MemoryLink(link.outbox, link.inbox) for name, link in cameras.items()}
        results, scorer = MemoryLink(), Scorer(fails)
        for link, message in messages:
            assert cameras[link].send(message)
        pulse = Pulse("score", "score-0", (results,), 200, clock)
        links = ScoreLinks(tiles, results, clock.wait)
        stage = ScoreStage("w", links, pulse, scorer, lambda: clock.waits >= 20, 30_000)
        stage.run()
        said = {name: list(link.inbox) for name, link in cameras.items()}
        return said, scorer, stage

    return run


def of(said, kind):
    return {name: [m for m in messages if isinstance(m, kind)] for name, messages in said.items()}


def test_each_camera_is_asked_for_tiles_and_gets_credit_for_its_own(start):
    said, scorer, _ = start(("a", tile("a", 0)), ("b", tile("b", 0)), ("a", tile("a", 1)))
    credits = of(said, Credit)
    assert credits["a"][0].tiles == credits["b"][0].tiles == PREFETCH_TILES
    assert sum(credit.tiles for credit in credits["a"]) == PREFETCH_TILES + 2
    assert sum(credit.tiles for credit in credits["b"]) == PREFETCH_TILES + 1
    assert sorted(scorer.done) == [("a", 0), ("a", 1), ("b", 0)]


def test_a_camera_hears_what_is_worked_on_and_which_of_its_own_tiles_wait(start):
    said, _, _ = start(("a", tile("a", 0)), ("a", tile("a", 1)), ("b", tile("b", 0)))
    own, other = tile("a", 0).address, tile("b", 0).address
    heard = [c for c in of(said, Credit)["b"] if c.held]
    assert [c.held for c in heard[:3]] == [(own, other), (tile("a", 1).address, other), (other,)]
    # Room for what is its own: a capture that does not know the worker must not count the other's.
    assert [c.window for c in heard[:3]] == [PREFETCH_TILES + 1, PREFETCH_TILES + 1, PREFETCH_TILES]


def test_profiles_and_failures_go_to_the_camera_that_they_are_of(start):
    said, _, _ = start(("a", tile("a", 0)), ("b", tile("b", 0)), ("b", tile("b", 1)), fails={1})
    states = of(said, ProfileState)
    assert {name: [s.digest for s in kept] for name, kept in states.items()} == {
        "a": ["of a"], "b": ["of b"],
    }  # fmt: skip
    assert [f.address.sequence for f in of(said, TileFailed)["b"]] == [1]
    assert of(said, TileFailed)["a"] == []


def test_a_query_is_answered_with_the_profiles_of_its_camera(start):
    states = [ProfileState("r", name, 0, 1, f"of {name}", b"profile") for name in "ab"]
    said, scorer, _ = start(
        *(("a" if s.camera == "a" else "b", s) for s in states), ("b", ProfileQuery("r", "b"))
    )
    assert sorted(scorer.done) == [("adopt", "a"), ("adopt", "b")]
    assert of(said, ProfileState)["a"] == []


def test_what_comes_over_another_cameras_link_is_dropped(start, caplog):
    said, scorer, _ = start(("a", tile("b", 0)), ("a", ProfileQuery("r", "b")))
    assert scorer.done == []
    assert "dropped Tile from capture" in caplog.text
    assert of(said, ProfileState) == {"a": [], "b": []}


def test_figures_of_lanes_bear_the_cameras_name(start):
    _, _, stage = start(("a", tile("a", 0)), ("b", tile("b", 0)))
    assert stage.pulse.figures["a_lane0_drift"] == stage.pulse.figures["b_lane0_drift"] == 0.5
