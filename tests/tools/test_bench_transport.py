"""The hand-over benchmark on tiny tiles, with real processes, and its tables on made-up figures."""

from __future__ import annotations

import os
from dataclasses import replace

import bench_transport
import numpy as np
import pytest
from bench_transport import (
    IPC_MB_S,
    SHARED_MB_S,
    SIDE,
    TINY_SIDE,
    WARM_UP_TILES,
    Growth,
    Handover,
    Report,
    as_json,
    as_text,
)
from transport_ends import Job

from streamer.transport.segment import FOLDER


def handover(kind, rate, p99_ms=1.0, reached=None, number=0):
    return Handover(kind, SIDE, rate, 100, reached or rate, 0.5, p99_ms, 2.0, 0.7, 0.4, 0, number)


def control(rate, p99_ms=1.5, number=0):
    slow = rate * TINY_SIDE**2 / SIDE**2
    return Handover("sockets", TINY_SIDE, slow, 100, slow, 0.5, p99_ms, 2.0, 0.3, 0.3, 0, number)


def report(ipc_p99=1.0, shared_p99=1.0, shared_most=2000.0, growth=0.1):
    runs = [
        handover("sockets", IPC_MB_S, ipc_p99),
        handover("shared_memory", IPC_MB_S),
        handover("sockets", SHARED_MB_S, 77.0),
        handover("shared_memory", SHARED_MB_S, shared_p99),
        handover("sockets", None, reached=1000.0),
        handover("shared_memory", None, reached=shared_most),
        control(IPC_MB_S),
        control(SHARED_MB_S),
    ]
    grown = Growth("sockets", 1000, 1.0, growth, growth / 2, (50.0, 60.0), (50.1, 60.1))
    return Report(8000.0, runs, [grown], (0.5, 1.5))


def own_segments():
    """Segments of this process; another one may test at the same time."""
    return set(FOLDER.glob(f"linescan-tiles-*-{os.getpid()}-*"))


@pytest.mark.parametrize("kind", ["sockets", "shared_memory"])
def test_every_tile_is_handed_over_and_timed(kind):
    before = own_segments()
    found = bench_transport._handover(Job(kind, 64, WARM_UP_TILES + 30, None))
    assert (found.kind, found.tiles, found.outside) == (kind, 30, 0)
    assert 0 < found.p50_ms <= found.p99_ms <= found.read_p99_ms
    assert min(found.reached_mb_s, found.capture_cpu_ms, found.worker_cpu_ms) > 0
    assert own_segments() <= before


def test_memory_is_watched_at_both_ends():
    found = bench_transport._growth("shared_memory", 400)
    assert min(*found.first_mb, *found.last_mb) > 10
    assert np.isfinite([found.capture_mb_per_million, found.worker_mb_per_million]).all()


def test_the_slope_is_that_of_a_straight_line():
    rising = 50 + 3.0 * np.arange(160) * (1000 / 200 / 1e6)
    assert bench_transport._slope(rising, 1000) == pytest.approx(3.0)


def test_goals_are_about_whole_tiles_at_their_rate():
    goals = {goal.what: goal for goal in report().goals}
    quiet = "1 of 1 rounds quiet, control 1.50 ms"
    assert goals[f"p99 at 200 MB/s, sockets (ipc), {quiet}"].measured == 1.0
    assert goals[f"p99 at 500 MB/s, shared memory, {quiet}"].measured == 1.0
    assert goals["most, shared memory to sockets"].measured == 2.0
    growth = goals["growth in an hour at 200 MB/s, sockets"]
    assert growth.measured == pytest.approx(0.1 * 200 / 1.048576 * 3600 / 1e6)
    assert {goal.verdict for goal in goals.values()} == {"reached"}


@pytest.mark.parametrize(
    "fields", [{"ipc_p99": 2.1}, {"shared_p99": 2.1}, {"shared_most": 900.0}, {"growth": 2.0}]
)
def test_each_goal_can_be_missed(fields):
    assert [goal.verdict for goal in report(**fields).goals].count("missed") == 1


def test_rounds_are_chosen_by_their_control_and_not_by_what_they_found():
    made = report()
    runs = [one for one in made.handovers if (one.kind, one.rate_mb_s) != ("sockets", IPC_MB_S)]
    runs = [one for one in runs if one.side == SIDE or one.rate_mb_s > 1]
    for number, (found, floor) in enumerate([(1.0, 2.1), (5.0, 1.0), (3.0, 2.0), (1.0, 9.0)]):
        runs += [handover("sockets", IPC_MB_S, found, number=number)]
        runs += [control(IPC_MB_S, floor, number)]
    goal = replace(made, handovers=runs).goals[0]
    assert goal.what.endswith("sockets (ipc), 2 of 4 rounds quiet, control 1.50 ms")
    assert (goal.measured, goal.verdict) == (4.0, "missed")
    loud = [one for one in runs if one.side == SIDE or one.p99_ms > 2 or one.rate_mb_s > 1]
    goal = replace(made, handovers=loud).goals[0]
    assert goal.what.endswith("0 of 4 rounds quiet, none")
    assert goal.verdict == "not measured"


def test_a_control_has_as_many_tiles_as_it_stands_for():
    whole, tiny = (
        bench_transport._paced("sockets", side, IPC_MB_S, 2.0) for side in (SIDE, TINY_SIDE)
    )
    assert tiny.tiles == whole.tiles
    assert tiny.rate_mb_s / TINY_SIDE**2 == pytest.approx(whole.rate_mb_s / SIDE**2)


def test_priority_is_asked_of_the_system(monkeypatch):
    asked = []
    monkeypatch.setattr(os, "sched_setscheduler", lambda *given: asked.append(given))
    bench_transport.run_before_others()
    ((process, policy, parameter),) = asked
    assert (process, policy) == (0, os.SCHED_FIFO)
    assert parameter.sched_priority == os.sched_get_priority_min(os.SCHED_FIFO)


def test_the_table_says_how_busy_the_machine_was_and_marks_controls():
    text = as_text(report())
    assert "load average 0.50 before, 1.50 after; plain copy 8000 MB/s" in text
    assert "| sockets, control | 0.781 |" in text
    assert "| shared_memory | most | 2000 | 0.250 |" in text
    assert "sockets: 1000 tiles in 1 s; MB per million tiles: capture 0.10, worker 0.05" in text


def test_json_has_the_runs_and_the_goals():
    found = as_json(report())
    assert len(found["handovers"]) == 8
    assert found["load_average"] == (0.5, 1.5)
    assert {goal["verdict"] for goal in found["goals"]} == {"reached"}


def test_a_copy_is_measured():
    assert bench_transport.copy_mb_s(3) > 100


def test_a_length_that_is_none_is_refused(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["bench_transport.py", "--seconds", "0"])
    with pytest.raises(SystemExit):
        bench_transport.main()
    assert "--seconds must be > 0, got 0" in capsys.readouterr().err
