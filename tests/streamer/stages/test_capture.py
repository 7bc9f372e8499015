"""Capture over memory links: ledger, verdicts, losses, overload, restarts and both kinds of end."""

import functools
import threading
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.dispatch import DispatchSettings
from streamer.message import (
    Gap,
    GapReason,
    Heartbeat,
    LineBlock,
    LineLoss,
    ProfileState,
    StageState,
    TileAddress,
)
from streamer.ports import WebFormat
from streamer.protocol import (
    Ack,
    Credit,
    EndOfRoll,
    Hello,
    LedgerRow,
    ProfileQuery,
    Resume,
    TileFailed,
)
from streamer.stages import capture
from streamer.stages.capture import CaptureLinks, CapturePlan, CaptureStage
from streamer.stages.pulse import Pulse
from streamer.tiling import Origin, TileGrid
from streamer.transport.memory import MemoryLink, MemorySwitchboard

COLUMNS, ROW, LANES = 32, 16, 2


class WebSource:
    """`script`: so many lines, a loss, a fault, or an event that it waits for before it ends."""

    def __init__(self, script, first_line=0):
        self.script = list(script)
        self.format = WebFormat(COLUMNS, 1, 8, "script")
        self.truth = b'{"defects": []}'
        self.line = first_line
        self.closed = False

    def read_into(self, buffer):
        if not self.script:
            return None
        item = self.script.pop(0)
        if isinstance(item, threading.Event):
            item.wait(10)
            return self.read_into(buffer)
        if isinstance(item, Exception):
            raise item
        if isinstance(item, LineLoss):
            self.line = item.first_line + item.line_count
            return item
        count = min(item, len(buffer))
        if item > count:
            self.script.insert(0, item - count)
        buffer[:count] = 7
        self.line += count
        return LineBlock("cam0", self.line - count, buffer[:count], count, 1)

    def close(self):
        self.closed = True


@dataclass
class Sink:
    """The sink's end of the ledger; acknowledges what workers have scored."""

    link: MemoryLink
    resume: Resume | None = field(default_factory=lambda: Resume(0, 0))
    heard: list = field(default_factory=list)
    scored: list = field(default_factory=list)
    answers_after: int = 1
    greetings: int = 0
    acknowledges: bool = True
    acknowledged: list = field(default_factory=list)

    def __call__(self):
        while (message := self.link.receive()) is not None:
            self.heard.append(message)
        self.greetings += any(isinstance(m, Hello) for m in self.heard)
        if self.resume is not None and self.greetings >= self.answers_after:
            self.link.send(self.resume)
            self.resume = None
        if self.scored and self.acknowledges:
            self.link.send(Ack(tuple(self.scored)))
            self.acknowledged += self.scored
            self.scored = []

    def all(self, kind):
        return [m for m in self.heard if isinstance(m, kind)]


class Worker:
    """Asks for tiles, scores them at once and tells the sink; `dies_at`: a tile that kills it."""

    def __init__(self, board, sink, name="w", window=2, dies_at=None, fails_at=None):
        self.peer, self.sink, self.name, self.window = board.connect(name), sink, name, window
        self.dies_at, self.fails_at = dies_at, fails_at
        self.tiles, self.profiles, self.queries = [], [], []
        self.alive, self.asked = True, False
        self.clears = True

    def __call__(self):
        if not self.alive:
            return
        if not self.asked:
            self.asked = True
            self.ask(self.window)
        self.ask(0)
        while (item := self.peer.receive()) is not None:
            if isinstance(item, ProfileState):
                self.profiles.append(item)
                continue
            if isinstance(item, ProfileQuery):
                self.queries.append(item)
                continue
            self.tiles.append(item)
            if item.address == self.dies_at:
                self.ask(0, held=(item.address,))
                self.alive = False
                return
            if item.address == self.fails_at:
                self.peer.send(TileFailed(item.address, self.name, "out of memory"))
            else:
                self.sink.scored.append(item.address)
            self.ask(1)

    def ask(self, tiles, held=()):
        self.peer.send(Credit(self.name, tiles, held, 0, self.window))


@dataclass
class Line:
    """A capture stage with everything around it."""

    stage: CaptureStage
    sink: Sink
    board: MemorySwitchboard
    clock: object
    stop: threading.Event
    opened: list

    def add(self, **fields):
        worker = Worker(self.board, self.sink, **fields)
        self.clock.actors.append(worker)
        return worker

    def add_slow(self, every, **fields):
        """A worker that works only at every n-th wait, and says meanwhile that it lives."""
        worker = Worker(self.board, self.sink, **fields)
        self.clock.actors.append(
            lambda: worker() if self.clock.waits % every == 0 else worker.ask(0)
        )
        return worker

    def run(self):
        outcome = self.stage.run()
        self.sink()  # what was sent last
        return outcome

    def fates(self):
        """(lane, sequence) of everything announced -> how many verdicts and gaps it has."""
        rows = self.sink.all(LedgerRow)
        fates = dict.fromkeys([(lane, row.sequence) for row in rows for lane in range(LANES)], 0)
        for address in set(self.sink.acknowledged):
            fates[address.lane, address.sequence] += 1
        for gap in self.sink.all(Gap):
            for sequence in range(gap.first_sequence, gap.first_sequence + gap.tile_count):
                fates[gap.lane, sequence] += 1
        return fates


DISPATCH = {
    "overload": "block",
    "capacity": 8,
    "max_attempts": 2,
    "worker_timeout_ms": 500,
    "verdict_timeout_ms": 60_000,
    "profile_tiles": 0,
}


def build_line(clock, script, **fields):
    stop, opened = threading.Event(), []
    clock.pause_s = 0.0001  # the reader is a real thread
    near, far = MemoryLink(), MemoryLink()
    near.outbox, far.outbox = far.inbox, near.inbox
    sink, board = Sink(far), MemorySwitchboard()
    plan = CapturePlan(
        Origin("r", "cam0", "digest"),
        TileGrid(COLUMNS, ROW, 16, 8, 8, 8, 8),
        DispatchSettings(**(DISPATCH | fields)),
        block_lines=24,
        drain_timeout_ms=2000,
        incarnation="i",
        source="script",
    )

    def open_source(resume):
        opened.append(WebSource(script, resume.first_line))
        return opened[-1]

    pulse = Pulse("capture", "capture", (near,), 200, clock)
    links = CaptureLinks(board, near, clock.wait)
    stage = CaptureStage(plan, links, pulse, open_source, stop.is_set)
    clock.actors.append(sink)
    return Line(stage, sink, board, clock, stop, opened)


@pytest.fixture
def line(clock):
    return functools.partial(build_line, clock)


def test_a_whole_roll_is_announced_scored_and_ended(line):
    roll = line([100])
    roll.add()
    assert roll.run() == ""
    rows = roll.sink.all(LedgerRow)
    assert [(row.first_line, row.line_count) for row in rows] == [
        (0, 16), (16, 16), (32, 16), (48, 16), (64, 16), (80, 16), (96, 4),
    ]  # fmt: skip
    assert set(roll.fates().values()) == {1}
    *_, end = [m for m in roll.sink.heard if not isinstance(m, Heartbeat)]
    assert end == EndOfRoll("r", "cam0", 100, 7, complete=True, truth=b'{"defects": []}')
    assert roll.opened[0].closed
    assert roll.sink.all(Heartbeat)[-1].state is StageState.STOPPED


def test_no_line_is_read_before_the_sink_has_answered(line):
    roll = line([16])
    roll.sink.answers_after = 20
    roll.add()
    assert roll.run() == ""
    hello, *rest = [m for m in roll.sink.heard if not isinstance(m, Heartbeat)]
    assert hello == Hello("r", "cam0", "i", roll.stage.plan.grid.lanes, COLUMNS, "script")
    assert [type(m) for m in rest[:3]] == [Hello, Hello, LedgerRow]
    assert roll.sink.greetings >= 20
    assert len(roll.sink.all(Hello)) == 3  # 20 waits of 100 ms


def test_a_sink_that_starts_late_is_greeted_and_may_answer_each_greeting(line, clock):
    roll = line([32])
    roll.add()
    clock.actors.remove(roll.sink)

    def start_late():
        if clock.waits == 35:  # 3.5 s
            roll.sink.link.inbox.clear()  # what was said before went to nobody
            clock.actors.extend([roll.sink, answer_again])

    def answer_again():
        if roll.sink.resume is None and clock.waits < 200:
            roll.sink.link.send(Resume(4800, 300))

    clock.actors.append(start_late)
    assert roll.run() == ""
    assert len(roll.sink.all(Hello)) >= 1
    assert [row.first_line for row in roll.sink.all(LedgerRow)] == [0, 16]


def test_each_worker_is_asked_once_for_the_profiles_it_has(line):
    roll = line([64])
    workers = [roll.add(name=name) for name in ("a", "b")]
    assert roll.run() == ""
    assert [worker.queries for worker in workers] == [[ProfileQuery("r", "cam0")]] * 2


def test_profiles_of_another_roll_are_dropped(line, caplog):
    roll = line([64])
    worker = roll.add()
    worker.peer.send(ProfileState("yesterday", "cam0", 0, 0, "d", b"profile"))
    assert roll.run() == ""
    assert "dropped ProfileState from a worker" in caplog.text
    assert roll.stage.dispatcher._profiles == {}


def test_a_hello_that_found_no_room_is_said_again(line, clock):
    roll = line([16])
    roll.add()
    ledger = roll.stage.links.ledger
    ledger.capacity = 0
    clock.actors.append(lambda: setattr(ledger, "capacity", 1000 if clock.waits > 5 else 0))
    assert roll.run() == ""
    assert len(roll.sink.all(Hello)) == 1


def test_a_ledger_that_refuses_for_a_while_gets_everything_in_order(line, clock):
    roll = line([160])
    roll.add()
    ledger = roll.stage.links.ledger

    def sometimes_full():
        ledger.capacity = 1000 if clock.waits % 7 == 0 else 0

    clock.actors.append(sometimes_full)
    assert roll.run() == ""
    assert [row.sequence for row in roll.sink.all(LedgerRow)] == list(range(10))
    assert isinstance([m for m in roll.sink.heard if not isinstance(m, Heartbeat)][-1], EndOfRoll)


def test_capture_stops_reading_when_the_ledger_is_not_taken(line, clock, monkeypatch):
    monkeypatch.setattr(capture, "MAX_OUTBOX", 4)
    roll = line([16] * 40, overload="drop_oldest")
    roll.add()
    sizes = []

    def blocked():
        if roll.opened:
            sizes.append(len(roll.stage._outbox))
            roll.stage.links.ledger.capacity = 0 if len(sizes) < 300 else 1000

    clock.actors.append(blocked)
    roll.run()
    assert max(sizes) <= 4 + 3 * LANES + 2  # one block of rows with all their gaps at most
    assert [row.sequence for row in roll.sink.all(LedgerRow)] == list(range(40))
    assert set(roll.fates().values()) == {1}


def test_a_resumed_roll_goes_on_where_the_ledger_ends(line):
    roll = line([32])
    roll.sink.resume = Resume(48, 3)
    roll.add()
    assert roll.run() == ""
    assert roll.opened[0].line == 80
    rows = [(row.sequence, row.first_line) for row in roll.sink.all(LedgerRow)]
    assert rows == [(3, 48), (4, 64)]
    assert roll.sink.all(LedgerRow)[0].starts_piece
    (end,) = roll.sink.all(EndOfRoll)
    assert (end.last_line, end.rows) == (80, 5)


def test_lines_that_the_source_lost_are_gaps_with_its_reason(line):
    loss = LineLoss("cam0", 32, 20, GapReason.CORRUPT_INPUT, 1, "b.png")
    roll = line([32, loss, 28])
    roll.add()
    assert roll.run() == ""
    gaps = roll.sink.all(Gap)
    assert {(g.first_line, g.line_count, g.reason, g.detail) for g in gaps} == {
        (32, 20, GapReason.CORRUPT_INPUT, "b.png")
    }
    assert set(roll.fates().values()) == {1}


def test_a_source_that_breaks_off_ends_the_roll_with_what_it_gave(line):
    roll = line([40, OSError("cable pulled")])
    roll.add()
    assert roll.run() == "OSError: cable pulled"
    (end,) = roll.sink.all(EndOfRoll)
    assert (end.complete, end.reason, end.last_line) == (False, "OSError: cable pulled", 40)
    assert set(roll.fates().values()) == {1}


def test_credits_bound_what_a_worker_gets(line, clock):
    roll = line([160])
    worker = roll.add(window=1)
    most = []
    clock.actors.insert(0, lambda: most.append(len(roll.board.outboxes["w"])))
    roll.run()
    assert max(most) == 1
    assert len(worker.tiles) == 20


def test_a_lost_worker_is_replaced_and_its_tiles_are_scored_by_another(line):
    roll = line([160])
    dead = roll.add(name="a", dies_at=TileAddress("cam0", 0, 2))
    alive = roll.add(name="b")
    assert roll.run() == ""
    assert not dead.alive
    assert roll.sink.all(Gap) == []
    assert {t.sequence for t in alive.tiles if t.lane == 0} >= set(range(2, 10))
    assert set(roll.fates().values()) == {1}
    in_order = [t.sequence for t in alive.tiles if t.lane == 0]
    assert in_order == sorted(in_order)


def test_a_tile_that_kills_every_worker_is_given_up_after_its_attempts(line, clock):
    roll = line([64])
    killer = TileAddress("cam0", 1, 1)
    crew = [roll.add(name="w0", dies_at=killer)]

    def replace():
        if not crew[-1].alive and crew[-1].peer.name not in roll.stage.dispatcher.workers:
            crew.append(roll.add(name=f"w{len(crew)}", dies_at=killer))

    clock.actors.append(replace)
    assert roll.run() == ""
    (gap,) = roll.sink.all(Gap)
    assert (gap.lane, gap.first_sequence, gap.reason) == (1, 1, GapReason.WORKER_LOST)
    assert [t.address for w in crew for t in w.tiles].count(killer) == 2


def test_a_peer_that_is_gone_loses_its_tiles_at_once(line):
    roll = line([64])
    gone = roll.add(name="a")
    alive = roll.add(name="b")

    def disconnect():
        if gone.alive and gone.tiles:
            gone.alive = False
            gone.peer.close()

    roll.clock.actors.append(disconnect)
    started_ns = roll.clock()
    assert roll.run() == ""
    assert roll.sink.all(Gap) == []
    assert set(roll.fates().values()) == {1}
    assert len(alive.tiles) >= 4
    assert (roll.clock() - started_ns) / 1e6 < DISPATCH["worker_timeout_ms"]


def test_a_tile_that_cannot_be_scored_is_tried_again_and_then_named(line):
    roll = line([64])
    failing = TileAddress("cam0", 0, 1)
    worker = roll.add(fails_at=failing)
    assert roll.run() == ""
    (gap,) = roll.sink.all(Gap)
    assert (gap.reason, gap.detail) == (GapReason.ENGINE_ERROR, "w: out of memory")
    assert [t.address for t in worker.tiles].count(failing) == 2


def test_verdicts_that_do_not_come_in_time_are_timeouts(line):
    roll = line([32], verdict_timeout_ms=1000)
    roll.add()
    roll.sink.acknowledges = False
    assert roll.run() == ""
    assert {g.reason for g in roll.sink.all(Gap)} == {GapReason.TIMEOUT}
    assert set(roll.fates().values()) == {1}


def test_a_worker_that_was_lost_by_mistake_gets_tiles_again(line, clock):
    hold = threading.Event()
    roll = line([16, hold, 64])
    worker = roll.add()

    def sleep_and_wake():
        if clock.waits == 60:  # idle, with all its credit at capture
            worker.alive = False
        if not worker.alive and "w" not in roll.stage.dispatcher.workers:
            worker.alive = True
            hold.set()

    clock.actors.append(sleep_and_wake)
    assert roll.run() == ""
    assert hold.is_set()
    assert roll.sink.all(Gap) == []
    assert len(worker.tiles) == 10


def test_a_worker_that_gave_its_credit_to_a_capture_that_died_gets_tiles(line):
    roll = line([64])
    worker = roll.add()
    worker.asked = True  # its first request went to the capture before this one
    assert roll.run() == ""
    assert len(worker.tiles) == 8


def test_the_profile_of_a_lane_goes_to_the_worker_that_takes_it_over(line, clock):
    roll = line([160], profile_tiles=1)
    first = roll.add(name="a", dies_at=TileAddress("cam0", 0, 5))
    states = [ProfileState("r", "cam0", lane, 0, "d", b"profile") for lane in range(LANES)]
    second = []

    def act():
        if first.tiles and states:
            first.peer.send(states.pop())
        if not first.alive and not second:
            second.append(roll.add(name="b"))

    clock.actors.append(act)
    assert roll.run() == ""
    assert {p.lane for p in second[0].profiles} == {0, 1}
    assert roll.sink.all(Gap) == []


@pytest.mark.parametrize("overload", ["drop_oldest", "skip_lanes"])
def test_overload_drops_tiles_and_names_each(line, clock, overload):
    roll = line([16] * 60, overload=overload, capacity=4)
    roll.add_slow(25, window=1)
    assert roll.run() == ""
    gaps = roll.sink.all(Gap)
    assert {g.reason for g in gaps} == {GapReason.OVERLOAD}
    assert set(roll.fates().values()) == {1}
    assert roll.stage.dispatcher.waiting == 0


def test_block_waits_for_the_workers_and_loses_nothing(line, clock):
    roll = line([16] * 40, capacity=4)
    worker = roll.add_slow(25, window=1)
    waiting = []
    clock.actors.append(lambda: waiting.append(roll.stage.dispatcher.waiting))
    assert roll.run() == ""
    assert roll.sink.all(Gap) == []
    assert len(worker.tiles) == 80
    assert max(waiting) <= 4 + 2 * LANES


def test_a_stop_drains_what_was_captured_and_reads_no_more(line, clock):
    roll = line([16] * 10_000)
    worker = roll.add()

    def stop():
        if len(worker.tiles) > 10:
            roll.stop.set()

    clock.actors.append(stop)
    assert roll.run() == "stopped on request"
    (end,) = roll.sink.all(EndOfRoll)
    assert (end.complete, end.reason) == (False, "stopped on request")
    assert end.rows == len(roll.sink.all(LedgerRow)) < 10_000
    assert roll.sink.all(Gap) == []
    assert set(roll.fates().values()) == {1}
    assert roll.opened[0].closed


def test_a_stop_before_the_sink_has_answered_tells_it_not_to_wait(line):
    roll = line([16])
    roll.sink.resume = None
    roll.stop.set()
    assert roll.run() == "stopped on request"
    assert roll.opened == []
    (end,) = roll.sink.all(EndOfRoll)
    assert (end.last_line, end.rows, end.complete) == (0, 0, False)


def test_a_stop_while_the_sink_does_not_answer_ends_the_greeting(line, clock):
    roll = line([16])
    roll.sink.resume = None
    clock.actors.append(lambda: roll.stop.set() if clock.waits > 30 else None)
    assert roll.run() == "stopped on request"
    assert len(roll.sink.all(EndOfRoll)) == 1


def test_draining_without_workers_gives_up_after_the_limit(line, clock):
    roll = line([32])
    started_ns = clock()
    fault = roll.run()
    assert fault == "no progress for 2000 ms while draining"
    assert {(g.reason, g.detail) for g in roll.sink.all(Gap)} == {(GapReason.WORKER_LOST, fault)}
    assert set(roll.fates().values()) == {1}
    assert (clock() - started_ns) / 1e9 < 5
    (end,) = roll.sink.all(EndOfRoll)
    assert (end.complete, end.reason) == (False, fault)


def test_draining_goes_on_while_verdicts_come_however_slowly(line, clock):
    roll = line([64])
    worker = roll.add_slow(70, window=1)  # at 20 ms a wait
    assert roll.run() == ""
    assert len(worker.tiles) == 8
    assert clock() > 8 * 1.0e9


def test_a_sink_that_is_gone_ends_capture_in_bounded_time(line, clock):
    roll = line([64])
    roll.add()

    def die():
        if roll.stage._rows >= 2 and roll.sink in clock.actors:
            clock.actors.remove(roll.sink)
            roll.stage.links.ledger.capacity = 0

    clock.actors.append(die)
    started_ns = clock()
    assert "no progress" in roll.run()
    assert (clock() - started_ns) / 1e9 < 2 + capture.MAX_SILENCE_S + 5
    assert roll.stage.pulse.state is not StageState.STOPPED


def test_messages_that_make_no_sense_are_dropped(line, caplog):
    roll = line([16])
    roll.add()
    roll.board.connect("stranger").send(Resume(5, 5))
    roll.sink.link.send(Credit("w", 1))
    assert roll.run() == ""
    assert "dropped Resume from a worker" in caplog.text
    assert "dropped Credit from the sink" in caplog.text


def test_capture_beats_while_it_waits(line, clock):
    hold = threading.Event()
    roll = line([16, hold])
    roll.add()
    clock.actors.append(lambda: hold.set() if clock.waits > 300 else None)
    roll.run()
    sent = [beat.sent_ns for beat in roll.sink.all(Heartbeat)]
    assert max(b - a for a, b in zip(sent, sent[1:], strict=False)) < 320 * 1_000_000
    assert roll.sink.all(Heartbeat)[-1].last_line == 16


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    script=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    overload=st.sampled_from(["block", "drop_oldest", "skip_lanes"]),
    deaths=st.lists(st.integers(0, 12), max_size=3),
    fails=st.integers(0, 12),
    slow=st.integers(1, 10),
)
def test_nothing_announced_is_ever_forgotten(clock, script, overload, deaths, fails, slow):
    roll = build_line(type(clock)(), script, overload=overload, capacity=4)
    for n, sequence in enumerate(deaths):
        roll.add(name=f"w{n}", dies_at=TileAddress("cam0", n % LANES, sequence))
    roll.add_slow(slow, name="z", window=1, fails_at=TileAddress("cam0", 0, fails))
    assert roll.run() == ""
    assert set(roll.fates().values()) == {1}
    assert roll.sink.all(EndOfRoll)[0].rows == len(roll.sink.all(LedgerRow)) > 0


def test_tiles_are_cut_into_the_memory_of_their_link(line):
    given = []

    def allocate(shape, dtype):
        given.append(shape)
        return np.empty(shape, dtype)

    roll = line([100])
    roll.stage.links.allocate = allocate
    worker = roll.add()
    assert roll.run() == ""
    assert given == [
        tile.pixels.shape for tile in sorted(worker.tiles, key=lambda t: (t.sequence, t.lane))
    ]
    assert len(given) == 14


def test_beats_carry_what_the_source_says_of_its_camera(line, monkeypatch):
    health = {"connected": 1.0, "missing_packets": 4.0}
    monkeypatch.setattr(WebSource, "health", health, raising=False)
    roll = line([100])
    roll.add()
    assert roll.run() == ""
    assert roll.sink.all(Heartbeat)[-1].figures == {**health, "seen_line": 100.0}


def test_counts_of_tile_memory_and_recorder_stay_in_the_beats(line, monkeypatch):
    monkeypatch.setattr(WebSource, "health", {"frames": 3.0}, raising=False)
    roll = line([100])
    kept = roll.stage.pulse.figures  # what composition hands to them
    roll.add()
    kept["lines_refused_by_recorder"] = 8.0
    assert roll.run() == ""
    kept["tiles_outside_slots"] = 1.0
    assert roll.stage.pulse.figures == {
        "frames": 3.0, "lines_refused_by_recorder": 8.0, "tiles_outside_slots": 1.0,
        "seen_line": 100,
    }  # fmt: skip
    assert roll.sink.all(Heartbeat)[-1].figures["lines_refused_by_recorder"] == 8.0


def test_what_a_block_says_of_the_light_is_in_the_beats(line, monkeypatch):
    read = WebSource.read_into

    def dusty(self, buffer):
        got = read(self, buffer)
        late = isinstance(got, LineBlock) and got.first_line >= ROW
        return replace(got, notices=("dust",)) if late else got

    monkeypatch.setattr(WebSource, "read_into", dusty)
    roll = line([100])
    roll.add()
    assert roll.run() == ""
    said = [beat.notices for beat in roll.sink.all(Heartbeat)]
    assert said[0] == ()
    assert said[-1] == ("dust",)
