"""False alarms that kilometres of simulated web without a defect raise, against the rate stated.

    python tools/realised_alarms.py [--surfaces NAME ...] [--seeds N ...] [--metres M]
        [--learnt M ...] [--wanted RATE ...] [--work DIR] [--json OUT]

Each web is scored once, tile by tile as a worker of the default line scores it, with the texture of
its first 1.5 m. The alarm level is calibrated on the scores of the first metres (--learnt) for each
wanted rate and tail. (A line that learns on its own scores the cores of its first tiles without
their halo, which gives a slightly lower level.) On the rest *blocks* above it are counted, the unit
of the statement, and *alarms*, the defects that the line's decision makes of them. Scores and
counts of a finished web are kept in --work, so that the same command goes on where it was
interrupted. Exit code 1: a rate lies outside what was stated.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
from clean_scores import remember, simulated_config, simulated_scores
from scipy import stats

from streamer.calibration import CalibrationTarget, calibrate
from streamer.calibration.blocks import block_maxima, finite
from streamer.calibration.tail import TailKind
from streamer.decision import DecisionSettings, DecisionState, decide
from streamer.message import DefectState
from streamer.web import Strip, WebGeometry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streamer.calibration import Calibration
    from streamer.message import ScoreArray

PIXEL_MM, PATCH, STRIDE, TILE_LINES = 0.5, 9, 8, 512
STRIP_TILES = 16  # decided at once; the decision does not depend on it
CONFIDENCE = 0.95
KINDS: tuple[TailKind, ...] = get_args(TailKind)


@dataclass(frozen=True, slots=True)
class Web:
    """A simulated web of one lane."""

    surface: str
    seed: int
    metres: float
    columns: int

    @property
    def name(self) -> str:
        """As the files are called."""
        return f"{self.surface}-{self.seed}-{self.metres:g}m-{self.columns}"

    @property
    def geometry(self) -> WebGeometry:
        """Square pixels of half a millimetre."""
        return WebGeometry(self.columns, PIXEL_MM, PIXEL_MM, 60.0)

    def scores(self, folder: Path) -> tuple[ScoreArray, ...]:
        """Raw scores of each tile, kept in `folder`."""
        chosen = simulated_config(self.surface, self.seed, self.metres, self.columns)
        return remember(folder / f"{self.name}.npz", lambda: simulated_scores(chosen))


@dataclass(frozen=True, slots=True)
class Case:
    """How an alarm level is set: metres learnt, tail, false alarms per 100 m wanted."""

    learnt_m: float
    tail: TailKind
    wanted: float


@dataclass(frozen=True, slots=True)
class Count:
    """What one web realised in `metres`, and what had been stated of it, per 100 m."""

    web: str
    case: Case
    metres: float
    blocks: int
    alarms: int
    dependence: float
    stated_low: float
    stated_high: float
    stated_if_normal: float


def count_web(web: Web, maps: Sequence[ScoreArray], cases: Sequence[Case]) -> Iterator[Count]:
    """One count per case; cases that ask for more metres than there are come out empty."""
    tile_m = web.geometry.metres(TILE_LINES)
    for case in cases:
        learnt = max(round(case.learnt_m / tile_m), 1)
        target = CalibrationTarget(web.geometry, STRIDE, PATCH, case.wanted, case.tail)
        made = calibrate(maps[:learnt], target)
        fresh = maps[learnt:]
        low, high = made.rate_interval or (0.0, float("inf"))
        yield Count(
            web.name,
            case,
            target.metres(sum(one.size for one in fresh)),
            _blocks_above(fresh, made),
            alarms_of(fresh, made, web.geometry),
            made.dependence,
            low,
            high,
            made.rate_if_normal or float("inf"),
        )


def _blocks_above(maps: Sequence[ScoreArray], made: Calibration) -> int:
    maxima = (finite(block_maxima(np.asarray(m, np.float64), PATCH)) for m in maps)
    return sum(int((one > made.alarm_level).sum()) for one in maxima)


def alarms_of(maps: Sequence[ScoreArray], made: Calibration, geometry: WebGeometry) -> int:
    """Defects that the decision announces on tiles of full width that follow each other."""
    settings = DecisionSettings(geometry)
    state, line, announced = DecisionState(), 0, 0
    for first in range(0, len(maps), STRIP_TILES):
        scores = made.normalise(np.concatenate(maps[first : first + STRIP_TILES]))
        lines = scores.shape[0] * STRIDE
        strip = Strip(line, lines, STRIDE, scores, first == 0, 0)
        state, defects = decide(state, strip, settings)
        announced += sum(defect.state is DefectState.NEW for defect in defects)
        line += lines
    return announced


def kept_counts(web: Web, cases: Sequence[Case], folder: Path) -> list[Count]:
    """The counts of a web, from its file if that has the same cases."""
    file = folder / f"{web.name}.json"
    if file.is_file():
        kept = [_count(entry) for entry in json.loads(file.read_text(encoding="utf-8"))]
        if [one.case for one in kept] == list(cases):
            return kept
    counts = list(count_web(web, web.scores(folder), cases))
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps([asdict(one) for one in counts], indent=1), encoding="utf-8")
    partial.replace(file)
    return counts


def _count(entry: dict[str, object]) -> Count:
    case = entry.pop("case")
    return Count(case=Case(**case), **entry)  # type: ignore[arg-type]


def poisson_limits(events: float) -> tuple[float, float]:
    """95 % limits of the mean of a Poisson count (Garwood 1936)."""
    half = (1 - CONFIDENCE) / 2
    low = stats.chi2.ppf(half, 2 * events) / 2 if events else 0.0
    return float(low), float(stats.chi2.ppf(1 - half, 2 * events + 2) / 2)


@dataclass(frozen=True, slots=True)
class Row:
    """A case over some webs; rates per 100 m.

    `realised` has its 95 % limits, of blocks that come in clumps of their `dependence`. `point`
    and `limits` count webs whose own rate, and whose own limits, lie in or touch what was stated.
    """

    case: Case
    webs: int
    metres: float
    blocks: int
    alarms: int
    realised: tuple[float, float, float]
    stated: tuple[float, float]
    point: int
    limits: int
    above: int

    @property
    def within(self) -> bool:
        """Whether the limits of the rate over all webs touch the mean interval stated."""
        _, low, high = self.realised
        return low <= self.stated[1] and high >= self.stated[0]


def summarise(case: Case, counts: Sequence[Count]) -> Row:
    """One case over all webs."""
    metres = sum(one.metres for one in counts)
    blocks = sum(one.blocks for one in counts)
    clump = float(np.mean([one.dependence for one in counts]))
    ends = [limit * clump * 100 / metres for limit in poisson_limits(blocks / clump)]
    judged = [_judge(one) for one in counts]
    return Row(
        case,
        len(counts),
        metres,
        blocks,
        sum(one.alarms for one in counts),
        (100 * blocks / metres, ends[0], ends[1]),
        (
            float(np.mean([one.stated_low for one in counts])),
            float(np.mean([one.stated_high for one in counts])),
        ),
        *(sum(one[kind] for one in judged) for kind in range(3)),
    )


def _judge(count: Count) -> tuple[bool, bool, bool]:
    """Rate inside what was stated; its limits touch that; they lie above it altogether."""
    scale = 100 / count.metres
    rate = count.blocks * scale
    low, high = (
        limit * count.dependence * scale
        for limit in poisson_limits(count.blocks / count.dependence)
    )
    inside = count.stated_low <= rate <= count.stated_high
    above = low > count.stated_high
    return inside, not above and high >= count.stated_low, above


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    head = ["learnt", "tail", "wanted per 100 m", "webs", "counted", "blocks above", "alarms",
            "realised per 100 m (95 %)", "alarms per 100 m", "stated, mean (95 %)",
            "webs: rate inside", "limits touch", "above", "all webs"]  # fmt: skip
    lines = [head, ["---"] * len(head)]
    for row in rows:
        rate, low, high = row.realised
        lines.append([
            f"{row.case.learnt_m:g} m", row.case.tail, f"{row.case.wanted:g}", str(row.webs),
            f"{row.metres / 1000:.2f} km", str(row.blocks), str(row.alarms),
            f"{rate:.2f} ({low:.2f} to {high:.2f})", f"{100 * row.alarms / row.metres:.2f}",
            f"{row.stated[0]:.2f} to {row.stated[1]:.2f}", str(row.point), str(row.limits),
            str(row.above), "within" if row.within else "OUTSIDE",
        ])  # fmt: skip
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def run(options: argparse.Namespace) -> int:
    """Score and count what lacks, print the table; 1 if a realised rate is outside, else 0."""
    cases = [Case(*one) for one in product(options.learnt, KINDS, options.wanted)]
    webs = [
        Web(surface, seed, options.metres, options.columns)
        for seed in options.seeds
        for surface in options.surfaces
    ]
    counts = []
    for web in webs:
        counts += kept_counts(web, cases, options.work)
        print(f"{web.name}: counted", file=sys.stderr, flush=True)
    rows = [summarise(case, [one for one in counts if one.case == case]) for case in cases]
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    print(table(rows))
    return 0 if all(row.within for row in rows) else 1


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Realised false alarms on simulated webs.")
    parser.add_argument("--surfaces", nargs="+", default=["fabric", "rail"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[11, 12, 13, 14, 15, 16])
    parser.add_argument("--metres", type=float, default=400.0, help="length of each web")
    parser.add_argument("--columns", type=int, default=512, help="width in pixels of 0.5 mm")
    parser.add_argument("--learnt", nargs="+", type=float, default=[1.5, 10.0, 100.0])
    parser.add_argument("--wanted", nargs="+", type=float, default=[1.0, 3.0, 10.0],
                        help="false alarms per 100 m")  # fmt: skip
    parser.add_argument("--work", type=Path, default=Path("build/clean_scores"))
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for the rows")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run(parse_options()))
