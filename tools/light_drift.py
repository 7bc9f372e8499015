"""Measures how often a lamp that fades makes brightness and lines cry wolf, on simulated webs.

    python tools/light_drift.py [--config FILE] [--set key=value ...] [--fades 0 1 2 5]
        [--webs N] [--metres M] [--json OUT]

Clean webs, each of its own seed; the light falls by so many percent per 100 m, evenly, before the
camera rounds (here: by dithering). Both detectors learn from the first `profile.bootstrap_m` and
have a third of the wanted false alarms each, as on a line with both; texture is not asked, so no
backbone runs. An alarm is a region of the map as the line forms it. Intervals are of 95 %.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from planted_recall import rate_interval
from scipy import ndimage

from streamer.backbones.footprint import find_footprint
from streamer.calibration import CalibrationTarget
from streamer.compose.geometry import web_geometry
from streamer.config import SimulatorSource
from streamer.config_file import load_config
from streamer.regions import EIGHT_NEIGHBOURS, SEED_LEVEL
from streamer.scoring.brightness import LightStrip, learn_brightness, log_brightness
from streamer.scoring.line_contrast import log_contrast, strips_per_cell, turned_contrast
from streamer.scoring.line_profile import LineStrip, learn_lines
from streamer.sections import LINE_HALO
from streamer.sources import open_source
from streamer.sources.line_buffer import new_buffer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streamer.config import Config
    from streamer.message import PixelArray, ScoreArray
    from streamer.scoring.line_profile import LineProfile

DETECTORS = ("brightness", "lines")
BLOCK_CELLS = 256  # rows of cells that are rendered, or summed along lines, at a time
STEP_LINES = 64  # the light is the same for so many


@dataclass(slots=True)
class Watch:
    """What one fading lamp shows of a web: rows of cells so far, of light and of contrast."""

    percent_per_100m: float
    light: list[ScoreArray] = field(default_factory=list)
    contrast: list[ScoreArray] = field(default_factory=list)
    turned: list[ScoreArray] = field(default_factory=list)
    carry: PixelArray | None = None

    @property
    def rows(self) -> int:
        """Of cells, so far."""
        return sum(one.shape[1] for one in self.contrast)

    def see(self, pixels: PixelArray, stride: int) -> None:
        """Whole cells of web, the next ones; the last rows are known with the next."""
        above = 0 if self.carry is None else LINE_HALO
        known = pixels if self.carry is None else np.concatenate([self.carry, pixels])
        rows, strips = slice(above, len(known) // stride - LINE_HALO), strips_per_cell(stride)
        turned = slice(rows.start * strips, rows.stop * strips)
        self.light.append(log_brightness(known, stride)[rows])
        self.contrast.append(log_contrast(known, stride)[:, rows])
        self.turned.append(turned_contrast(known, stride)[:, turned])
        self.carry = known[-2 * LINE_HALO * stride :]

    def lines(self, stride: int) -> LineStrip:
        """All of it, to learn from and to judge."""
        contrast, turned = (
            np.concatenate(self.contrast, axis=1),
            np.concatenate(self.turned, axis=1),
        )
        cells = slice(0, len(turned))
        return LineStrip(contrast, turned, slice(0, self.rows), cells, 0, strips_per_cell(stride))


def simulated(chosen: Config) -> SimulatorSource:
    """The source, if it is the simulator.

    Raises:
        ValueError: it is another one.
    """
    if not isinstance(chosen.source, SimulatorSource):
        msg = f"source.kind must be simulator, got {chosen.source.kind}"
        raise ValueError(msg)  # noqa: TRY004 (a setting is wrong, not a type)
    return chosen.source


def clean_web(chosen: Config, seed: int, lines: int) -> Iterator[PixelArray]:
    """Blocks of whole cells of a simulated web without defects."""
    changes = {"seed": seed, "defects_per_m": 0.0, "length_m": 1e6, "pace": "fast"}
    source = open_source(simulated(chosen).model_copy(update=changes), chosen.web)
    block = BLOCK_CELLS * find_footprint(chosen.backbone).stride
    for _ in range(lines // block):
        buffer = new_buffer(source.format, block)
        source.read_into(buffer)
        yield buffer
    source.close()


def faded(pixels: PixelArray, lost: ScoreArray, rng: np.random.Generator) -> PixelArray:
    """(lines, columns[, 3]) with the share `lost` (lines,) of the light gone, dithered."""
    kept = (1 - lost).astype(np.float32).reshape(-1, *[1] * (pixels.ndim - 1))
    dimmed = pixels * kept
    dimmed += rng.random(pixels.shape, np.float32)
    return np.floor(dimmed).clip(0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)


def watch_web(chosen: Config, seed: int, options: argparse.Namespace) -> list[Watch]:
    """One clean web under each of the fading lamps."""
    stride = find_footprint(chosen.backbone).stride
    watches = [Watch(percent) for percent in options.fades]
    per_100m = web_geometry(chosen, 1).lines(100.0)
    rng, first = np.random.default_rng(seed), 0
    for pixels in clean_web(chosen, seed, web_geometry(chosen, 1).lines(options.metres)):
        steps = (first + np.arange(len(pixels))) // STEP_LINES * STEP_LINES
        for watch in watches:
            lost = steps / per_100m * watch.percent_per_100m / 100
            watch.see(faded(pixels, lost, rng) if watch.percent_per_100m else pixels, stride)
        first += len(pixels)
    return watches


def count_alarms(watch: Watch, chosen: Config) -> dict[str, int]:
    """By detector, on the web after the bootstrap."""
    stride, columns = find_footprint(chosen.backbone).stride, simulated(chosen).columns
    geometry = web_geometry(chosen, columns)
    target = CalibrationTarget(
        geometry,
        stride,
        chosen.scoring.patch_size,
        chosen.calibration.false_alarms_per_100m / (1 + len(DETECTORS)),
        chosen.calibration.tail,
    )
    light, seen = np.concatenate(watch.light), watch.lines(stride)
    rows = geometry.lines(chosen.profile.bootstrap_m) // stride
    brightness = learn_brightness([LightStrip(light[:rows], 0)], target)
    lines = learn_lines([_rows_of(seen, slice(0, rows))], target)
    if brightness is None or lines is None:
        msg = f"profile.bootstrap_m must hold web to learn from, got {rows} rows"
        raise ValueError(msg)
    grow = chosen.decision.grow_ratio
    found = (
        brightness.normalise(light[rows:], 0),
        _lines_of(_rows_of(seen, slice(rows, watch.rows)), lines),
    )
    return {name: regions(one, grow) for name, one in zip(DETECTORS, found, strict=True)}


def _rows_of(seen: LineStrip, rows: slice) -> LineStrip:
    """So many rows of cells of it, all of them to learn from."""
    turned = seen.turned[:, rows.start * seen.strips : rows.stop * seen.strips]
    contrast = seen.contrast[:, rows]
    return replace(seen, contrast=contrast, turned=turned, rows=slice(0, contrast.shape[1]))


def _lines_of(seen: LineStrip, profile: LineProfile) -> ScoreArray:
    """Normalised, block by block with the rows about it."""
    parts = []
    for top in range(0, seen.rows.stop, BLOCK_CELLS):
        above = max(top - LINE_HALO, 0)
        around = _rows_of(seen, slice(above, top + BLOCK_CELLS + LINE_HALO))
        parts.append(profile.normalise(around)[top - above :][:BLOCK_CELLS])
    return np.concatenate(parts)


def regions(scores: ScoreArray, grow_ratio: float) -> int:
    """Regions of a map in units of the alarm level that reach it."""
    labels, count = ndimage.label(scores >= grow_ratio, EIGHT_NEIGHBOURS)
    peaks = ndimage.maximum(scores, labels, np.arange(1, count + 1)) if count else []
    return int((np.asarray(peaks) >= SEED_LEVEL).sum())


def table(alarms: dict[float, dict[str, int]], metres: float) -> str:
    """Alarms and their rate by fade in Markdown."""
    head = " | ".join(f"{name}: alarms | per 100 m (95 %)" for name in DETECTORS)
    lines = [f"| light lost per 100 m | {head} |", "|---" * (1 + 2 * len(DETECTORS)) + "|"]
    for percent, counts in alarms.items():
        cells = []
        for name in DETECTORS:
            low, high = rate_interval(counts[name], metres)
            rate = 100 * counts[name] / metres
            cells.append(f"{counts[name]} | {rate:.2f} ({low:.2f} to {high:.2f})")
        lines.append(f"| {percent:g} % | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"{metres:.0f} m of clean web after the bootstrap"])


def measure(options: argparse.Namespace) -> tuple[dict[float, dict[str, int]], float]:
    """Alarms by fade and detector, and the metres that were judged."""
    chosen = load_config(options.config, options.set)
    alarms = {percent: dict.fromkeys(DETECTORS, 0) for percent in options.fades}
    lines = 0
    geometry, stride = web_geometry(chosen, 1), find_footprint(chosen.backbone).stride
    for seed in range(options.first_seed, options.first_seed + options.webs):
        watches = watch_web(chosen, seed, options)
        for watch in watches:
            for name, count in count_alarms(watch, chosen).items():
                alarms[watch.percent_per_100m][name] += count
        lines += watches[0].rows * stride - geometry.lines(chosen.profile.bootstrap_m)
        told = f"seed {seed}: {alarms} on {geometry.metres(lines):.0f} m so far"
        print(told, file=sys.stderr, flush=True)
    return alarms, geometry.metres(lines)


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="False alarms of detectors under a fading lamp.")
    parser.add_argument("--config", type=Path, help="configuration of the line")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--fades", type=float, nargs="+", default=[0.0, 1.0, 2.0, 5.0])
    parser.add_argument("--webs", type=int, default=1, help="each of its own seed")
    parser.add_argument("--metres", type=float, default=100.0, help="length of each web")
    parser.add_argument("--first-seed", type=int, default=500)
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for the counts")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    options = parse_options(arguments)
    try:
        alarms, metres = measure(options)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json is not None:
        text = json.dumps({"metres": metres, "alarms": alarms}, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    print(table(alarms, metres))
    return 0


if __name__ == "__main__":
    sys.exit(main())
