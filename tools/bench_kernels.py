"""Measures the scoring kernels against their goals on this machine: a table, JSON with --json."""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import torch
from kernel_cases import (
    SIDE,
    SORTED_CHANNELS,
    Case,
    choose_path,
    least_ms,
    sort_based_ms,
    two_thread_gain,
)
from kernel_goals import Goal, goal_table, ratio
from kernel_memory import extra_mb

from kernels.compiled import REFERENCE, chosen_path, usable_paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kernel_cases import Shape

    from kernels.ranks import Ties

BIG = (512, 128, 128)
SMALL = ((288, 32, 32), (128, 40, 40), (240, 64, 55))
RANKED = ("u8", "exact")
# Milliseconds, and how many times faster than sorting.
FIRST_REACH = {"u8": (60.0, 1000.0), "exact": (150.0, 440.0)}
TIES_REACH: dict[Ties, float] = {"mid": 1.3, "mean": 1.5}
FAST_REACH_MS = {1: 35.0, 2: 15.0}
FAST_RATIO = 4400.0
MEDIAN_REACH_MS = {1: 200.0, SIDE: 15.0}
TIES: tuple[Ties, ...] = ("first", "mid", "mean")
PATH_REACH, REFERENCES_REACH, THREADS_REACH, SMALL_REACH, MEMORY_REACH_MB = (
    3.0,
    1.6,
    1.85,
    1.5,
    64.0,
)


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured: the map of the goals, small maps, calls per case, sorting or not."""

    big: Shape = BIG
    small: tuple[Shape, ...] = SMALL
    repeats: int = 7
    quick: bool = False

    @property
    def scored(self) -> tuple[Case, ...]:
        """Each kernel with one reference on the big map."""
        ranked = tuple(Case(kernel, self.big) for kernel in RANKED)
        return (*ranked, *(Case("fast", self.big, stride=stride) for stride in FAST_REACH_MS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of the tables")
    parser.add_argument("--repeats", type=int, default=7, help="the least of so many calls")
    parser.add_argument("--quick", action="store_true", help="leave sorting out")
    parser.add_argument("--paths", action="store_true", help="every kernel on every path as well")
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error(f"--repeats must be >= 1, got {arguments.repeats}")
    bench = Bench(repeats=arguments.repeats, quick=arguments.quick)
    report = measure(bench, arguments.paths)
    print(json.dumps(report.as_json(), indent=2) if arguments.json else as_text(report))


@dataclass(frozen=True, slots=True)
class Report:
    """Everything measured, and on what: milliseconds, load averages before and after."""

    cpu: str
    torch: str
    path: str
    shape: Shape
    sort_based_ms: float | None
    goals: list[Goal]
    paths: list[PathRow]
    load_average: tuple[float, float]

    def as_json(self) -> dict[str, object]:
        """Plain values, the goals with their verdicts."""
        return asdict(self) | {
            "sort_based_channels_measured": SORTED_CHANNELS,
            "goals": [goal.as_json() for goal in self.goals],
        }


@dataclass(frozen=True, slots=True)
class PathRow:
    """One kernel on one path."""

    what: str
    ms: float
    ns_per_feature: float
    to_sorting: float | None


def measure(bench: Bench, paths: bool = False) -> Report:
    """The goals and, with `paths`, each kernel on each path."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    sorting = None if bench.quick else sort_based_ms(bench.big)
    measured = list(goals(bench, sorting))
    rows = path_rows(bench, sorting) if paths else []
    choose_path("")
    torch.set_num_threads(threads)
    loads = (load, os.getloadavg()[0])
    versions = (cpu_name(), str(torch.__version__), chosen_path())
    return Report(*versions, bench.big, sorting, measured, rows, loads)


def goals(bench: Bench, sorting: float | None) -> Iterator[Goal]:
    """Every goal with its figure, in the order of the table."""
    yield from first_goals(bench, sorting)
    yield from ties_goals(bench)
    yield from fast_goals(bench, sorting)
    yield from path_goals(bench)
    yield from median_goals(bench)
    yield from reference_goals(bench)
    for case in bench.scored:
        gain = two_thread_gain(case, bench.repeats)
        yield Goal(f"{name(case)}, two threads, wall clock", THREADS_REACH, gain, "x", True)
    for case in (*bench.scored, Case("median", bench.big)):
        memory = extra_mb(case)
        yield Goal(f"{name(case)}, peak extra memory", MEMORY_REACH_MB, memory, "MB")
    yield from small_goals(bench)


def first_goals(bench: Bench, sorting: float | None) -> Iterator[Goal]:
    spans = least_ms([Case(kernel, bench.big) for kernel in RANKED], bench.repeats)
    for case, ms in spans.items():
        reach_ms, reach_ratio = FIRST_REACH[case.kernel]
        yield Goal(name(case), reach_ms, ms)
        yield Goal(f"{name(case)}, to sorting", reach_ratio, ratio(sorting, ms), "x", True)


def ties_goals(bench: Bench) -> Iterator[Goal]:
    for kernel in RANKED:
        for rectified in (False, True):
            first = Case(kernel, bench.big, rectified=rectified)
            others = [replace(first, ties=ties) for ties in TIES_REACH]
            spans = least_ms([first, *others], bench.repeats)
            for case in others:
                what = f"{name(case)}, to ties first"
                yield Goal(what, TIES_REACH[case.ties], spans[case] / spans[first], "x")


def fast_goals(bench: Bench, sorting: float | None) -> Iterator[Goal]:
    cases = [
        Case("fast", bench.big, stride=stride, levels=levels)
        for levels in (16, 12, 8)  # 12: the default
        for stride in FAST_REACH_MS
    ]
    for case, ms in least_ms(cases, bench.repeats).items():
        yield Goal(name(case), FAST_REACH_MS[case.stride], ms)
        if case.stride == 2:
            yield Goal(f"{name(case)}, to sorting", FAST_RATIO, ratio(sorting, ms), "x", True)


def path_goals(bench: Bench) -> Iterator[Goal]:
    """AVX2 against AVX-512, where this CPU has both."""
    both = {"avx2", "avx512"} <= set(usable_paths())
    pairs = [(replace(case, path="avx2"), replace(case, path="avx512")) for case in bench.scored]
    spans = least_ms([case for pair in pairs for case in pair], bench.repeats) if both else {}
    for short, long in pairs:
        measured = ratio(spans.get(short), spans.get(long))
        yield Goal(f"{name(replace(short, path=''))}, AVX2 to AVX-512", PATH_REACH, measured, "x")


def median_goals(bench: Bench) -> Iterator[Goal]:
    cases = [Case("median", bench.big, stride=stride) for stride in MEDIAN_REACH_MS]
    for case, ms in least_ms(cases, bench.repeats).items():
        yield Goal(name(case), MEDIAN_REACH_MS[case.stride], ms)


def reference_goals(bench: Bench) -> Iterator[Goal]:
    pairs = [(Case(kernel, bench.big), Case(kernel, bench.big, references=4)) for kernel in RANKED]
    spans = least_ms([case for pair in pairs for case in pair], bench.repeats)
    for one, four in pairs:
        what = f"{name(four)}, to one"
        yield Goal(what, REFERENCES_REACH, spans[four] / spans[one], "x")


def small_goals(bench: Bench) -> Iterator[Goal]:
    """Time per feature of a map, to that of the big one."""
    cases = {
        (case, shape): replace(case, shape=shape) for shape in bench.small for case in bench.scored
    }
    spans = least_ms([*bench.scored, *cases.values()], bench.repeats)
    for (big, shape), small in cases.items():
        per_feature = (spans[small] / small.features) / (spans[big] / big.features)
        yield Goal(f"{name(big)}, {shape}, per feature", SMALL_REACH, per_feature, "x")


def name(case: Case) -> str:
    """A case as a row calls it."""
    path = f", {case.path}" if case.path else ""
    if case.kernel == "median":
        return f"median reference, {case.levels} levels, stride {case.stride}{path}"
    if case.kernel == "fast":
        return f"fast form, {case.levels} levels, window stride {case.stride}{path}"
    rectified = ", 71 % zeros" if case.rectified else ""
    several = f", {case.references} references" if case.references > 1 else ""
    return f"{case.kernel}, ties {case.ties}{rectified}{several}{path}"


def path_rows(bench: Bench, sorting: float | None) -> list[PathRow]:
    """Each kernel on each path of this CPU; torch once each of the quick ones."""
    whole = [replace(case, ties=ties) for case in bench.scored[:2] for ties in TIES]
    whole += [*bench.scored[2:], Case("median", bench.big), Case("median", bench.big, stride=SIDE)]
    cases = [
        replace(case, path=path, banded=banded)
        for case in whole
        for path in usable_paths()
        for banded in (False, True)
    ]
    spans = least_ms(cases, max(1, bench.repeats // 2))
    torch_cases = [replace(case, path=REFERENCE) for case in bench.scored[2:]]
    spans |= least_ms(torch_cases, 1)
    return [path_row(case, ms, sorting) for case, ms in spans.items()]


def path_row(case: Case, ms: float, sorting: float | None) -> PathRow:
    faster = None if case.kernel == "median" else ratio(sorting, ms)
    banded = ", bands of 8" if case.banded else ""
    return PathRow(f"{name(case)}{banded}", ms, 1e6 * ms / case.features, faster)


def as_text(report: Report) -> str:
    """The tables, and what one must know of the machine to read them."""
    load = " and ".join(f"{value:.1f}" for value in report.load_average)
    sorting = "left out" if report.sort_based_ms is None else f"{report.sort_based_ms:.0f} ms"
    lines = [
        f"{report.cpu}, torch {report.torch}, {report.path}, T = {SIDE}, map {report.shape}",
        f"sort-based torch: {sorting} ({SORTED_CHANNELS} channels measured)",
        "CPU time of one thread, the least of some calls; two threads are wall clock, which means "
        f"nothing on a busy machine: {os.cpu_count()} CPUs, load average {load} (before, after)",
        "",
        goal_table(report.goals),
    ]
    if report.paths:
        lines += ["", "| kernel | ms | ns per feature | to sorting |", "|---|---|---|---|"]
        lines += [path_line(row) for row in report.paths]
    return "\n".join(lines)


def path_line(row: PathRow) -> str:
    faster = "" if row.to_sorting is None else f"{row.to_sorting:.0f}x"
    return f"| {row.what} | {row.ms:.2f} | {row.ns_per_feature:.2f} | {faster} |"


def cpu_name() -> str:
    """As the system names it."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
