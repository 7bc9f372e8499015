"""What tiles that were judged show of the light, and what may be learnt of it; knows no state."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from streamer.scoring.brightness import LightStrip
from streamer.scoring.rolling_brightness import (
    SegmentLight,
    brightness_profile,
    combine_columns,
    learn_columns,
)
from streamer.scoring.seen_tile import pieces, without_alarms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.calibration import CalibrationTarget
    from streamer.message import ScoreArray
    from streamer.scoring.brightness import BrightnessProfile
    from streamer.scoring.rolling_brightness import ColumnLight
    from streamer.scoring.seen_tile import SeenTile


def lit(tile: SeenTile, normal: BrightnessProfile | None) -> SeenTile:
    """With how far its light is from what is `normal`, where that is known."""
    if normal is None or tile.light is None:
        return replace(tile, brightness=None)
    return replace(tile, brightness=normal.normalise(tile.light, tile.first_column))


def columns_of(tiles: Sequence[SeenTile], gate: float) -> ColumnLight | None:
    """Of what scored no higher than `gate`, in texture and brightness; None: nothing did."""
    return learn_columns(
        [
            LightStrip(
                np.where(tile.may_be_learnt(gate), tile.light, np.float32(np.nan)),
                tile.first_column,
            )
            for tile in tiles
            if tile.light is not None
        ]
    )


def segment_light(
    tiles: Sequence[SeenTile], columns: ColumnLight | None, normal: BrightnessProfile
) -> SegmentLight:
    """Of the tiles of a segment, as `normal` judges them: a map for each piece of web."""
    grouped = pieces(tiles)
    return SegmentLight.of(
        columns, [np.concatenate([_distance(tile, normal) for tile in one]) for one in grouped]
    )


def without_alarmed(
    light: SegmentLight, tiles: Sequence[SeenTile], patch_size: int
) -> SegmentLight:
    """Without the distances where texture or brightness alarmed, and near that."""
    judged = [np.concatenate([tile.normalised for tile in one]) for one in pieces(tiles)]
    kept = [
        np.where(np.isnan(without_alarms(one, 1.0, patch_size)), np.float32(np.nan), distance)
        for one, distance in zip(judged, light.distances, strict=True)
    ]
    return SegmentLight.of(light.columns, kept)


def first_brightness(
    segments: Sequence[Sequence[SeenTile]], gate: float, target: CalibrationTarget
) -> tuple[BrightnessProfile | None, list[SegmentLight | None]]:
    """What is normal in the bootstrap, and what each segment of it leaves; None: not judged."""
    learnt = [columns_of(tiles, gate) for tiles in segments]
    known = [one for one in learnt if one is not None]
    if not known:
        return None, [None] * len(segments)
    # Calibrated below, on what it says of the same web.
    columns = combine_columns(known)
    raw = brightness_profile(columns, [], None, target)
    lights = [segment_light(tiles, one, raw) for tiles, one in zip(segments, learnt, strict=True)]
    distances = [one for light in lights for one in light.distances]
    return brightness_profile(columns, distances, None, target), [*lights]


def next_brightness(
    lights: Sequence[SegmentLight], present: BrightnessProfile, target: CalibrationTarget
) -> BrightnessProfile:
    """What is normal after the remembered segments; as at `present` where they are mute."""
    known = [light.columns for light in lights if light.columns is not None]
    if not known:
        return present
    distances = [one for light in lights for one in light.distances]
    return brightness_profile(combine_columns(known, present), distances, present, target)


def _distance(tile: SeenTile, normal: BrightnessProfile) -> ScoreArray:
    if tile.light is None:
        return np.full_like(tile.scores, np.nan)
    return normal.distance(tile.light, tile.first_column)
