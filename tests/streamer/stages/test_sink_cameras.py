"""The sink over two cameras side by side: one web, one ledger, none waits for ever."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.alarm_book.book import AlarmBook
from streamer.alarm_book.state import BookSettings
from streamer.decision import DecisionSettings
from streamer.message import AlarmKind, Gap, GapReason, Interval, ScoreMap
from streamer.protocol import Ack, EndOfRoll, Hello, LedgerRow, Resume
from streamer.side_by_side import CameraPlace
from streamer.stages import sink
from streamer.stages.announcer import AlarmOrigin
from streamer.stages.camera_roll import ENDED_EARLIER
from streamer.stages.pulse import Pulse
from streamer.stages.sink import SinkStage
from streamer.stages.sink_plan import SinkLinks, SinkOutputs, SinkPlan
from streamer.transport.memory import MemoryLink, MemorySwitchboard
from streamer.web import WebGeometry
from tests.streamer.stages.fakes import FakeMemory

GEOMETRY = WebGeometry(48, 1.0, 1.0, 60.0)
PLACES = (CameraPlace("a", Interval(0, 32)), CameraPlace("b", Interval(32, 48), 2))
LANES = {"a": (Interval(0, 16), Interval(16, 32)), "b": (Interval(0, 16),)}


def hello(camera, incarnation="first"):
    return Hello("r", camera, incarnation, LANES[camera], LANES[camera][-1].end, f"web of {camera}")


def row(camera, sequence):
    place = sequence, sequence * 16, 16, sequence == 0
    return LedgerRow("r", camera, *place, LANES[camera], (), 1)


def maps(camera, *sequences, value=0.0):
    return [
        ScoreMap(
            *("r", camera, lane, n, n * 16, 16, columns.first, columns.size, 8),
            *(np.full((2, 2), value, np.float32), 0.0, 1.0, "p", "m", 1, 2, "w"),
        )
        for n in sequences
        for lane, columns in enumerate(LANES[camera])
    ]  # fmt: skip


def end(camera, rows, **fields):
    return replace(EndOfRoll("r", camera, rows * 16, rows, True, "", b""), **fields)


def shown(camera, rows, value=0.0):
    """All that a camera and the workers say of so many rows."""
    said = [hello(camera), *(row(camera, n) for n in range(rows))]
    return [*said, *maps(camera, *range(rows), value=value), end(camera, rows)]


class NoPeers:
    """Nobody follows the line; see line_ports.LinePeers."""

    publisher = "p"

    def tell(self, status):
        pass

    def show_rows(self, rows):
        pass

    def take_commands(self):
        return ()


class Record:
    """Keeps strips, alarms and defects; see ports.RollRecord."""

    backlog = 0

    def __init__(self):
        self.strips, self.alarms, self.defects, self.evidence = [], [], [], []

    def add_strip(self, strip):
        self.strips.append(strip)

    def add_alarm(self, alarm):
        self.alarms.append(alarm)

    def add_defect(self, defect):
        self.defects.append(defect)

    def add_evidence(self, score_map):
        self.evidence.append(score_map)

    def finish(self, summary, on_step):
        self.summary = summary


class Roll:
    """A sink that hears `script`, one item per wait; then, if asked, a request to stop."""

    def __init__(self, clock, script, stops=False):
        self.clock, self.script, self.stops = clock, list(script), stops
        self.ledger, self.results = MemorySwitchboard(), MemoryLink()
        self.captures = {name: self.ledger.connect(f"capture-{name}") for name in LANES}
        self.record, self.answers = Record(), {name: [] for name in LANES}
        origin = AlarmOrigin("r", "a+b", "digest", GEOMETRY)
        plan = SinkPlan(origin, DecisionSettings(GEOMETRY), 8, 3000, 10_000, 3000, PLACES)
        pulse = Pulse("sink", "sink", (), 200, clock)
        links = SinkLinks(self.ledger, self.results, clock.wait)
        stopping = lambda: self.stops and not self.script  # noqa: E731
        outputs = SinkOutputs(self.record, (), NoPeers(), AlarmBook(BookSettings()), FakeMemory())
        self.stage = SinkStage(plan, links, pulse, outputs, stopping)
        clock.actors.append(self.step)

    def step(self):
        for name, capture in self.captures.items():
            while (answer := capture.receive()) is not None:
                self.answers[name].append(answer)
        if not self.script:
            return
        item = self.script.pop(0)
        if isinstance(item, ScoreMap):
            self.results.inbox.append(item)
        elif callable(item):
            item(self)
        else:
            self.captures[item.camera].send(item)

    def run(self):
        summary = self.stage.run()
        self.step()
        assert summary.is_exact
        return summary

    def acked(self, camera):
        acks = [answer for answer in self.answers[camera] if isinstance(answer, Ack)]
        return [(a.lane, a.sequence) for ack in acks for a in ack.addresses]


@pytest.fixture
def play(clock):
    return lambda *script, stops=False: Roll(clock, script, stops)


def test_two_cameras_make_one_web(play):
    roll = play(*shown("a", 2), *shown("b", 2))
    summary = roll.run()
    assert (summary.outcome, summary.camera, summary.last_line) == ("complete", "a+b", 32)
    assert summary.source == "web of a | web of b"
    assert summary.coverage.inspected == 32 * 48
    assert summary.profile_digests == {"0": "p", "1": "p", "2": "p"}
    assert [(s.first_line, s.scores.shape) for s in roll.record.strips] == [
        (0, (2, 6)),
        (16, (2, 6)),
    ]
    lanes = [(c.camera, c.lane, c.columns.first) for c in roll.record.strips[0].coverage]
    assert lanes == [("a", 0, 0), ("a", 1, 16), ("b", 2, 32)]
    assert roll.answers["a"][0] == roll.answers["b"][0] == Resume(0, 0)
    assert roll.acked("a") == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert roll.acked("b") == [(0, 0), (0, 1)]


def test_a_defect_across_the_seam_is_one_defect_in_one_place(play):
    roll = play(*shown("a", 1, 3.0), *shown("b", 1, 3.0))
    assert roll.run().defects == 1
    region = roll.record.defects[-1].region
    assert (region.cross_first, region.cross_end) == (0.0, 48.0)


def test_evidence_lies_at_its_place_on_the_web(play):
    seen = [replace(m, evidence=np.zeros((16, 16), np.uint8)) for m in maps("b", 0)]
    play_b = [hello("b"), row("b", 0), *seen, end("b", 1)]
    roll = play(*shown("a", 1), *play_b)
    roll.run()
    assert [m.first_column for m in roll.record.evidence] == [32]


def test_a_camera_that_ends_earlier_leaves_a_gap_and_the_other_goes_on(play):
    roll = play(*shown("b", 1), *shown("a", 3))
    summary = roll.run()
    assert summary.outcome == "complete"
    assert summary.coverage.not_inspected == {GapReason.CAMERA_LOSS: 32 * 16}
    (gap, *_) = [a for a in roll.record.alarms if a.kind is AlarmKind.NOT_INSPECTED]
    assert gap.text == f"camera_loss: b lane 0 {ENDED_EARLIER}"
    assert sum(s.line_count for s in roll.record.strips) == 48


@pytest.mark.parametrize("greets", [False, True])
def test_a_camera_that_never_shows_a_line_is_not_inspected_at_all(play, greets):
    roll = play(*shown("a", 2), *([hello("b")] if greets else []), stops=True)
    summary = roll.run()
    said = "capture did not end the roll" if greets else "stopped before the first line"
    assert summary.outcome == f"b: {said}"
    assert summary.coverage.inspected == 32 * 32
    assert summary.coverage.not_inspected == {GapReason.CAMERA_LOSS: 32 * 16}
    assert [s.line_count for s in roll.record.strips] == [16, 16]


def test_a_camera_that_is_ahead_is_not_acknowledged_until_the_other_follows(play, monkeypatch):
    monkeypatch.setattr(sink, "MOST_AHEAD", 2)
    counts = []
    note = lambda roll: counts.append(len(roll.acked("a")))  # noqa: E731
    ahead, behind = shown("a", 6), shown("b", 6)
    roll = play(*ahead, note, note, *behind, note)
    assert roll.run().outcome == "complete"
    assert counts[0] == counts[1] == 6  # three rows: two that wait, and the one that is too many
    assert len(roll.acked("a")) == 12


def test_a_restarted_camera_loses_its_own_tiles_alone(play):
    a, b = shown("a", 2), [hello("b"), row("b", 0), row("b", 1), *maps("b", 0)]
    roll = play(*a[:-1], *b, hello("b", "second"), end("b", 2), a[-1])
    summary = roll.run()
    assert summary.capture_starts == 3
    assert summary.coverage.not_inspected == {GapReason.CAMERA_LOSS: 16 * 16}
    assert Resume(32, 2, 1) in roll.answers["b"]


def test_what_a_stranger_says_is_dropped(play, caplog):
    strange = [replace(row("a", 0), camera="x"), replace(hello("a"), camera="x")]
    roll = play(*shown("a", 1), *shown("b", 1)[:-1], lambda roll: None, end("b", 1))
    for message in strange:
        roll.captures["a"].send(message)
    assert roll.run().coverage.inspected == 16 * 48
    assert [r.getMessage() for r in caplog.records] == [
        "dropped LedgerRow from capture", "dropped Hello from capture",
    ]  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_every_pixel_is_accounted_for_whatever_comes_when(clock, data):
    rows = data.draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    lost = data.draw(st.sets(st.tuples(st.sampled_from("ab"), st.integers(0, 3))))
    news = {}
    for name, count in zip("ab", rows, strict=True):
        said = shown(name, count)
        verdicts = [
            Gap("r", name, m.lane, m.sequence, 1, m.first_line, 16, GapReason.OVERLOAD, "")
            if (name, m.sequence) in lost
            else m
            for m in maps(name, *range(count))
        ]
        ledger = [m for m in said if not isinstance(m, ScoreMap)]
        # Rows of a camera come in order, verdicts when they will.
        news[name] = ledger, data.draw(st.permutations(verdicts))
    queues = [list(part) for parts in news.values() for part in parts if part]
    script = []
    while queues:
        queue = data.draw(st.sampled_from(queues))
        script.append(queue.pop(0))
        queues = [q for q in queues if q]
    roll = Roll(clock, script)
    summary = roll.run()
    clock.actors.remove(roll.step)
    assert summary.last_line == 16 * max(rows)
    inspected = sum(
        sum(c.columns.size for c in s.coverage if c.status == "inspected") * s.line_count
        for s in roll.record.strips
    )
    assert inspected == summary.coverage.inspected
    assert sum(s.line_count for s in roll.record.strips) == summary.last_line
