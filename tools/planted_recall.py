"""Measures which planted defects the line finds, and how often it cries wolf, on simulated webs.

    python tools/planted_recall.py [--config FILE] [--set key=value ...] [--rolls N] [--metres M]
        [--least-mm MM] [--json OUT]

Each roll is a `linescan run` on a web of its own seed. Found is a defect that a detection touches
(two cells of the score grid apart at most); a false alarm touches none. Intervals are of 95 %:
Wilson for shares, exact Poisson for rates. Exit code 1: a roll failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from real_webs import run_line
from scipy import stats

from streamer.message import RegionMm
from streamer.outputs.defect_log import read_log
from streamer.outputs.roll_map import read_map
from streamer.outputs.truth import default_tolerance_mm, match_truth, parse_truth
from streamer.web import WebGeometry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from streamer.outputs.truth import TruthMatch

CONFIDENCE = 0.95


@dataclass(slots=True)
class Tally:
    """Counts over rolls; `kinds` has (found, planted) by kind, of defects of the least size."""

    metres: float = 0.0
    false_alarms: int = 0
    smaller: list[int] = field(default_factory=lambda: [0, 0])
    kinds: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))

    def add(self, match: TruthMatch, metres: float, least_mm: float) -> None:
        """Count one roll; a defect is as large as its longer side."""
        self.metres += metres
        self.false_alarms += len(match.false_alarms)
        for truth, hits in zip(match.truths, match.hits, strict=True):
            large = longer_side_mm(truth.region) >= least_mm
            counts = self.kinds[truth.kind] if large else self.smaller
            counts[0] += bool(hits)
            counts[1] += 1

    @property
    def total(self) -> tuple[int, int]:
        """(found, planted) over all kinds."""
        found, planted = (sum(counts[i] for counts in self.kinds.values()) for i in (0, 1))
        return found, planted


def longer_side_mm(region: RegionMm) -> float:
    """Of the box around a defect."""
    down = region.down_end - region.down_first
    return max(down, region.cross_end - region.cross_first)


def share_interval(found: int, planted: int) -> tuple[float, float]:
    """95 % Wilson interval of a share; (0, 1) where nothing was planted."""
    if not planted:
        return 0.0, 1.0
    test = stats.binomtest(found, planted)
    interval = test.proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def rate_interval(count: int, metres: float) -> tuple[float, float]:
    """95 % exact Poisson interval of events per 100 m."""
    half = (1 - CONFIDENCE) / 2
    low = stats.chi2.ppf(half, 2 * count) / 2 if count else 0.0
    high = stats.chi2.ppf(1 - half, 2 * (count + 1)) / 2
    return float(low) * 100 / metres, float(high) * 100 / metres


def run_roll(options: argparse.Namespace, seed: int, folder: Path) -> tuple[TruthMatch, float]:
    """One `linescan run`; returns what was found and the metres inspected.

    Raises:
        RuntimeError: it failed; the text is what it said.
    """
    fixed = (f"source.seed={seed}", f"source.length_m={options.metres}", f"roll.folder={folder}",
             f"roll.name=seed{seed}")  # fmt: skip
    command = [sys.executable, "-m", "streamer", "run", "--json"]
    if options.config is not None:
        command += ["--config", str(options.config.absolute())]
    for setting in (*options.set, *fixed):
        command += ["--set", setting]
    return match_roll(run_line(command), folder / f"seed{seed}")


def match_roll(manifest: Mapping[str, Any], folder: Path) -> tuple[TruthMatch, float]:
    """Planted and detected defects of a finished roll, and its metres."""
    web, totals = manifest["web"], manifest["totals"]
    geometry = WebGeometry(web["columns"], web["pixel_mm"], web["line_mm"], web["speed_m_min"])
    detected = {
        d.id: RegionMm(d.down_first_mm, d.down_end_mm, d.cross_first_mm, d.cross_end_mm)
        for d in read_log(folder).defects
    }
    truths = parse_truth(manifest["truth"], geometry, totals["lines"])
    form, _ = read_map(folder)
    match = match_truth(truths, detected, default_tolerance_mm(geometry, form.stride))
    return match, float(totals["metres"])


def table(tally: Tally, least_mm: float) -> str:
    """Recall by kind and false alarms per 100 m in Markdown."""
    lines = [f"| defects >= {least_mm:g} mm | found | recall | 95 % |", "|---|---|---|---|"]
    rows: list[tuple[str, Sequence[int]]] = [*sorted(tally.kinds.items()), ("all", tally.total)]
    for kind, (found, planted) in rows:
        low, high = share_interval(found, planted)
        share = found / planted if planted else float("nan")
        lines.append(f"| {kind} | {found} of {planted} | {share:.3f} | {low:.3f} to {high:.3f} |")
    low, high = rate_interval(tally.false_alarms, tally.metres)
    rate = 100 * tally.false_alarms / tally.metres
    smaller = f"{tally.smaller[0]} of {tally.smaller[1]}"
    return "\n".join([
        *lines, "", f"smaller ones found: {smaller}; {tally.false_alarms} false alarms on "
        f"{tally.metres:.0f} m: {rate:.2f} per 100 m (95 % {low:.2f} to {high:.2f})",
    ])  # fmt: skip


def measure(options: argparse.Namespace) -> Tally:
    """All rolls; what one needs on the disk is gone before the next."""
    tally = Tally()
    for seed, folder in _folders(options):
        match, metres = run_roll(options, seed, folder)
        tally.add(match, metres, options.least_mm)
        found, planted = tally.total
        print(f"seed {seed}: {found} of {planted}, {tally.false_alarms} false alarms on "
              f"{tally.metres:.0f} m so far", file=sys.stderr, flush=True)  # fmt: skip
    return tally


def _folders(options: argparse.Namespace) -> Iterator[tuple[int, Path]]:
    for number in range(options.rolls):
        with tempfile.TemporaryDirectory(prefix="linescan-recall-") as folder:
            yield options.first_seed + number, Path(folder)


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Recall of planted defects on simulated webs.")
    parser.add_argument("--config", type=Path, help="configuration of the line")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--rolls", type=int, default=5, help="webs, each of its own seed")
    parser.add_argument("--metres", type=float, default=20.0, help="length of each web")
    parser.add_argument("--first-seed", type=int, default=100)
    parser.add_argument("--least-mm", type=float, default=2.0, help="defects that count")
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for the counts")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    options = parse_options(arguments)
    try:
        tally = measure(options)
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json is not None:
        counts = {"metres": tally.metres, "false_alarms": tally.false_alarms,
                  "kinds": dict(tally.kinds), "smaller": tally.smaller}  # fmt: skip
        options.json.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    print(table(tally, options.least_mm))
    return 0


if __name__ == "__main__":
    sys.exit(main())
