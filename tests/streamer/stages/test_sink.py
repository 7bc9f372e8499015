"""The sink over memory links: exact coverage, every alarm's life, restarts, losses and the end."""

import errno
import itertools
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.alarm_book.book import AlarmBook
from streamer.alarm_book.state import BookSettings
from streamer.decision import DecisionSettings
from streamer.line_status import Command, CommandAnswer, CommandKind, RunState
from streamer.message import (
    AlarmKind,
    DefectState,
    Gap,
    GapReason,
    Heartbeat,
    Interval,
    ScoreMap,
    StageState,
    TileAddress,
)
from streamer.protocol import Ack, EndOfRoll, Hello, LedgerRow, Resume
from streamer.stages.announcer import AlarmOrigin
from streamer.stages.pulse import Pulse
from streamer.stages.sink import SinkStage
from streamer.stages.sink_plan import SinkLinks, SinkOutputs, SinkPlan
from streamer.stages.status_board import StatusLimits
from streamer.transport.memory import MemoryLink, MemorySwitchboard
from streamer.web import WebGeometry
from tests.streamer.stages.fakes import FakeMemory, FakeOutput, FakePeers, FakeRecord

GEOMETRY = WebGeometry(32, 1.0, 1.0, 60.0)
LANES = (Interval(0, 16), Interval(16, 32))
HELLO = Hello("r", "cam0", "first", LANES, 32, "a web")


def row(sequence, lines=16, masked=(), roll="r"):
    first = sequence * 16
    return LedgerRow(roll, "cam0", sequence, first, lines, sequence == 0, LANES, masked, 1)


def score_map(sequence, lane, value=0.0, lines=16, stride=8, **fields):
    shape = (-(-lines // stride), 16 // stride)
    place = (lane, sequence, sequence * 16, lines, LANES[lane].first, 16, stride)
    scores = np.full(shape, value, np.float32)
    made = ScoreMap("r", "cam0", *place, scores, 0.0, 1.0, "p", "m", 1, 2, "w")
    return replace(made, **fields)


def tiles(*sequences, value=0.0):
    return [score_map(n, lane, value) for n in sequences for lane in range(2)]


def gap(sequence, lane, reason=GapReason.OVERLOAD):
    return Gap("r", "cam0", lane, sequence, 1, sequence * 16, 16, reason, "why")


def end(rows, complete=True, reason="", truth=b""):
    return EndOfRoll("r", "cam0", rows * 16, rows, complete, reason, truth)


def beat(state=StageState.RUNNING, stage="score", **fields):
    made = Heartbeat(stage, f"{stage}-0", state, 0, 0, 0, 0, "fake:cpu" if stage == "score" else "")
    return replace(made, **fields)


class Roll:
    """A sink stage, and `script` of what it hears: one item per wait; a number waits so many ms."""

    def __init__(self, clock, script, faults=(), repeats=None):
        self.clock, self.script = clock, list(script)
        self.ledger, self.results, self.parent = MemorySwitchboard(), MemoryLink(), MemoryLink()
        self.capture = self.ledger.connect("capture-cam0")
        self.record = FakeRecord()
        self.outputs = tuple(FakeOutput(fault) for fault in (*faults, None))
        self.stopped = False
        plan = SinkPlan(
            AlarmOrigin("r", "cam0", "digest", GEOMETRY),
            DecisionSettings(GEOMETRY),
            stride=8,
            stall_ms=3000,
            verdict_timeout_ms=10_000,
            orphan_timeout_ms=3000,
            repeats=repeats,
        )
        pulse = Pulse("sink", "sink", (self.parent,), 200, clock)
        links = SinkLinks(self.ledger, self.results, clock.wait)
        self.peers, self.book = FakePeers(), AlarmBook(BookSettings())
        self.memory = FakeMemory()
        outputs = SinkOutputs(self.record, self.outputs, self.peers, self.book, self.memory)
        self.stage = SinkStage(plan, links, pulse, outputs, lambda: self.stopped)
        self.answers = []
        clock.actors.append(self.step)

    def step(self):
        self.hear()
        if not self.script:
            return
        item = self.script.pop(0)
        for part in item if isinstance(item, list) else [item]:
            self.deliver(part)

    def deliver(self, item):
        if callable(item):
            item(self)
        elif isinstance(item, int):
            self.clock.advance_ms(item)
        elif isinstance(item, ScoreMap) or getattr(item, "stage", "") == "score":
            self.results.inbox.append(item)
        else:
            self.capture.send(item)

    def hear(self):
        while (answer := self.capture.receive()) is not None:
            self.answers.append(answer)

    def run(self):
        summary = self.stage.run()
        self.hear()
        assert summary.is_exact
        assert self.record.summaries == [summary]
        assert [a.sequence for a in self.record.alarms] == [
            n + 1 for n in range(len(self.record.alarms))
        ]
        return summary

    @property
    def acked(self):
        return [a for answer in self.answers if isinstance(answer, Ack) for a in answer.addresses]

    @property
    def resumes(self):
        return [answer for answer in self.answers if isinstance(answer, Resume)]

    def alarms(self, kind):
        return [(a.id.split("/")[-1], a.state.value) for a in self.record.alarms if a.kind is kind]


@pytest.fixture
def play(clock):
    def start(*script, faults=()):
        return Roll(clock, script, faults)

    return start


def stop(roll):
    roll.stopped = True


def test_a_whole_roll_is_stitched_acknowledged_and_summed_up(play):
    roll = play(HELLO, [row(0), row(1)], *tiles(0, 1), end(2, truth=b"{}"))
    summary = roll.run()
    assert summary.outcome == "complete"
    assert (summary.roll, summary.camera, summary.source) == ("r", "cam0", "a web")
    assert (summary.last_line, summary.columns, summary.truth) == (32, 32, b"{}")
    assert (summary.coverage.inspected, summary.coverage.not_inspected) == (1024, {})
    assert summary.workers == ("w",)
    assert summary.model_digests == ("m",)
    assert summary.profile_digests == {"0": "p", "1": "p"}
    assert [strip.first_line for strip in roll.record.strips] == [0, 16]
    assert roll.resumes == [Resume(0, 0)]
    assert roll.acked == [m.address for m in tiles(0, 1)]
    assert roll.record.alarms == []


def test_the_end_may_come_before_the_last_verdicts(play):
    roll = play(HELLO, [row(0), end(1)], 500, *tiles(0))
    assert roll.run().outcome == "complete"


def test_an_empty_roll_is_complete(play):
    summary = play(HELLO, end(0)).run()
    assert (summary.outcome, summary.last_line) == ("complete", 0)


def test_why_capture_ended_early_is_the_outcome(play):
    roll = play(HELLO, row(0), *tiles(0), end(1, complete=False, reason="OSError: cable pulled"))
    assert roll.run().outcome == "OSError: cable pulled"


def test_a_repeated_map_is_acknowledged_again_and_counts_once(play):
    roll = play(HELLO, row(0), score_map(0, 0), score_map(0, 0, 9.0), *tiles(0), end(1))
    summary = roll.run()
    assert summary.coverage.inspected == 512
    assert roll.acked.count(TileAddress("cam0", 0, 0)) == 3
    assert np.nanmax(roll.record.strips[0].scores) == 0.0


def test_acknowledgements_wait_for_a_capture_that_is_away(play):
    def leave(roll):
        roll.capture.close()

    def come_back(roll):
        roll.ledger.connect("capture-cam0")

    script = (HELLO, [row(0), row(1)], leave, score_map(0, 0), 100, come_back, *tiles(0, 1), end(2))
    roll = play(*script)
    roll.run()
    assert set(roll.acked) == {m.address for m in tiles(0, 1)}


def test_a_gap_is_an_alarm_that_ends_with_the_web_after_it(play):
    roll = play(HELLO, [row(0), row(1), row(2)], gap(1, 0), gap(1, 1), *tiles(0, 2), end(3))
    summary = roll.run()
    assert summary.coverage.not_inspected == {GapReason.OVERLOAD: 512}
    assert roll.alarms(AlarmKind.NOT_INSPECTED) == [
        ("not-inspected-1", "new"),
        ("not-inspected-1", "update"),
        ("not-inspected-1", "end"),
    ]
    assert np.isnan(roll.record.strips[1].scores).all()


def test_a_gap_at_the_end_of_the_roll_ends_with_it(play):
    roll = play(HELLO, row(0), *tiles(0), row(1), gap(1, 0), gap(1, 1), end(2))
    roll.run()
    assert roll.alarms(AlarmKind.NOT_INSPECTED)[-1] == ("not-inspected-1", "end")


def test_a_gap_that_comes_twice_raises_one_alarm(play):
    roll = play(HELLO, row(0), gap(0, 0), gap(0, 0), score_map(0, 1), end(1))
    roll.run()
    assert [state for _, state in roll.alarms(AlarmKind.NOT_INSPECTED)] == ["new", "end"]


def test_a_defect_is_announced_and_ends_at_the_end_of_the_roll(play):
    roll = play(HELLO, [row(0), row(1)], *tiles(0, 1, value=2.0), end(2))
    summary = roll.run()
    assert summary.defects == 1
    assert [d.state for d in roll.record.defects][0] is DefectState.NEW
    assert [d.state for d in roll.record.defects][-1] is DefectState.END
    assert roll.record.defects[-1].area_mm2 == 1024
    assert roll.alarms(AlarmKind.DEFECT)[0] == ("defect-1", "new")
    assert roll.alarms(AlarmKind.DEFECT)[-1] == ("defect-1", "end")
    assert roll.record.alarms[0].model_digest == "m"
    assert roll.outputs[0].published == roll.record.alarms


def test_evidence_is_kept_once(play):
    pixels = np.zeros((16, 16), np.uint8)
    shown = score_map(0, 0, 2.0, evidence=pixels)
    roll = play(HELLO, row(0), shown, shown, score_map(0, 1), end(1))
    roll.run()
    assert [m.address for m in roll.record.evidence] == [shown.address]


def test_a_capture_that_was_restarted_hears_where_the_ledger_ends(play):
    again = replace(HELLO, incarnation="second")
    roll = play(HELLO, [row(0), row(1)], *tiles(0), again, row(2), *tiles(2), end(3))
    summary = roll.run()
    assert roll.resumes == [Resume(0, 0), Resume(32, 2, 1)]
    assert summary.outcome == "complete"
    assert summary.coverage.not_inspected == {GapReason.CAMERA_LOSS: 512}
    assert {a.text for a in roll.record.alarms if a.state is DefectState.NEW} == {
        "camera_loss: lane 0 capture was restarted"
    }


def test_the_same_capture_may_greet_twice_and_loses_nothing(play):
    roll = play(HELLO, row(0), HELLO, *tiles(0), end(1))
    assert roll.run().coverage.not_inspected == {}
    assert roll.resumes == [Resume(0, 0), Resume(16, 1, 1)]


def test_a_late_map_of_the_capture_before_is_acknowledged_and_changes_nothing(play):
    again = replace(HELLO, incarnation="second")
    roll = play(HELLO, row(0), again, score_map(0, 0), row(1), *tiles(1), end(2))
    summary = roll.run()
    assert summary.coverage.not_inspected == {GapReason.CAMERA_LOSS: 512}
    assert TileAddress("cam0", 0, 0) in roll.acked


def test_a_map_that_does_not_fit_its_row_is_no_verdict(play):
    roll = play(HELLO, score_map(0, 0, 9.0, lines=64), row(0), *tiles(0), end(1))
    summary = roll.run()
    assert summary.coverage.inspected == 512
    assert np.nanmax(roll.record.strips[0].scores) == 0.0


def test_a_map_that_does_not_fit_a_known_row_is_not_acknowledged(play):
    roll = play(HELLO, row(0), score_map(0, 0, lines=64), 100, lambda r: r.hear(), end(1))
    roll.script += [lambda r: r.answers.append("now"), *tiles(0)]
    roll.run()
    assert not any(isinstance(answer, Ack) for answer in roll.answers[: roll.answers.index("now")])


def test_a_map_on_another_grid_is_dropped(play, caplog):
    roll = play(HELLO, row(0), score_map(0, 0, stride=4), *tiles(0), end(1))
    assert roll.run().coverage.inspected == 512
    assert "dropped ScoreMap from a worker" in caplog.text


def test_messages_of_another_roll_are_dropped(play):
    other = [row(7, roll="x"), replace(gap(0, 0), roll="x"), replace(end(9), roll="x")]
    other.append(replace(score_map(0, 0, 5.0), roll="x"))
    roll = play(HELLO, row(0), other, *tiles(0), end(1))
    summary = roll.run()
    assert (summary.last_line, summary.coverage.captured) == (16, 512)


def test_without_any_verdict_for_too_long_the_open_tiles_are_timeouts(play):
    roll = play(HELLO, [row(0), row(1)], *tiles(0), 10_001, 100, end(2))
    summary = roll.run()
    assert summary.outcome == "complete"
    assert summary.coverage.not_inspected == {GapReason.TIMEOUT: 512}
    assert "no verdict in 10000 ms" in roll.record.alarms[0].text


def test_a_ledger_row_that_never_came_is_a_gap_and_the_roll_flows_on(play, clock):
    strips = []
    late = [*tiles(0, 2), 1, lambda r: strips.extend(r.record.strips)]
    roll = play(HELLO, row(0), row(2), *late, row(3), *tiles(3), end(4))
    started_ns = clock()
    summary = roll.run()
    assert [s.first_line for s in strips] == [0, 16, 32]  # before the roll ended
    assert [s.starts_piece for s in roll.record.strips] == [True, True, True, False]
    assert summary.outcome == "complete"
    assert summary.coverage.not_inspected == {GapReason.CAMERA_LOSS: 512}
    assert roll.record.alarms[0].text == "camera_loss: lane 0 ledger row lost"
    assert (clock() - started_ns) / 1e9 < 2


def test_ledger_rows_lost_before_the_end_are_gaps_too(play):
    roll = play(HELLO, row(0), *tiles(0), end(3))
    summary = roll.run()
    assert (summary.outcome, summary.last_line) == ("complete", 48)
    assert summary.coverage.not_inspected == {GapReason.CAMERA_LOSS: 1024}
    assert [(s.first_line, s.line_count) for s in roll.record.strips] == [
        (0, 16), (16, 31), (47, 1),
    ]  # fmt: skip


def test_lost_rows_whose_lines_are_not_known_end_the_roll_with_that_outcome(play, clock):
    overlapping = replace(row(2), first_line=16)
    maps = [replace(m, first_line=16) for m in tiles(2)]
    roll = play(HELLO, row(0), *tiles(0), overlapping, *maps, end(3))
    started_ns = clock()
    assert roll.run().outcome == "2 rows never reached the ledger"
    assert 13 < (clock() - started_ns) / 1e9 < 15


def test_a_lost_gap_is_a_timeout_while_the_lane_goes_on(play):
    steps = [[row(n), *tiles(n), 4000] for n in range(1, 7)]
    roll = play(HELLO, row(0), score_map(0, 1), *steps, end(7))
    seen = []
    roll.script.insert(-1, lambda r: seen.extend(s.first_line for s in r.record.strips))
    summary = roll.run()
    assert summary.outcome == "complete"
    assert summary.coverage.not_inspected == {GapReason.TIMEOUT: 256}
    assert 16 in seen  # strips flow on before the roll ends


def test_a_map_of_another_capture_settles_nothing(play):
    again = replace(HELLO, incarnation="second")
    stale = score_map(1, 0, 9.0, captured_ns=0)
    roll = play(HELLO, row(0), *tiles(0), stale, again, row(1), *tiles(1), end(2))
    summary = roll.run()
    assert summary.coverage.inspected == 1024
    assert np.nanmax(roll.record.strips[1].scores) == 0.0


def test_starts_of_capture_and_area_judged_by_itself_are_summed_up(play):
    own = score_map(0, 0, self_judged=True)
    again = replace(HELLO, incarnation="second")
    roll = play(HELLO, HELLO, row(0), own, score_map(0, 1), again, again, row(1), *tiles(1), end(2))
    summary = roll.run()
    assert (summary.capture_starts, summary.self_judged_px) == (2, 256)


def test_an_overload_does_not_flood_the_outputs(play):
    lost = [[row(n), gap(n, 0), gap(n, 1)] for n in range(100)]
    roll = play(HELLO, *lost, row(100), *tiles(100), end(101))
    summary = roll.run()
    assert summary.coverage.not_inspected == {GapReason.OVERLOAD: 100 * 512}
    states = [state for _, state in roll.alarms(AlarmKind.NOT_INSPECTED)]
    assert states == ["new", *["update"] * (len(states) - 2), "end"]
    assert 4 <= len(states) <= 8  # a hundred waits of 20 ms
    assert roll.record.alarms[-1].region.down_end == 1600.0


def test_growth_of_a_gap_is_told_although_nothing_follows(play):
    roll = play(HELLO, [row(0), row(1)], gap(0, 0), gap(0, 1), 600, 100, *tiles(1), end(2))
    seen = []
    roll.script.insert(5, lambda r: seen.extend(a.state for a in r.record.alarms))
    roll.run()
    assert seen == [DefectState.NEW, DefectState.UPDATE]


def test_a_stop_without_an_end_gives_up_when_nothing_comes(play, clock):
    roll = play(HELLO, [row(0), row(1)], *tiles(0), stop)
    started_ns = clock()
    summary = roll.run()
    assert summary.outcome == "capture did not end the roll"
    assert summary.coverage.not_inspected == {GapReason.CAMERA_LOSS: 512}
    assert [strip.first_line for strip in roll.record.strips] == [0, 16]
    assert 3 < (clock() - started_ns) / 1e9 < 4


def test_a_stop_while_verdicts_still_come_waits_for_the_end(play):
    steps = [[row(n), 2000, *tiles(n)] for n in range(4)]
    roll = play(HELLO, stop, *steps, 2000, end(4))
    assert roll.run().outcome == "complete"


def test_a_sink_that_was_never_greeted_ends_when_it_is_stopped(play):
    summary = play(100, stop).run()
    assert (summary.outcome, summary.source) == ("stopped before the first line", "")
    assert summary.coverage.captured == 0


def test_a_silent_stage_is_an_alarm_and_its_return_the_end_of_it(play):
    roll = play(HELLO, row(0), beat(), 3100, 100, beat(), *tiles(0), end(1))
    roll.run()
    assert roll.alarms(AlarmKind.SYSTEM) == [("silent-score-0", "new"), ("silent-score-0", "end")]


def test_a_silent_capture_is_an_alarm_too(play):
    roll = play(HELLO, row(0), beat(stage="capture"), 3100, 100, *tiles(0), end(1))
    roll.run()
    assert roll.alarms(AlarmKind.SYSTEM)[0] == ("silent-capture-0", "new")
    assert roll.alarms(AlarmKind.SYSTEM)[-1][1] == "end"


def test_the_engine_is_what_the_workers_say(play):
    roll = play(HELLO, beat(), beat(stage="capture"), row(0), *tiles(0), end(1))
    assert roll.run().engine == "fake:cpu"


def test_an_alarm_output_that_fails_neither_ends_the_roll_nor_silences_the_others(play, caplog):
    roll = play(HELLO, row(0), gap(0, 0), gap(0, 1), end(1), faults=(OSError("no route"),))
    summary = roll.run()
    broken, healthy = roll.outputs
    assert summary.outcome == "complete"
    assert healthy.published == roll.record.alarms
    assert broken.published == []
    assert healthy.polls > 0
    assert "alarms could not be told or kept (1 times): no route" in caplog.text
    assert caplog.text.count("alarms could not be told or kept") == 1
    assert roll.parent.outbox[-1].figures["alarm_faults"] > 3


def test_a_roll_folder_that_cannot_be_written_ends_the_sink(play):
    roll = play(HELLO, row(0), *tiles(0), end(1))

    def full(_):
        raise OSError(28, "No space left on device")

    roll.record.add_strip = full
    with pytest.raises(OSError, match="No space left"):
        roll.run()


def test_the_long_call_at_the_end_is_announced(play):
    roll = play(HELLO, end(0))
    seen = []
    roll.record.on_finish = lambda: seen.append(roll.parent.outbox[-1])
    roll.run()
    assert seen[0].busy_until_ns - seen[0].sent_ns == 30_000_000_000
    assert roll.parent.outbox[-1].state is StageState.STOPPED


def test_a_record_that_falls_behind_stops_the_verdicts_and_is_said(play):
    def catch_up(roll):
        roll.record.backlog = 0

    roll = play(HELLO, row(0), *tiles(0), end(1), 300, 300, catch_up)
    roll.record.backlog = 5000
    assert roll.run().outcome == "complete"
    reasons = [told.reason for told in roll.peers.told]
    assert any("written too slowly" in reason for reason in reasons)
    assert not any(told.data_valid for told in roll.peers.told if told.reason)


def test_followers_are_told_ten_times_a_second_how_the_line_stands(play):
    roll = play(HELLO, [row(0), row(1)], beat(), *tiles(0, 1), *[50] * 20, end(2))
    roll.run()
    told = roll.peers.told
    assert [one.beat for one in told] == list(range(1, len(told) + 1))
    steps = [(b.sent_ns - a.sent_ns) / 1e6 for a, b in pairwise(told[:-1])]
    assert max(steps) <= 170
    assert told[-1].state is RunState.HALTED
    assert (told[-1].data_valid, told[-1].reason) == (False, "the roll has ended")
    running = [one for one in told if one.state is RunState.CONTINUOUS_EXECUTION]
    assert running[-1].judged_line == 32
    assert [rows.first_line for rows in roll.peers.rows] == [0, 16]


def test_followers_learn_why_a_roll_cannot_be_recorded(play):
    roll = play(HELLO, row(0), *tiles(0), end(1))

    def full(_):
        raise OSError(errno.ENOSPC, "No space left")

    roll.record.add_strip = full
    with pytest.raises(OSError, match="No space left"):
        roll.run()
    assert roll.peers.told[-1].state is RunState.ERROR
    assert "No space left" in roll.peers.told[-1].reason
    assert not roll.peers.told[-1].data_valid


def test_a_follower_may_ask_for_the_end_of_the_roll(play):
    def ask(roll):
        roll.peers.wishes.append(([b"x"], Command("1", CommandKind.STOP, "", "opc_ua:me")))

    roll = play(HELLO, row(0), *tiles(0), ask, 300, end(1))
    roll.run()
    assert roll.peers.answers == [([b"x"], CommandAnswer("1", ok=True))]
    assert any(b.figures.get("stop_requested") for b in roll.parent.outbox)


def test_alarms_say_how_far_the_web_has_come(play):
    roll = play(HELLO, row(0), *tiles(0, value=2.0), end(1))
    roll.run()
    first = roll.record.alarms[0]
    way_s = (first.raised_ns - first.captured_ns) / 1e9
    assert first.travel_mm == pytest.approx(GEOMETRY.speed_m_min * 1000 / 60 * way_s)
    assert first.scored_ns == tiles(0, value=2.0)[0].scored_ns


def test_beats_count_every_alarm_that_is_open(play):
    silent = [beat(), 3100, 300]
    script = [HELLO, [row(0), row(1)], *tiles(0, value=2.0), *silent, gap(1, 0), 300, 300]
    roll = play(*script, score_map(1, 1), end(2))
    roll.run()
    shown = [
        (b.figures["open_defects"], b.figures["open_alarms"])
        for b in roll.parent.outbox
        if "open_alarms" in b.figures
    ]
    assert (1, 2) in shown
    assert (1, 3) in shown


def test_beats_show_how_far_it_is(play):
    roll = play(HELLO, [row(0), row(1)], *tiles(0, value=2.0), 500, 500, end(2), *tiles(1))
    roll.run()
    states = [beat.state for beat in roll.parent.outbox]
    assert states[0] is StageState.READY
    assert StageState.RUNNING in states
    waiting = [b for b in roll.parent.outbox if b.last_line == 16][0]
    assert waiting.queue_depth == 2
    assert waiting.figures["inspected_px"] == 512
    assert waiting.figures["open_defects"] == 1
    assert waiting.figures["lag_ms"] >= 0


def test_what_makes_no_sense_is_dropped(play, caplog):
    roll = play(HELLO, Resume(1, 1), lambda r: r.results.inbox.append(HELLO), end(0))
    roll.run()
    assert "dropped Resume from capture" in caplog.text
    assert "dropped Hello from a worker" in caplog.text


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data(), st.integers(1, 5), st.sampled_from([(), (Interval(0, 16),), (Interval(28, 32),)]))
def test_any_interleaving_accounts_for_every_pixel(clock, data, rows, masked):
    """Maps, gaps and repeats in any order around the ledger; capture restarted at any moment."""
    verdicts = []
    for n, lane in itertools.product(range(rows), range(2)):
        fate = data.draw(st.sampled_from(["map", "gap", "both", "twice", "none"]))
        verdicts += [score_map(n, lane, 2.0)] * {"map": 1, "both": 1, "twice": 2}.get(fate, 0)
        verdicts += [gap(n, lane)] * (fate in ("gap", "both"))
    ledger = [row(n, masked=masked) for n in range(rows)]
    restart = replace(HELLO, incarnation="second")
    events = data.draw(st.permutations([*verdicts, restart, 4000]))
    script = [HELLO]
    for n in range(rows):
        script.append(ledger[n])
        script += [events.pop() for _ in range(data.draw(st.integers(0, len(events))))]
    roll = Roll(type(clock)(), [*script, end(rows), *events])
    coverage = roll.run().coverage
    assert coverage.captured == rows * 16 * 32
    covered = dict.fromkeys(("masked", "inspected", "not inspected"), 0)
    for strip in roll.record.strips:
        for part in strip.coverage:
            known = part.status if part.status in covered else "not inspected"
            covered[known] += part.columns.size * strip.line_count
    assert covered == {
        "masked": coverage.masked,
        "inspected": coverage.inspected,
        "not inspected": coverage.not_inspected_total,
    }
    ends = {d.id for d in roll.record.defects if d.state is DefectState.END}
    assert ends == {d.id for d in roll.record.defects}


def test_a_new_article_is_announced_once_and_summed_up(play):
    changed = [replace(m, article_line=16, profile_drift=0.25) for m in tiles(1, 2)]
    roll = play(HELLO, [row(0), row(1), row(2)], *tiles(0), *changed, changed[0], end(3))
    summary = roll.run()
    notices = [a for a in roll.record.alarms if a.kind is AlarmKind.SYSTEM]
    assert [a.id.rsplit("/", 1)[1] for a in notices] == ["new-article-0-16"] * 2 + [
        "new-article-1-16"
    ] * 2
    assert [a.state for a in notices] == [DefectState.NEW, DefectState.END] * 2
    assert summary.new_articles == {"0": [16], "1": [16]}
    assert summary.profile_drift == {"0": 0.25, "1": 0.25}


def test_a_camera_that_is_away_is_an_alarm_and_its_last_figures_are_summed_up(play):
    def camera(connected):
        figures = {"connected": connected, "reconnects": 1.0}
        return beat(stage="capture", figures=figures)

    roll = play(HELLO, row(0), camera(0.0), 100, camera(1.0), *tiles(0), end(1))
    summary = roll.run()
    assert roll.alarms(AlarmKind.SYSTEM) == [("camera-away-1", "new"), ("camera-away-1", "end")]
    assert summary.camera_health == {"connected": 1.0, "reconnects": 1.0}


def test_what_capture_says_wants_maintenance_is_an_alarm(play):
    dusty = beat(stage="capture", notices=("columns 3-5 have gone dark",))
    roll = play(HELLO, row(0), dusty, dusty, *tiles(0), end(1))
    roll.run()
    states = [a.state.value for a in roll.record.alarms if a.signal == "maintenance_required"]
    assert states == ["new", "end"]


def test_what_a_source_without_a_link_says_is_summed_up_and_no_alarm(play):
    edges = beat(stage="capture", figures={"edge_left_mm": 12.0, "no_web_lines": 5.0})
    roll = play(HELLO, row(0), edges, *tiles(0), end(1))
    assert roll.run().camera_health == {"edge_left_mm": 12.0, "no_web_lines": 5.0}
    assert roll.alarms(AlarmKind.SYSTEM) == []


def test_verdicts_that_came_late_are_no_alarm_once_the_roll_has_ended(play):
    script = [HELLO, [row(0), *tiles(0)], 300, [row(1), *tiles(1)], end(2)]
    late = play(*script)
    late.stage.board.limits = StatusLimits(actuator_mm=1.0)
    late.run()
    told = [alarm for alarm in late.record.alarms if "/latency-" in alarm.id]
    assert [alarm.state for alarm in told] == [DefectState.NEW, DefectState.END]
    assert late.peers.told[-1].active_alarms == 0
