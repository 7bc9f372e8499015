"""Measures the line on real recordings: runs it as a user would and compares with the labels.

    python tools/real_input.py --data DIR [--set key=value ...] [--only WEB ...] [--json]

DIR holds `rail400/strip` and `aitex/fabric*`; real_webs.py says how each is run, and `--set`
overrules it. Exit code 1: a run failed or its coverage does not add up; 2: wrong use, or the data
are not there.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from real_webs import Measurement, choose_webs, measure

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = (
    *("web", "pieces", "lines", "columns", "Mpix/s", "regions hit", "missed", "pieces hit"),
    *("alarms outside", "per 1000 lines", "per m", "on clean pieces", "alarm area", "flooded"),
    *("inspected / masked / not", "time"),
)


def table(measurements: Sequence[Measurement]) -> str:
    """The measurements as a table in Markdown, one row per web, then the settings of each."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *(_row(m) for m in measurements)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    settings = [f"- {m.web}: {' '.join(m.settings)}; {m.engine}; {_kinds(m)}" for m in measurements]
    return "\n".join([*lines, "", *settings])


def _row(measured: Measurement) -> tuple[str, ...]:
    counts = measured.figures
    outside = counts.alarms_outside
    return (
        measured.web,
        str(counts.pieces),
        str(counts.lines),
        str(counts.columns),
        f"{measured.mpix_s:.2f}",
        f"{counts.regions_hit} of {counts.regions}",
        str(counts.regions - counts.regions_hit),
        f"{counts.defective_pieces_hit} of {counts.defective_pieces}",
        str(outside),
        f"{1000 * outside / counts.lines:.2f}",
        f"{outside / measured.metres:.2f}",
        f"{counts.alarms_on_clean} on {counts.clean_pieces}",
        f"{measured.alarm_percent:.2f} %",
        str(counts.flooded_pieces),
        _coverage(measured),
        f"{measured.roll_s:.1f} s ({measured.wall_s:.1f} s)",
    )


def _coverage(measured: Measurement) -> str:
    coverage = measured.coverage
    parts = (
        coverage["inspected_px"],
        coverage["masked_px"],
        sum(coverage["not_inspected_px"].values()),
    )
    shares = " / ".join(f"{100 * part / coverage['captured_px']:.2f}" for part in parts)
    return f"{shares} %, {'exact' if coverage['is_exact'] else 'DOES NOT ADD UP'}"


def _kinds(measured: Measurement) -> str:
    return ", ".join(f"{kind} {hit}/{of}" for kind, (hit, of) in measured.figures.kinds.items())


def run(options: argparse.Namespace) -> int:
    """Measure the chosen webs one after the other; returns the exit code."""
    try:
        webs = choose_webs(options.data.resolve(), options.only)
        for web in webs:
            web.pieces()  # missing data are found before the first run
    except (FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            measured = [measure(web, options.settings, folder.resolve()) for web in webs]
        except RuntimeError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    print(json.dumps([m.as_dict() for m in measured]) if options.as_json else table(measured))
    return 0 if all(m.coverage["is_exact"] for m in measured) else 1


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure the line on real recordings.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the real images")
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="KEY=VALUE",
        help="setting of every run, e.g. profile.mode=per_tile",
    )  # fmt: skip
    parser.add_argument(
        "--only", action="append", default=[], metavar="WEB", help="measure this web alone"
    )
    parser.add_argument("--json", dest="as_json", action="store_true", help="JSON for machines")
    parser.add_argument("--keep", type=Path, help="folder in which the rolls are kept")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run(parse_options()))
