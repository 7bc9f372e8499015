"""A worker: tiles in order, results never lost, failures reported, credit always returned."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from streamer.message import Halo, Heartbeat, ProfileState, ScoreMap, StageState, Tile
from streamer.ports import Verdict
from streamer.protocol import Credit, ProfileQuery, Resume, TileFailed
from streamer.stages.pulse import Pulse
from streamer.stages.rated_log import LINES_PER_SECOND
from streamer.stages.score import PREFETCH_TILES, ScoreLinks, ScoreStage
from streamer.transport.memory import MemoryLink

MS = 1_000_000
PIXELS = np.zeros((16, 16), np.uint8)


def tile(sequence, lane=0):
    return Tile("r", "c", lane, sequence, sequence * 16, 16, 0, 16, Halo(), PIXELS, 1, "d")


def score_map(scored):
    scores = np.zeros((2, 2), np.float32)
    place = (scored.lane, scored.sequence, scored.first_line, 16, 0, 16, 8)
    return ScoreMap("r", "c", *place, scores, 0.0, 1.0, "p", "m", 1, 2, "w")


@dataclass
class FakeScorer:
    """Scores in `takes_ms`; `faults` are raised by sequence, `profiles` given by sequence."""

    clock: object
    description: str = "fake:cpu"
    takes_ms: float = 100
    faults: dict = field(default_factory=dict)
    profiles: dict = field(default_factory=dict)
    done: list = field(default_factory=list)
    during: object = None

    def score(self, scored):
        if self.during is not None:
            self.during(scored)
        self.clock.advance_ms(self.takes_ms)
        if scored.sequence in self.faults:
            raise self.faults[scored.sequence]
        self.done.append(("score", scored.sequence))
        return Verdict(score_map(scored), self.profiles.get(scored.sequence))

    def adopt(self, state):
        self.done.append(("adopt", state.lane))


class Bench:
    """A worker with the capture's and the sink's ends of its links; stops after `waits` waits."""

    def __init__(self, clock, waits=20):
        self.clock, self.waits = clock, waits
        self.capture, self.results = MemoryLink(), MemoryLink()
        self.tiles = MemoryLink(self.capture.outbox, self.capture.inbox)
        self.scorer = FakeScorer(clock)
        self.stopped = False
        pulse = Pulse("score", "score-0", (self.results,), 200, clock)
        links = ScoreLinks({"c": self.tiles}, self.results, clock.wait)
        self.stage = ScoreStage("w", links, pulse, self.scorer, self.is_stopping, 30_000)

    def is_stopping(self):
        return self.stopped or self.clock.waits >= self.waits

    def give(self, *messages):
        for message in messages:
            assert self.capture.send(message)

    def run(self):
        self.stage.run()

    def said(self, kind):
        return [m for m in self.capture.inbox if isinstance(m, kind)]

    def delivered(self, kind):
        return [m for m in self.results.outbox if isinstance(m, kind)]


@pytest.fixture
def bench(clock):
    return Bench(clock)


def test_it_asks_first_and_says_what_runs_where(bench):
    bench.run()
    first = bench.said(Credit)[0]
    assert (first.worker, first.tiles, first.held) == ("w", PREFETCH_TILES, ())
    assert first.window == PREFETCH_TILES
    beats = bench.delivered(Heartbeat)
    assert beats[0].state is StageState.READY
    assert {beat.backend for beat in beats} == {"fake:cpu"}
    assert beats[-1].state is StageState.STOPPED


def test_tiles_are_scored_in_order_and_each_returns_one_credit(bench):
    bench.give(tile(0), tile(1), tile(2))
    bench.run()
    assert [m.sequence for m in bench.delivered(ScoreMap)] == [0, 1, 2]
    assert sum(credit.tiles for credit in bench.said(Credit)) == PREFETCH_TILES + 3


def test_a_tile_that_cannot_be_scored_is_reported_and_the_next_one_scored(bench, caplog):
    bench.scorer.faults = {0: RuntimeError("out of memory " + "x" * 1000)}
    bench.give(tile(0), tile(1))
    bench.run()
    (failed,) = bench.said(TileFailed)
    assert (failed.address, failed.worker) == (tile(0).address, "w")
    assert failed.detail.startswith("RuntimeError: out of memory")
    assert len(failed.detail) == 500
    assert [m.sequence for m in bench.delivered(ScoreMap)] == [1]
    assert sum(credit.tiles for credit in bench.said(Credit)) == PREFETCH_TILES + 2
    assert "cannot be scored" in caplog.text


@pytest.mark.parametrize("error", [ValueError("shape"), MemoryError("big")])
def test_other_faults_of_one_tile_do_not_end_the_worker(bench, error):
    bench.scorer.faults = {0: error}
    bench.give(tile(0))
    bench.run()
    assert len(bench.said(TileFailed)) == 1


def test_a_defect_in_the_scorer_ends_the_worker(bench):
    bench.scorer.faults = {0: KeyError("defect")}
    bench.give(tile(0))
    with pytest.raises(KeyError):
        bench.run()


def test_a_long_call_is_announced_to_capture_and_watchers_before_it_starts(bench):
    seen = []

    def look(_):
        seen.append((bench.said(Credit)[-1], bench.delivered(Heartbeat)[-1]))

    bench.scorer.during = look
    bench.give(tile(0), tile(1))
    bench.run()
    credit, beat = seen[0]
    assert credit.tiles == 0
    assert credit.held == (tile(0).address, tile(1).address)  # what it works on comes first
    assert credit.busy_until_ns == beat.sent_ns + 30_000 * MS == beat.busy_until_ns
    assert beat.state is StageState.RUNNING


def test_after_a_call_it_is_busy_no_more(bench):
    bench.give(tile(0))
    bench.run()
    after = [credit for credit in bench.said(Credit) if credit.tiles == 1][0]
    assert after.held == ()
    assert after.busy_until_ns < bench.clock() + 1


def test_an_idle_worker_shows_itself_every_beat(bench):
    bench.run()
    idle = bench.said(Credit)[1:]
    assert all((c.tiles, c.held) == (0, ()) for c in idle)
    assert len(idle) == 20 * 50 // 250


def test_results_wait_for_room_in_the_sinks_queue(bench):
    def fill_and_free():
        bench.results.capacity = 1000 if bench.clock.waits > 10 else len(bench.results.outbox)

    bench.clock.actors.append(fill_and_free)
    bench.scorer.during = lambda _: fill_and_free()
    bench.give(tile(0), tile(1))
    bench.run()
    assert [m.sequence for m in bench.delivered(ScoreMap)] == [0, 1]


def test_while_the_sink_is_full_the_worker_waits_and_takes_in_what_comes(bench):
    left = []

    def act():
        if bench.clock.waits == 5:
            bench.give(tile(1))
        if bench.clock.waits == 15:  # a message that is not taken in would end every wait at once
            left.append(len(bench.capture.outbox))
            bench.results.capacity = 1000

    bench.scorer.during = lambda t: t.sequence or setattr(bench.results, "capacity", 0)
    bench.clock.actors.append(act)
    bench.give(tile(0))
    bench.run()
    assert left == [0]
    assert [m.sequence for m in bench.delivered(ScoreMap)] == [0, 1]


def test_while_the_sink_is_full_capture_is_told_that_the_worker_lives_and_what_it_holds(bench):
    said = []

    def act():
        if bench.results.capacity == 0:
            said.append((bench.clock(), len(bench.said(Credit))))
        if len(said) == 400:  # 2 s
            bench.results.capacity = 1000

    bench.waits = 1000
    bench.scorer.during = lambda t: t.sequence or setattr(bench.results, "capacity", 0)
    bench.clock.actors.append(act)
    bench.give(tile(0), tile(1))
    bench.run()
    first, last = said[0][1], said[-1][1]
    meanwhile = bench.said(Credit)[first:last]
    assert len(meanwhile) >= 8  # one in 205 ms
    held = (tile(0).address, tile(1).address)
    assert {(c.tiles, c.held) for c in meanwhile} == {(0, held)}
    assert [m.sequence for m in bench.delivered(ScoreMap)] == [0, 1]


def test_a_stop_lets_go_of_a_result_that_nobody_takes_for_a_while(bench):
    bench.results.capacity = 0
    bench.give(tile(0))
    started_ns = bench.clock()
    bench.run()
    assert bench.stage.pulse.state is StageState.STOPPED
    assert 1.0 < (bench.clock() - started_ns) / 1e9 < 4


def test_a_stop_finds_room_for_a_result_in_a_queue_that_was_full_for_a_moment(bench):
    def during(_):
        bench.stopped, bench.results.capacity = True, 0

    def free():
        bench.results.capacity = 1000

    bench.scorer.during = during
    bench.clock.actors.append(free)
    bench.give(tile(0))
    bench.run()
    assert [m.sequence for m in bench.delivered(ScoreMap)] == [0]


def test_a_stop_waits_for_tiles_while_capture_drains(bench):
    bench.scorer.during = lambda _: setattr(bench, "stopped", True)
    late = iter([lambda: bench.give(tile(2))])
    bench.clock.actors.append(lambda: next(late, lambda: None)())
    bench.give(tile(0), tile(1))
    started_ns = bench.clock()
    bench.run()
    assert bench.scorer.done == [("score", 0), ("score", 1), ("score", 2)]
    assert (bench.clock() - started_ns) / 1e9 < 2


def test_a_profile_that_cannot_be_used_does_not_end_the_worker(bench, caplog):
    def refuse(_):
        raise ValueError("profile must be of this backbone")

    bench.scorer.adopt = refuse
    bench.give(ProfileState("r", "c", 3, 1, "digest", b"profile"), tile(1))
    bench.run()
    assert bench.scorer.done == [("score", 1)]
    assert "profile of lane 3 cannot be used: profile must be" in caplog.text


def test_a_new_profile_goes_to_capture_after_its_result(bench):
    state = ProfileState("r", "c", 0, 1, "digest", b"profile")
    bench.scorer.profiles = {1: state}
    bench.give(tile(0), tile(1))
    bench.run()
    assert bench.said(ProfileState) == [state]


def test_a_new_profile_is_sent_again_until_captures_queue_takes_it(bench):
    state = ProfileState("r", "c", 0, 1, "digest", b"profile")
    bench.scorer.profiles = {0: state}
    bench.scorer.during = lambda _: setattr(bench.tiles, "capacity", 0)
    bench.clock.actors.append(
        lambda: setattr(bench.tiles, "capacity", 1000) if bench.clock.waits > 8 else None
    )
    bench.give(tile(0))
    bench.run()
    assert bench.said(ProfileState) == [state]


def test_a_capture_that_asks_is_told_the_profiles_made_and_adopted_here(bench):
    made = ProfileState("r", "c", 0, 1, "made", b"profile")
    adopted = ProfileState("r", "c", 3, 1, "adopted", b"profile")
    bench.scorer.profiles = {1: made}
    bench.give(adopted, tile(0), tile(1))
    late = iter([lambda: bench.give(ProfileQuery("r", "c"), ProfileQuery("r", "other"))])
    bench.clock.actors.append(lambda: next(late, lambda: None)())
    bench.run()
    assert bench.said(ProfileState) == [made, adopted, made]


def test_a_capture_that_asks_twice_is_answered_once_while_it_takes_nothing(bench):
    state = ProfileState("r", "c", 3, 1, "digest", b"profile")

    def act():
        if bench.clock.waits in (2, 3):
            bench.tiles.capacity = 0
            bench.give(ProfileQuery("r", "c"))
        if bench.clock.waits == 6:
            bench.tiles.capacity = 1000

    bench.clock.actors.append(act)
    bench.give(state)
    bench.run()
    assert bench.said(ProfileState) == [state]


def test_profiles_of_the_roll_before_are_forgotten(bench):
    old = ProfileState("yesterday", "c", 3, 1, "old", b"profile")
    new = ProfileState("r", "c", 0, 1, "new", b"profile")
    bench.give(old, new)
    queries = iter([lambda: bench.give(ProfileQuery("yesterday", "c"), ProfileQuery("r", "c"))])
    bench.clock.actors.append(lambda: next(queries, lambda: None)())
    bench.run()
    assert bench.said(ProfileState) == [new]


def test_a_profile_that_cannot_be_used_is_not_passed_on(bench):
    def refuse(_):
        raise ValueError("profile must be of this backbone")

    bench.scorer.adopt = refuse
    bench.give(ProfileState("r", "c", 3, 1, "digest", b"profile"))
    queries = iter([lambda: bench.give(ProfileQuery("r", "c"))])
    bench.clock.actors.append(lambda: next(queries, lambda: None)())
    bench.run()
    assert bench.said(ProfileState) == []


def test_an_engine_that_fails_every_tile_does_not_fill_the_log(bench, caplog):
    bench.scorer.takes_ms = 1
    bench.scorer.faults = {n: RuntimeError("out of memory") for n in range(100)}
    bench.give(*(tile(n) for n in range(100)), *(Resume(0, 0) for _ in range(100)))
    bench.run()
    assert len(bench.said(TileFailed)) == 100
    assert len(caplog.messages) <= 2 * (LINES_PER_SECOND + 1) * 2
    assert any("more failures in that second" in line for line in caplog.messages)
    assert any("more dropped messages in that second" in line for line in caplog.messages)


def test_a_profile_from_another_worker_is_adopted_before_the_tiles_after_it(bench):
    bench.give(tile(0), ProfileState("r", "c", 3, 1, "digest", b"profile"), tile(1))
    bench.run()
    assert bench.scorer.done == [("score", 0), ("adopt", 3), ("score", 1)]


def test_what_is_no_tile_is_dropped(bench, caplog):
    bench.give(Resume(0, 0), tile(0))
    bench.run()
    assert "dropped Resume from capture" in caplog.text
    assert len(bench.delivered(ScoreMap)) == 1


def test_figures_count_tiles_and_the_time_they_took(bench):
    bench.give(tile(0), tile(1))
    bench.run()
    beat = bench.delivered(Heartbeat)[-1]
    assert beat.figures == {"tiles": 2, "busy_s": pytest.approx(0.2)}
    assert beat.last_line == 32


def test_figures_of_a_lanes_profile_are_shown_with_its_number(bench):
    score = bench.scorer.score
    bench.scorer.score = lambda scored: replace(
        score(scored), figures={"profile_drift": 0.125 * (1 + scored.lane)}
    )
    bench.give(tile(0), tile(0, lane=1))
    bench.run()
    figures = bench.delivered(Heartbeat)[-1].figures
    assert figures["lane0_profile_drift"] == 0.125
    assert figures["lane1_profile_drift"] == 0.25
    assert figures["tiles"] == 2


def test_a_tile_that_was_given_up_before_its_turn_is_not_scored(bench, caplog):
    bench.stage.links.holds = lambda held: held.sequence != 1
    bench.give(tile(0), tile(1), tile(2))
    assert bench.stage.run() == ""
    assert bench.scorer.done == [("score", 0), ("score", 2)]
    assert [m.sequence for m in bench.delivered(ScoreMap)] == [0, 2]
    assert bench.said(TileFailed) == []  # capture knows
    assert sum(credit.tiles for credit in bench.said(Credit)) == PREFETCH_TILES + 3
    assert "was given up before its turn" in caplog.text


def test_a_tile_that_was_given_up_while_it_was_scored_ends_the_worker(bench):
    """What the scorer has learnt meanwhile may be of other pixels."""
    given_up = set()
    bench.scorer.during = lambda scored: given_up.add(scored.sequence) if scored.sequence else None
    bench.stage.links.holds = lambda held: held.sequence not in given_up
    bench.give(tile(0), tile(1), tile(2))
    fault = bench.stage.run()
    assert fault == f"tile {tile(1).address} was given up while it was scored"
    assert [m.sequence for m in bench.delivered(ScoreMap)] == [0]
    assert bench.scorer.done == [("score", 0), ("score", 1)]
    assert bench.delivered(Heartbeat)[-1].state is StageState.STOPPED


def test_a_tile_that_the_link_cannot_take_goes_back_to_capture(bench, caplog):
    failed = TileFailed(tile(0).address, "w", "segment must be of this host")
    bench.give(failed, tile(1))
    assert bench.stage.run() == ""
    assert bench.said(TileFailed) == [failed]
    assert [m.sequence for m in bench.delivered(ScoreMap)] == [1]
    assert sum(credit.tiles for credit in bench.said(Credit)) == PREFETCH_TILES + 2
    assert "cannot be taken: segment must be of this host" in caplog.text
