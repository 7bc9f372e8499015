"""References of cross-web bands: one median each, learnt, combined, scored with; knows no tile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import pad

import kernels
from kernels import MedianAccumulator, MedianMemory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.message import ScoreArray
    from streamer.scoring.fca import FcaFast

LEAST_WINDOWS = 16  # a band that rests on fewer borrows
SINGLE_AXES = 3  # of a reference without prototypes: bands, channels, ranks


@dataclass(frozen=True, slots=True)
class BandPlace:
    """Where the bands of a reference lie: `width` in features, `first` counted from the left."""

    width: int
    first: int


@dataclass(frozen=True, slots=True, eq=False)
class LevelStrip:
    """`levels` (C, rows, columns) uint8, `keep` (rows, columns) bool: what may be learnt.

    Column 0 is column `first_column` of the web, in features. `follows`: the rows continue those of
    the strip before; else no window lies across both.
    """

    levels: torch.Tensor
    keep: torch.Tensor
    first_column: int
    follows: bool

    @property
    def end_column(self) -> int:
        """One past the last column."""
        return self.first_column + self.levels.shape[2]

    def within(self, first: int, end: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Levels and keep on columns [first, end); what is added may not be learnt."""
        around = (self.first_column - first, end - self.end_column)
        return pad(self.levels, around), pad(self.keep, around)


@dataclass(frozen=True, slots=True, eq=False)
class BandReference:
    """`reference` (bands, C, T * T) uint8, ascending, from band `first` of the web on.

    With several prototypes per band (bands, K, C, T * T).
    """

    reference: torch.Tensor
    first: int = 0

    @property
    def end(self) -> int:
        """One past the last band."""
        return self.first + self.reference.shape[0]

    def distance(self, other: BandReference, levels: int) -> float:
        """Mean absolute difference in the bands that both have, as share of the feature range.

        Of several prototypes the nearest of `other` counts for each of ours.
        """
        first, end = max(self.first, other.first), min(self.end, other.end)
        if first >= end:
            return 0.0
        ours, theirs = (
            one.reference[first - one.first : end - one.first].to(torch.int16)
            for one in (self, other)
        )
        if ours.dim() == SINGLE_AXES and theirs.dim() == SINGLE_AXES:
            return float((ours - theirs).abs().double().mean()) / (levels - 1)
        ours, theirs = (one.view(len(one), -1, *one.shape[-2:]) for one in (ours, theirs))
        each = [(ours - one[:, None]).abs().double().mean((2, 3)) for one in theirs.unbind(1)]
        return float(torch.stack(each).min(dim=0).values.mean()) / (levels - 1)


@dataclass(frozen=True, slots=True, eq=False)
class BandMedians:
    """A reference of some web and the windows (bands,) int64 that each band rests on.

    A band without windows has the reference of the nearest one. With several prototypes per band
    (bands, K), and those without windows mean nothing.
    """

    known: BandReference
    windows: torch.Tensor

    def windows_in(self, band: int) -> int:
        """Windows in a band of the web; 0 beyond those that are held."""
        inside = self.known.first <= band < self.known.end
        return int(self.windows[band - self.known.first].sum()) if inside else 0

    def of(self, band: int) -> torch.Tensor:
        """(C, T * T) or (K, C, T * T) of a band of the web that is held."""
        return self.known.reference[band - self.known.first]


def learn_bands(
    strips: Sequence[LevelStrip], band_width: int | None, method: FcaFast
) -> BandMedians | None:
    """Median order statistics of each band over strips of one lane; None: no window may be learnt.

    Windows lie at every T-th row from the first one of a piece, across at every column (with one
    band, `band_width` None, at every T-th), and on kept cells only.
    """
    if not strips:
        return None
    size = method.patch_size
    first = min(strip.first_column for strip in strips)
    end = max(strip.end_column for strip in strips)
    end = max(end, first + size)
    memory = _memory(strips, (first, end), band_width, method)
    accumulator = MedianAccumulator(memory)
    for strip in strips:
        row = accumulator.next_line
        if not strip.follows and row:
            row = (row // size + 1) * size  # on the next row of windows
        levels, keep = strip.within(first, end)
        accumulator.push(levels, row, keep)
    windows = accumulator.windows_per_band()
    if int(windows.sum()) == 0:
        return None
    reference = accumulator.reference()
    if band_width is None:
        return BandMedians(BandReference(reference[None]), windows)
    return BandMedians(BandReference(reference, first // band_width), windows)


def _memory(
    strips: Sequence[LevelStrip], columns: tuple[int, int], band_width: int | None, method: FcaFast
) -> MedianMemory:
    """For all of `strips`; bands are counted from the one of the first column."""
    first, end = columns
    # A strip that does not follow starts on the next row of windows.
    lines = sum(strip.levels.shape[1] + 2 * method.patch_size for strip in strips)
    return MedianMemory(
        strips[0].levels.shape[0],
        end - first,
        lines,
        lines,
        method.levels,
        method.patch_size,
        band_width=band_width,
        first_column=0 if band_width is None else first % band_width,
    )


def combine_bands(
    parts: Sequence[BandMedians], previous: BandReference | None = None
) -> BandReference:
    """The lower median over `parts`, one or more, band by band.

    A part counts in a band where it has LEAST_WINDOWS or more. A band in which none counts keeps
    its `previous` reference; without one it borrows that of the nearest band, the lower on
    equality. If no band has so many windows, those with the most count.
    """
    least = min(LEAST_WINDOWS, max(int(part.windows.max()) for part in parts))
    held = [part.known for part in parts] + ([] if previous is None else [previous])
    first, end = min(one.first for one in held), max(one.end for one in held)
    known: dict[int, torch.Tensor] = {}
    for band in range(first, end):
        own = [part.of(band) for part in parts if part.windows_in(band) >= least]
        if own:
            known[band] = torch.stack(own).median(dim=0).values
        elif previous is not None and previous.first <= band < previous.end:
            known[band] = previous.reference[band - previous.first]
    nearest = [min(known, key=lambda k: (abs(k - band), k)) for band in range(first, end)]
    return BandReference(torch.stack([known[band] for band in nearest]), first)


def join_lanes(parts: Sequence[BandMedians]) -> BandReference:
    """The reference of the web that lanes lie on, one or more.

    A band that two lanes share is that of the lane with more windows in it, the first on equality;
    one that none knows borrows from the nearest.
    """
    first = min(part.known.first for part in parts)
    end = max(part.known.end for part in parts)
    best = [max(parts, key=lambda part: part.windows_in(band)) for band in range(first, end)]
    bands = list(zip(range(first, end), best, strict=True))
    windows = torch.tensor([part.windows_in(band) for band, part in bands])
    fallback = parts[0].known.reference[0]
    held = [part.of(n) if part.windows_in(n) else fallback for n, part in bands]
    return combine_bands([BandMedians(BandReference(torch.stack(held), first), windows)])


def score_bands(
    method: FcaFast, levels: torch.Tensor, reference: torch.Tensor, bands: BandPlace, column: int
) -> ScoreArray:
    """Scores (H, W) float32 of `levels` (C, H, W), whose column 0 is column `column` of the web.

    `reference` is (bands, C, T * T) from band `bands.first` on; beyond its ends the last band
    counts. Of (bands, K, C, T * T) each place takes the prototype that fits it best.
    """
    lowest = column // bands.width
    highest = (column + levels.shape[2] - 1) // bands.width
    index = torch.arange(lowest, highest + 1) - bands.first
    own = reference[index.clamp_(0, reference.shape[0] - 1)].to(levels.device)
    place = BandPlace(bands.width, column - lowest * bands.width)
    if own.dim() == SINGLE_AXES:
        return _score_each(method, levels, own, place)
    maps = [_score_each(method, levels, one.contiguous(), place) for one in own.unbind(1)]
    lowest_scores: ScoreArray = np.minimum.reduce(maps)
    return lowest_scores


def _score_each(
    method: FcaFast, levels: torch.Tensor, reference: torch.Tensor, place: BandPlace
) -> ScoreArray:
    """With the one reference of each band; `place.first` is the column of column 0 in the first."""
    scores = kernels.fca_score_fast(
        levels,
        reference,
        levels_count=method.levels,
        patch_size=method.patch_size,
        window_stride=method.window_stride,
        sigma_blur=method.sigma_blur,
        band_width=place.width,
        first_column=place.first,
    )
    array: ScoreArray = scores.cpu().numpy()
    return array
