"""The detectors beside the texture score: what they see, learn and add; knows no backbone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from streamer.scoring.brightness import (
    LightStrip,
    brighter_or_darker,
    learn_brightness,
    log_brightness,
)
from streamer.scoring.cells import core_cells, hide_masked, masked_cells
from streamer.scoring.line_contrast import log_contrast, strips_per_cell, turned_contrast
from streamer.scoring.line_profile import LineStrip, learn_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamer.message import ScoreArray, Tile
    from streamer.scoring.lesson import Lesson
    from streamer.scoring.profile import TextureProfile


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What the detectors that are asked for learn from one tile; None: not asked for."""

    light: LightStrip | None = None
    lines: LineStrip | None = None


def look(tile: Tile, lesson: Lesson) -> Look:
    """At a tile, for `learn_detectors`."""
    stride = lesson.spec.stride
    return Look(
        _light(tile, stride) if lesson.brightness else None,
        see_lines(tile, stride) if lesson.lines else None,
    )


def learn_detectors(
    profile: TextureProfile, looks: Iterable[Look], lesson: Lesson
) -> TextureProfile:
    """The profile with what `looks` at mostly normal web, in any order, say is normal."""
    seen = list(looks)
    lights = [one.light for one in seen if one.light is not None]
    lines = [one.lines for one in seen if one.lines is not None]
    return replace(
        profile,
        brightness=learn_brightness(lights, lesson.target) if lesson.brightness else None,
        lines=learn_lines(lines, lesson.target) if lesson.lines else None,
    )


def add_detectors(
    tile: Tile, scores: ScoreArray, profile: TextureProfile, lesson: Lesson
) -> ScoreArray:
    """Raw texture scores of the whole tile (rows, columns), raised where a detector says more."""
    calibration, stride = profile.calibration.for_lane(tile.lane), lesson.spec.stride
    if lesson.brightness and profile.brightness is not None:
        light = log_brightness(tile.pixels, stride)
        changed = profile.brightness.normalise(light, _first_cell(tile, stride))
        scores = brighter_or_darker(scores, calibration, changed)
    if lesson.lines and profile.lines is not None:
        found = profile.lines.normalise(see_lines(tile, stride))
        scores = brighter_or_darker(scores, calibration, found)
    return scores


def see_lines(tile: Tile, stride: int) -> LineStrip:
    """The contrast of a tile with its halo, both ways, to learn from its core."""
    contrast, strips = log_contrast(tile.pixels, stride), strips_per_cell(stride)
    turned, masked = turned_contrast(tile.pixels, stride), masked_cells(tile, stride)
    contrast[:, :, np.repeat(masked, strips)] = np.nan
    turned[masked] = np.nan
    return LineStrip(contrast, turned, *core_cells(tile, stride), _first_cell(tile, stride), strips)


def _light(tile: Tile, stride: int) -> LightStrip:
    """How bright the core is."""
    light = hide_masked(tile, log_brightness(tile.pixels, stride), stride)
    return LightStrip(light[core_cells(tile, stride)].copy(), tile.first_column // stride)


def _first_cell(tile: Tile, stride: int) -> int:
    """The cell of the web at the left of the tile's halo."""
    return (tile.first_column - tile.halo.left) // stride
