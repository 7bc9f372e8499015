"""From white and dark references to a gain and an offset per column; pure, knows no file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import median_filter

from streamer.message import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Reals = NDArray[np.float64]
    Levels = NDArray[np.float32]

LARGEST_GAIN = 4.0  # a column that needs more shows noise instead of web
BRIGHT_QUANTILE = 0.99  # of the columns: what the others are raised to
NARROW, WIDE = 65, 8  # columns beside a column; parts of the web's width
# A lone column that is so far from those beside it is no lamp and no dirt, but a bad pixel.
BAD_RESPONSE, BAD_DARK = 0.3, 0.05  # share of its neighbourhood's response; share of full scale


@dataclass(frozen=True, slots=True, eq=False)
class LightReference:
    """What the camera gives of an even white target and of no light, in levels of `bits`.

    `white` and `dark` are (columns, channels), means over lines; `dark` None: never measured.
    """

    bits: int
    white: Levels
    dark: Levels | None = None

    def __post_init__(self) -> None:
        require(self.bits in (8, 16), "bits must be 8 or 16", self.bits)
        shaped = self.white.ndim == 2 and len(self.white) > 0 and self.white.shape[1] in (1, 3)
        require(shaped, "white must be (columns, 1 or 3)", self.white.shape)
        if self.dark is not None:
            alike = self.dark.shape == self.white.shape
            require(alike, f"dark must have the shape of white {self.white.shape}", self.dark.shape)

    @property
    def full_scale(self) -> int:
        """The highest level."""
        return (1 << self.bits) - 1

    def black(self, black_percent: float | None = None) -> Reals:
        """(columns, channels): the level without light.

        `black_percent` of full scale, else as measured, else 0.
        """
        if black_percent is not None or self.dark is None:
            level = (black_percent or 0.0) / 100 * self.full_scale
            return np.full(self.white.shape, level)
        return self.dark.astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class FlatField:
    """corrected = level * gain - offset, (columns, channels); `bad` columns hold no web."""

    gain: Reals
    offset: Reals
    bad: tuple[int, ...] = ()


def flat_field_of(reference: LightReference, black_percent: float | None = None) -> FlatField:
    """The correction that makes the white reference even (EMVA 1288 4.0, section 8).

    Every channel is raised to the level of its brightest columns, so that full scale stays full
    scale and the lamp keeps its colour. Columns that answer to light as no neighbour does, or
    hardly, are bad: see `bad_columns`; their gain is 1.
    """
    black = reference.black(black_percent)
    response = reference.white - black
    bad = bad_columns(reference, black_percent)
    good = np.ones(len(response), dtype=bool)
    good[list(bad)] = False
    chosen = response[good] if good.any() else response
    target = np.quantile(np.maximum(chosen, 0), BRIGHT_QUANTILE, axis=0)
    usable = good[:, None] & (response * LARGEST_GAIN >= target) & (response > 0)
    gain = np.divide(target, response, out=np.ones_like(response), where=usable)
    return FlatField(gain, gain * black, bad)


def black_level_field(columns: int, channels: int, bits: int, black_percent: float) -> FlatField:
    """Black to 0 and full scale to full scale, the same for every column."""
    rule = "black_percent must be within 0..75"
    require(0 <= black_percent <= 100 * (1 - 1 / LARGEST_GAIN), rule, black_percent)
    full_scale = (1 << bits) - 1
    black = black_percent / 100 * full_scale
    gain = np.full((columns, channels), full_scale / (full_scale - black))
    return FlatField(gain, gain * black)


def bad_columns(reference: LightReference, black_percent: float | None = None) -> tuple[int, ...]:
    """Columns that see no web: dead, blind, hot, or needing a gain above LARGEST_GAIN."""
    black = reference.black(black_percent)
    response = reference.white - black
    beside = smooth_across(response, narrow=True)
    far = np.abs(response - beside) > BAD_RESPONSE * np.maximum(beside, 1e-9)
    blind = response * LARGEST_GAIN < np.quantile(response, BRIGHT_QUANTILE, axis=0)
    glow = np.abs(black - smooth_across(black, narrow=True))
    bad = (far | blind | (response <= 0) | (glow > BAD_DARK * reference.full_scale)).any(axis=1)
    return tuple(int(column) for column in np.flatnonzero(bad))


def smooth_across(levels: Reals, *, narrow: bool) -> Reals:
    """(columns, channels): running median over NARROW columns, or over 1 / WIDE of the web.

    Beyond its ends the web goes on as it falls off there.
    """
    columns = len(levels)
    half = min(NARROW if narrow else max(columns // WIDE, NARROW), columns - 1 | 1) // 2
    if half < 1:
        return levels.astype(np.float64)
    padded = np.pad(levels, ((half, half), (0, 0)), mode="reflect", reflect_type="odd")
    smooth = median_filter(padded, size=(2 * half + 1, 1))[half : half + columns]
    return np.asarray(smooth, np.float64)
