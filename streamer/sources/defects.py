"""The looks of planted defects: what each does to the reflectance; places none of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.sources.lattice import Floats

Grid: TypeAlias = npt.NDArray[np.float64]


class DefectKind(StrEnum):
    """Kinds that can be planted."""

    MISSING_THREAD = "missing_thread"
    DOUBLE_THREAD = "double_thread"
    KNOT = "knot"
    HOLE = "hole"
    STAIN = "stain"
    SCRATCH = "scratch"
    CRACK = "crack"
    DENSITY_BAR = "density_bar"


@dataclass(frozen=True, slots=True)
class Patch:
    """What a defect does to the reflectance: `gain` * reflectance + `offset`, (lines, columns)."""

    gain: Floats
    offset: Floats


@dataclass(frozen=True, slots=True)
class Room:
    """What a defect may take up, and the scale in which it is drawn.

    `lines` and `columns` are the largest size in pixels, `thread_mm` the width of a thread.
    """

    lines: int
    columns: int
    line_mm: float
    pixel_mm: float
    thread_mm: float

    @property
    def fine_mm(self) -> float:
        """The coarser side of a pixel: nothing finer can be drawn."""
        return max(self.line_mm, self.pixel_mm)

    def grid(self, down_mm: float, cross_mm: float) -> tuple[Grid, Grid]:
        """Distances in mm from the centre of a box: (lines, 1) down-web and (1, columns) cross-web.

        The box is `down_mm` by `cross_mm` as far as the room allows.
        """
        lines = int(np.clip(np.ceil(down_mm / self.line_mm), 1, self.lines))
        columns = int(np.clip(np.ceil(cross_mm / self.pixel_mm), 1, self.columns))
        down = (np.arange(lines, dtype=np.float64) - (lines - 1) / 2) * self.line_mm
        cross = (np.arange(columns, dtype=np.float64) - (columns - 1) / 2) * self.pixel_mm
        return down[:, None], cross[None, :]


def draw_defect(kind: DefectKind, rng: np.random.Generator, room: Room) -> Patch:
    """A defect of `kind`; size, shape and strength come from `rng`."""
    return _DRAW[kind](rng, room)


def _patch(cover: Grid, gain: float, offset: float) -> Patch:
    """`cover` 0..1 says how much of `gain` and `offset` a pixel gets."""
    strength = cover.astype(np.float32)
    return Patch(1 + strength * np.float32(gain - 1), strength * np.float32(offset))


def _edge(distance_mm: Grid, softness_mm: float) -> Grid:
    """1 inside (negative distance), 0 outside, linear over `softness_mm`."""
    return np.clip(0.5 - distance_mm / softness_mm, 0, 1)


def _ends(along: Grid, softness_mm: float) -> Grid:
    """Fades out at both ends of `along`."""
    return _edge(np.abs(along) - np.abs(along).max(), 2 * softness_mm)


def _strand(rng: np.random.Generator, room: Room, widths: float) -> tuple[Grid, Grid]:
    """(distance across, distance along) in mm of a straight strand, down-web or cross-web."""
    length, width = rng.uniform(25, 350), widths * room.thread_mm
    if rng.random() < 0.5:
        down, cross = room.grid(length, width)
        return cross, down
    down, cross = room.grid(width, length)
    return down, cross


def _missing_thread(rng: np.random.Generator, room: Room) -> Patch:
    across, along = _strand(rng, room, 2.4)
    gap = np.exp(-((across / (0.45 * room.thread_mm)) ** 2))
    crowd = np.exp(-(((np.abs(across) - room.thread_mm) / (0.4 * room.thread_mm)) ** 2))
    depth = rng.uniform(0.25, 0.75)
    return _patch((gap - 0.15 * crowd) * _ends(along, room.fine_mm), 1 - depth, 0.0)


def _double_thread(rng: np.random.Generator, room: Room) -> Patch:
    across, along = _strand(rng, room, 3.0)
    ridge = np.exp(-((across / (0.7 * room.thread_mm)) ** 2))
    shadow = np.exp(-(((np.abs(across) - 1.2 * room.thread_mm) / (0.3 * room.thread_mm)) ** 2))
    return _patch((ridge - 0.5 * shadow) * _ends(along, room.fine_mm), rng.uniform(1.2, 1.6), 0.0)


def _blob(
    rng: np.random.Generator, room: Room, size_mm: tuple[float, float], ragged: float
) -> tuple[Grid, float]:
    """(signed distance to an irregular contour in mm, diameter in mm)."""
    size = max(float(np.exp(rng.uniform(*np.log(size_mm)))), 3 * room.fine_mm)
    stretch = float(np.exp(rng.uniform(-0.3, 0.3)))
    down, cross = room.grid(1.5 * size * stretch, 1.5 * size / stretch)
    down_share, cross_share = (
        down / (np.ptp(down) + room.line_mm),
        cross / (np.ptp(cross) + room.pixel_mm),
    )
    angle = np.arctan2(down_share, cross_share)
    contour = sum(
        rng.uniform(-1, 1) / order * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
        for order in range(2, 7)
    )
    radius = 1.5 * np.hypot(down_share, cross_share)
    return (radius - 0.5 * (1 + ragged * np.asarray(contour))) * size, size


def _knot(rng: np.random.Generator, room: Room) -> Patch:
    distance, size = _blob(rng, room, (2 * room.thread_mm, 6 * room.thread_mm), 0.15)
    bulge = np.clip(-distance / (0.4 * size), 0, 1)
    ring = np.exp(-(((distance - 0.08 * size) / (0.1 * size)) ** 2)) * (distance < 0.2 * size)
    height = np.sqrt(bulge)
    gain = 1 - 0.5 * height - 0.35 * ring
    light = height * rng.uniform(0.35, 0.6)
    return Patch(gain.astype(np.float32), light.astype(np.float32))


def _hole(rng: np.random.Generator, room: Room) -> Patch:
    distance, _ = _blob(rng, room, (1.5, 15.0), 0.25)
    return _patch(_edge(distance, room.fine_mm), rng.uniform(0.05, 0.3), 0.03)


def _stain(rng: np.random.Generator, room: Room) -> Patch:
    distance, size = _blob(rng, room, (6.0, 70.0), 0.3)
    rim = 0.25 * np.exp(-(((distance + 0.06 * size) / (0.05 * size)) ** 2))
    cover = _edge(distance, 0.25 * size) + rim * (distance < 0)
    return _patch(cover, rng.uniform(0.6, 0.92), 0.0)


def _walk(rng: np.random.Generator, steps: int, smooth: int) -> Grid:
    """A wandering line of `steps` places from 0, about unit steps, smoothed over `smooth`."""
    turns = np.repeat(rng.standard_normal(-(-steps // smooth)), smooth)[:steps]
    return np.cumsum(turns)


def _scratch(rng: np.random.Generator, room: Room) -> Patch:
    length = rng.uniform(20, 200)
    lean = rng.uniform(-0.12, 0.12)
    width = max(rng.uniform(0.3, 1.2), 0.8 * room.fine_mm)
    down, cross = room.grid(length, 2 * abs(lean) * length * 0.5 + 4 * width)
    centre = lean * down + 0.15 * width * np.sin(down / length * rng.uniform(2, 6))
    cover = _edge(np.abs(cross - centre) - width / 2, room.fine_mm) * _ends(down, 0.15 * length)
    return _patch(cover, rng.uniform(0.5, 0.8), rng.uniform(0.18, 0.5))


def _crack(rng: np.random.Generator, room: Room) -> Patch:
    length = rng.uniform(10, 70)
    width = max(rng.uniform(0.25, 1.0), 0.9 * room.fine_mm)
    down, cross = room.grid(0.7 * length, length)
    smooth = max(1, round(2.0 / room.pixel_mm))
    path = (
        _walk(rng, cross.size, smooth)[None, :] * room.pixel_mm * 0.6
        + rng.uniform(-0.3, 0.3) * cross
    )
    path -= (path.max() + path.min()) / 2
    opening = width * (1 - (2 * cross / (np.ptp(cross) + room.pixel_mm)) ** 2) * 0.5
    cover = _edge(np.abs(down - path) - opening, room.fine_mm) * (opening > 0.1 * width)
    return _patch(cover, rng.uniform(0.1, 0.45), 0.0)


def _density_bar(rng: np.random.Generator, room: Room) -> Patch:
    down, _ = room.grid(rng.uniform(5, 40), 1)
    cover = _ends(down, 0.15 * np.abs(down).max() + room.line_mm)
    sign = 1 if rng.random() < 0.5 else -1
    patch = _patch(cover, 1 + sign * rng.uniform(0.08, 0.3), 0.0)
    shape = (down.size, room.columns)
    return Patch(np.broadcast_to(patch.gain, shape), np.broadcast_to(patch.offset, shape))


_DRAW: dict[DefectKind, Callable[[np.random.Generator, Room], Patch]] = {
    DefectKind.MISSING_THREAD: _missing_thread,
    DefectKind.DOUBLE_THREAD: _double_thread,
    DefectKind.KNOT: _knot,
    DefectKind.HOLE: _hole,
    DefectKind.STAIN: _stain,
    DefectKind.SCRATCH: _scratch,
    DefectKind.CRACK: _crack,
    DefectKind.DENSITY_BAR: _density_bar,
}
