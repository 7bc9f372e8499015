"""Heartbeats: from the work loop, when due, at once on a change of state."""

import pytest

from streamer.message import StageState
from streamer.stages.pulse import Pulse
from streamer.transport.memory import MemoryLink

MS = 1_000_000


def pulse(clock, *links):
    return Pulse("score", "score-0", links, 200, clock, backend="cpu")


def test_the_first_beat_is_due_at_once_and_the_next_after_the_interval(clock):
    link = MemoryLink()
    beating = pulse(clock, link)
    for _ in range(5):
        beating.beat()
        clock.advance_ms(99)
    assert [beat.sent_ns for beat in link.outbox] == [1000 * MS, 1297 * MS]


def test_a_change_of_state_is_said_at_once(clock):
    link = MemoryLink()
    beating = pulse(clock, link)
    beating.enter(StageState.READY)
    beating.enter(StageState.RUNNING)
    assert [beat.state for beat in link.outbox] == [StageState.READY, StageState.RUNNING]


def test_a_beat_says_what_the_stage_is_doing(clock):
    link = MemoryLink()
    beating = pulse(clock, link)
    beating.last_line, beating.queue_depth = 512, 3
    beating.figures["busy_s"] = 1.5
    beating.beat()
    beat = link.outbox[0]
    assert (beat.stage, beat.process, beat.backend) == ("score", "score-0", "cpu")
    assert (beat.last_line, beat.queue_depth, beat.figures) == (512, 3, {"busy_s": 1.5})


def test_a_beat_keeps_the_figures_of_its_moment(clock):
    seen = []

    class Keeping:
        def send(self, message):
            seen.append(message)
            return True

        def close(self):
            pass

    beating = pulse(clock, Keeping())
    beating.figures["tiles"] = 1
    beating.beat_now()
    beating.figures["tiles"] = 2
    assert seen[0].figures == {"tiles": 1}


def test_a_long_call_is_announced_and_over_with_the_next_beat(clock):
    link = MemoryLink()
    beating = pulse(clock, link)
    beating.announce_busy(5000)
    assert link.outbox[-1].busy_until_ns == clock() + 5000 * MS
    clock.advance_ms(1)
    beating.beat_now()
    assert link.outbox[-1].busy_until_ns == clock()


@pytest.mark.parametrize("full", [0, 1])
def test_a_full_queue_of_one_watcher_does_not_silence_the_other(clock, full):
    links = [MemoryLink(), MemoryLink()]
    links[full].capacity = 0
    pulse(clock, *links).beat()
    assert [len(link.outbox) for link in links] == ([0, 1] if full == 0 else [1, 0])


def test_a_beat_that_is_due_may_announce_a_long_call(clock):
    link = MemoryLink()
    beating = pulse(clock, link)
    for _ in range(3):
        beating.beat(30_000)
        clock.advance_ms(150)
    assert [beat.busy_until_ns - beat.sent_ns for beat in link.outbox] == [30_000 * MS] * 2


def test_a_beat_is_due_again_after_the_interval(clock):
    beating = pulse(clock, MemoryLink())
    assert beating.is_due
    beating.beat()
    assert not beating.is_due
    clock.advance_ms(200)
    assert beating.is_due
