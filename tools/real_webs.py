"""Real recordings as webs: how the line is run on each, and what it found; prints nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from real_truth import (
    Figures,
    LabelledPiece,
    PieceMatch,
    count_figures,
    match_pieces,
    read_boxed_pieces,
    read_masked_pieces,
)

from streamer.outputs.defect_log import read_log
from streamer.outputs.roll_map import read_map
from streamer.outputs.truth import default_tolerance_mm
from streamer.web import WebGeometry

if TYPE_CHECKING:
    from collections.abc import Sequence

PROJECT = Path(__file__).resolve().parents[1]
RUN_TIMEOUT_S = 600

# The default ports may be those of a line that runs here.
FREE_PORTS = ("alarms.publish=tcp://127.0.0.1:*", "alarms.snapshot=tcp://127.0.0.1:*")

# Neither source states its pixel size. The head of a rail is 72 mm wide and covers about 350
# columns; a fabric of usual width (1.4 m) covers 4096. Lines are taken as long as pixels are wide.
RAIL_PIXEL_MM = 0.2
FABRIC_PIXEL_MM = 0.35

# Chosen by measuring, the same for all webs of a set. Pieces differ more from each other (light,
# focus, weave) than a defect from its surroundings, so each tile is judged against itself. A rail
# frame as one tile keeps its edges and defects a small share of it; on the fabrics, whose light
# changes across the web, narrow tiles do better.
RAIL_SETTINGS = (
    f"web.pixel_mm={RAIL_PIXEL_MM}",
    "profile.mode=per_tile",
    "tiles.lines=2000",
    "calibration.false_alarms_per_100m=1000",
)
FABRIC_SETTINGS = (
    f"web.pixel_mm={FABRIC_PIXEL_MM}",
    "profile.mode=per_tile",
    "tiles.lines=256",
    "tiles.columns=512",
    "calibration.false_alarms_per_100m=100",
)
# The same tile, turned; the web is 16 times narrower, so the same rate per area is 16 times less.
TRANSPOSED_SETTINGS = (
    f"web.pixel_mm={FABRIC_PIXEL_MM}",
    "profile.mode=per_tile",
    "tiles.lines=512",
    "tiles.columns=256",
    "calibration.false_alarms_per_100m=6.25",
)


@dataclass(frozen=True, slots=True)
class RecordedWeb:
    """Images of one web, in the order of their names, and how the line is run on them."""

    name: str
    images: Path
    glob: str
    settings: tuple[str, ...]
    transpose: bool = False

    def pieces(self) -> tuple[LabelledPiece, ...]:
        """The images with their labels, as they lie on the web.

        Raises:
            FileNotFoundError: images or labels are missing.
        """
        files = sorted(self.images.glob(self.glob))
        if not files:
            msg = f"{self.name}: images must exist, got no {self.images / self.glob}"
            raise FileNotFoundError(msg)
        boxed = (self.images.parent / "boxes.json").is_file()
        pieces = (read_boxed_pieces if boxed else read_masked_pieces)(files)
        return tuple(piece.transposed() for piece in pieces) if self.transpose else pieces

    def command(self, settings: Sequence[str], roll_folder: Path) -> list[str]:
        """The call of the program; `settings` come last and win."""
        where = (f"roll.folder={roll_folder}", f"roll.name={self.name}")
        given = (*self.settings, *FREE_PORTS, *where, *settings)
        turned = ["--transpose"] if self.transpose else []
        selection = [str(self.images), "--glob", self.glob, "--seams", "--width", "pad", *turned]
        options = [f"--set={setting}" for setting in given]
        return [sys.executable, "-m", "streamer", "replay", *selection, "--json", *options]


def known_webs(data: Path) -> tuple[RecordedWeb, ...]:
    """Every web that can be measured; the transposed fabrics are there for comparison."""
    strips = data / "rail400" / "strip" / "images"
    rails = [
        RecordedWeb(f"rail{key}", strips, f"??????{key}*.png", RAIL_SETTINGS)
        for key in ("0100", "0200")
    ]
    folders = {name: data / "aitex" / name / "images" for name in ("fabric00", "fabric02")}
    folders["fabric05"] = data / "aitex" / "fabric05" / "images"
    fabrics = [RecordedWeb(n, f, "*.png", FABRIC_SETTINGS) for n, f in folders.items()]
    turned = [
        RecordedWeb(f"{n}-transposed", f, "*.png", TRANSPOSED_SETTINGS, transpose=True)
        for n, f in folders.items()
    ]
    return (*rails, *fabrics, *turned)


def choose_webs(data: Path, only: Sequence[str]) -> tuple[RecordedWeb, ...]:
    """The webs that `only` names; if it is empty, all that are not transposed.

    Raises:
        ValueError: a name is unknown.
    """
    webs = known_webs(data)
    unknown = sorted(set(only) - {web.name for web in webs})
    if unknown:
        msg = f"--only must be of {', '.join(w.name for w in webs)}, got {', '.join(unknown)}"
        raise ValueError(msg)
    return tuple(web for web in webs if (web.name in only if only else not web.transpose))


@dataclass(frozen=True, slots=True)
class Measurement:
    """What came of one web; `alarm_percent` is the share of the inspected area inside alarms.

    `missed` are the labels without an alarm, "<image>: <kind> <line>:<column>".
    """

    web: str
    settings: tuple[str, ...]
    figures: Figures
    metres: float
    alarm_percent: float
    coverage: dict[str, Any]
    mpix_s: float
    roll_s: float
    wall_s: float
    engine: str
    missed: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for machines."""
        return asdict(self)


def measure(web: RecordedWeb, settings: Sequence[str], roll_folder: Path) -> Measurement:
    """Run the line on a web and compare what it logged with the labels.

    Raises:
        FileNotFoundError: images or labels are missing.
        RuntimeError: the run failed; the text is what it wrote.
    """
    pieces = web.pieces()
    started_s = time.monotonic()
    manifest = run_line(web.command(settings, roll_folder))
    wall_s = time.monotonic() - started_s
    totals, defects = manifest["totals"], read_log(roll_folder / web.name).defects
    matches = _matches(pieces, manifest, roll_folder / web.name)
    inspected_mm2 = totals["coverage"]["inspected_m2"] * 1e6
    return Measurement(
        web=web.name,
        settings=(*web.settings, *settings),
        figures=count_figures(matches),
        metres=totals["metres"],
        alarm_percent=100 * sum(d.area_mm2 for d in defects) / max(inspected_mm2, 1e-9),
        coverage=totals["coverage"],
        mpix_s=manifest["throughput_mpix_s"],
        roll_s=manifest["duration_s"],
        wall_s=wall_s,
        engine=manifest["engine"],
        missed=tuple(
            f"{m.piece.name}: {truth.kind} {truth.id}" for m in matches for truth in m.match.missed
        ),
    )


def run_line(command: Sequence[str]) -> dict[str, Any]:
    """The manifest of a run of the program.

    Raises:
        RuntimeError: it ended with another code than 0, or takes longer than RUN_TIMEOUT_S.
    """
    try:
        done = subprocess.run(
            command, cwd=PROJECT, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        msg = f"run must end within {RUN_TIMEOUT_S} s, got none: {' '.join(command)}"
        raise RuntimeError(msg) from None
    if done.returncode:
        msg = f"run must end with 0, got {done.returncode}: {done.stderr.strip()}"
        raise RuntimeError(msg)
    manifest: dict[str, Any] = json.loads(done.stdout)["manifest"]
    return manifest


def _matches(
    pieces: Sequence[LabelledPiece], manifest: dict[str, Any], roll: Path
) -> tuple[PieceMatch, ...]:
    web, lines = manifest["web"], sum(piece.lines for piece in pieces)
    if lines != manifest["totals"]["lines"]:
        # Labels would be looked for in the wrong place.
        msg = f"roll must hold {lines} lines, got {manifest['totals']['lines']}"
        raise RuntimeError(msg)
    geometry = WebGeometry(web["columns"], web["pixel_mm"], web["line_mm"], web["speed_m_min"])
    form, _ = read_map(roll)
    tolerance_mm = default_tolerance_mm(geometry, form.stride)
    return match_pieces(pieces, read_log(roll).defects, geometry, tolerance_mm)
