"""Measures the hand-over of tiles from capture to score, over sockets and in shared memory."""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from kernel_goals import Goal, goal_table, ratio
from transport_ends import Job, run_capture_end, run_worker_end

if TYPE_CHECKING:
    from transport_ends import EndNotes, Kind

MIB = 1 << 20
IPC_MB_S, SHARED_MB_S = 200.0, 500.0
REACH_P99_MS = 2.0
REACH_GROWTH_MB = 1.0  # in an hour's count of tiles
WARM_UP_TILES = 20
SIDE, SOAK_SIDE, TINY_SIDE = 1024, 256, 64
SAMPLES = 200
COPIED_TILES = 128  # more than any cache holds
HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Handover:
    """One run; `rate_mb_s` None: as fast as it goes. Milliseconds from the start of the cut.

    `p50_ms`, `p99_ms` until the scorer has the tile, `read_p99_ms` until it has read every byte.
    `capture_cpu_ms` and `worker_cpu_ms` are CPU time per tile, the work of the source included.
    `outside` are tiles that found no slot. A control has tiny tiles as often as the others come:
    what the stages and the machine take without any pixels. Rounds count from 0; a control is the
    last of its round at its rate.
    """

    kind: Kind
    side: int
    rate_mb_s: float | None
    tiles: int
    reached_mb_s: float
    p50_ms: float
    p99_ms: float
    read_p99_ms: float
    capture_cpu_ms: float
    worker_cpu_ms: float
    outside: int
    round: int = 0


@dataclass(frozen=True, slots=True)
class Growth:
    """Resident memory of both ends over many tiles: least-squares slopes after a warm-up."""

    kind: Kind
    tiles: int
    seconds: float
    capture_mb_per_million: float
    worker_mb_per_million: float
    first_mb: tuple[float, float]
    last_mb: tuple[float, float]

    def in_an_hour(self, tiles: float) -> float:
        """MB that the end that grows more would grow by in so many tiles."""
        return max(self.capture_mb_per_million, self.worker_mb_per_million) * tiles / 1e6


@dataclass(frozen=True, slots=True)
class Report:
    """All runs with the load average before and after, and a plain copy of the same bytes."""

    copy_mb_s: float
    handovers: list[Handover]
    growths: list[Growth]
    load_average: tuple[float, float]

    @property
    def goals(self) -> list[Goal]:
        """What the transport is to reach."""
        at = {(one.kind, one.rate_mb_s): one for one in self.handovers if one.side == SIDE}
        gain = ratio(at["shared_memory", None].reached_mb_s, at["sockets", None].reached_mb_s)
        grown = [
            Goal(f"growth in an hour at {rate:g} MB/s, {one.kind}", REACH_GROWTH_MB, mb, "MB")
            for one in self.growths
            for rate in (IPC_MB_S if one.kind == "sockets" else SHARED_MB_S,)
            for mb in (one.in_an_hour(rate * 1e6 / MIB * HOUR_S),)
        ]
        return [
            self._quiet_p99("sockets", IPC_MB_S, "sockets (ipc)"),
            self._quiet_p99("shared_memory", SHARED_MB_S, "shared memory"),
            Goal("most, shared memory to sockets", 1.0, gain, "x", at_least=True),
            *grown,
        ]

    def _quiet_p99(self, kind: Kind, rate: float, name: str) -> Goal:
        """The median over rounds that are chosen by their control alone, whatever they found.

        Where that is late itself, the machine is, and the round says nothing about pixels.
        """
        at_rate = [one for one in self.handovers if one.rate_mb_s in (rate, _control_rate(rate))]
        floor = {one.round: one.p99_ms for one in at_rate if one.side != SIDE}
        found = {o.round: o.p99_ms for o in at_rate if o.side == SIDE and o.kind == kind}
        quiet = [n for n in found if floor.get(n, math.inf) <= REACH_P99_MS]
        p99_ms = float(np.median([found[n] for n in quiet])) if quiet else None
        control = f"control {np.median([floor[n] for n in quiet]):.2f} ms" if quiet else "none"
        what = f"p99 at {rate:g} MB/s, {name}, {len(quiet)} of {len(found)} rounds quiet, {control}"
        return Goal(what, REACH_P99_MS, p99_ms)


def _control_rate(rate_mb_s: float) -> float:
    """As many tiny tiles as whole ones."""
    return rate_mb_s * TINY_SIDE**2 / SIDE**2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of the tables")
    parser.add_argument("--seconds", type=float, default=10, help="length of a paced run")
    parser.add_argument("--rounds", type=int, default=1, help="of the runs that have a goal")
    real = "run both ends before everything else on this machine (SCHED_FIFO; needs the right to)"
    parser.add_argument("--realtime", action="store_true", help=real)
    parser.add_argument("--soak-tiles", type=int, default=0, help="small tiles to look for growth")
    arguments = parser.parse_args()
    if arguments.seconds <= 0:
        parser.error(f"--seconds must be > 0, got {arguments.seconds:g}")
    if arguments.rounds < 1:
        parser.error(f"--rounds must be >= 1, got {arguments.rounds}")
    if arguments.realtime:
        run_before_others()
    report = measure(arguments.seconds, arguments.soak_tiles, arguments.rounds)
    print(json.dumps(as_json(report), indent=2) if arguments.json else as_text(report))


def run_before_others() -> None:
    """Give this process, and those that it starts, the lowest real-time priority.

    Other work then waits, as on a machine that has none: what is measured is the line's own.

    Raises:
        PermissionError: this user may not.
    """
    os.sched_setscheduler(
        0, os.SCHED_FIFO, os.sched_param(os.sched_get_priority_min(os.SCHED_FIFO))
    )


def measure(seconds: float, soak_tiles: int = 0, rounds: int = 1) -> Report:
    """All runs one after the other, so that their ratios are of one machine in one state."""
    load = os.getloadavg()[0]
    handovers = [_handover(_paced(*run, seconds)) for run in ONCE]
    for number in range(rounds):
        handovers += [replace(_handover(_paced(*run, seconds)), round=number) for run in EACH_ROUND]
    growths: list[Growth] = []
    if soak_tiles:
        growths = [_growth(kind, soak_tiles) for kind in ("sockets", "shared_memory")]
    return Report(copy_mb_s(), handovers, growths, (load, os.getloadavg()[0]))


ONCE: tuple[tuple[Kind, int, float | None], ...] = (
    ("shared_memory", SIDE, IPC_MB_S),
    ("sockets", SIDE, SHARED_MB_S),
    ("sockets", SIDE, None),
    ("shared_memory", SIDE, None),
)
EACH_ROUND: tuple[tuple[Kind, int, float], ...] = (
    ("sockets", SIDE, IPC_MB_S),
    ("sockets", TINY_SIDE, IPC_MB_S),
    ("shared_memory", SIDE, SHARED_MB_S),
    ("sockets", TINY_SIDE, SHARED_MB_S),
)


def _paced(kind: Kind, side: int, rate: float | None, seconds: float) -> Job:
    """As many tiles of any size as whole ones come at that rate in so many seconds."""
    tiles = WARM_UP_TILES + max(10, round(seconds * (rate or 2 * SHARED_MB_S) * 1e6 / MIB))
    return Job(kind, side, tiles, rate if rate is None or side == SIDE else _control_rate(rate))


def _handover(job: Job) -> Handover:
    capture, worker = _run(job)
    began, taken, read = (column[WARM_UP_TILES:] for column in (capture.rows[:, 0], *worker.rows.T))
    spent_s = (taken[-1] - taken[0]) / 1e9
    waited_ms, read_ms = (taken - began) / 1e6, (read - began) / 1e6
    p50_ms, p99_ms = (float(at) for at in np.percentile(waited_ms, (50, 99)))
    return Handover(
        job.kind,
        job.side,
        job.rate_mb_s,
        len(taken),
        (len(taken) - 1) * job.side**2 / 1e6 / spent_s,
        p50_ms,
        p99_ms,
        float(np.percentile(read_ms, 99)),
        capture.cpu_s * 1e3 / job.tiles,
        worker.cpu_s * 1e3 / job.tiles,
        capture.outside,
    )


def _growth(kind: Kind, tiles: int) -> Growth:
    started = time.monotonic()
    both = _run(Job(kind, SOAK_SIDE, tiles, None, SAMPLES))
    seconds = time.monotonic() - started
    capture, worker = (end.rows[SAMPLES // 5 :, 0] / 1e6 for end in both)
    return Growth(
        kind,
        tiles,
        seconds,
        _slope(capture, tiles),
        _slope(worker, tiles),
        (float(capture[0]), float(worker[0])),
        (float(capture[-1]), float(worker[-1])),
    )


def _slope(resident_mb: np.ndarray, tiles: int) -> float:
    """MB per million tiles of samples that are evenly spread over so many, by least squares."""
    at = np.arange(len(resident_mb)) * (tiles / SAMPLES / 1e6)
    return float(np.polyfit(at, resident_mb, 1)[0])


def _run(job: Job) -> tuple[EndNotes, EndNotes]:
    """What capture noted, what the worker noted."""
    context = multiprocessing.get_context("spawn")
    mine, other = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        child = context.Process(target=run_worker_end, args=(job, folder, other))
        child.start()
        try:
            return run_capture_end(job, folder), mine.recv()
        finally:
            child.join(10)
            child.kill()


def copy_mb_s(repeats: int = 200) -> float:
    """A plain copy of a tile's bytes from memory to memory, the median of `repeats`."""
    tiles = np.random.default_rng(0).integers(0, 255, (COPIED_TILES, SIDE, SIDE), np.uint8)
    targets, spent = np.zeros_like(tiles), []
    for n in range(repeats):
        began = time.perf_counter()
        np.copyto(targets[n % COPIED_TILES], tiles[n % COPIED_TILES])
        spent.append(time.perf_counter() - began)
    return SIDE**2 / 1e6 / float(np.median(spent))


def as_json(report: Report) -> dict[str, object]:
    """Plain values, the goals with their verdicts."""
    return asdict(report) | {"goals": [goal.as_json() for goal in report.goals]}


def as_text(report: Report) -> str:
    """Tables: the runs, growth, the goals."""
    before, after = report.load_average
    lines = [
        f"Tiles of {SIDE * SIDE / MIB:g} MiB, load average {before:.2f} before, {after:.2f} after; "
        f"plain copy {report.copy_mb_s:.0f} MB/s",
        "",
        "| tiles over | asked MB/s | reached MB/s | of a copy | p50 ms | p99 ms | read p99 ms "
        "| capture CPU ms | worker CPU ms |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_handover_line(one, report.copy_mb_s) for one in report.handovers),
        "",
        *(_growth_line(one) for one in report.growths),
        "",
        goal_table(report.goals),
    ]
    return "\n".join(lines)


def _handover_line(one: Handover, copy: float) -> str:
    asked = "most" if one.rate_mb_s is None else f"{one.rate_mb_s:.3g}"
    outside = f" ({one.outside} outside)" if one.outside else ""
    control = "" if one.side == SIDE else ", control"
    return (
        f"| {one.kind}{control}{outside} | {asked} | {one.reached_mb_s:.0f} | "
        f"{one.reached_mb_s / copy:.3f} | {one.p50_ms:.2f} | {one.p99_ms:.2f} | "
        f"{one.read_p99_ms:.2f} | {one.capture_cpu_ms:.3f} | {one.worker_cpu_ms:.3f} |"
    )


def _growth_line(one: Growth) -> str:
    return (
        f"{one.kind}: {one.tiles} tiles in {one.seconds:.0f} s; MB per million tiles: capture "
        f"{one.capture_mb_per_million:.2f}, worker {one.worker_mb_per_million:.2f}; resident MB "
        f"from {one.first_mb[0]:.1f} and {one.first_mb[1]:.1f} to {one.last_mb[0]:.1f} and "
        f"{one.last_mb[1]:.1f}"
    )


if __name__ == "__main__":
    main()
