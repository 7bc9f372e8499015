"""One median reference per cross-web band: learnt, combined, scored with; knows no tile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

import kernels
from kernels import MedianAccumulator, MedianMemory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.message import ScoreArray
    from streamer.scoring.fca import FcaFast

LEAST_WINDOWS = 16  # a band that rests on fewer borrows


@dataclass(frozen=True, slots=True)
class LanePlace:
    """Where level maps lie on the web, in features; `band_width` None: one band for the lane."""

    first_column: int
    columns: int
    band_width: int | None

    @property
    def first_band(self) -> int:
        """The band of the first column; bands are counted from the web's left edge."""
        return 0 if self.band_width is None else self.first_column // self.band_width

    def memory(self, method: FcaFast, channels: int, lines: int) -> MedianMemory:
        """An accumulator's memory for `lines` lines of this place, its bands counted from 0."""
        offset = 0 if self.band_width is None else self.first_band * self.band_width
        return MedianMemory(
            channels,
            self.columns,
            lines,
            lines,
            method.levels,
            method.patch_size,
            band_width=self.band_width,
            first_column=self.first_column - offset if self.band_width is not None else 0,
        )


@dataclass(frozen=True, slots=True, eq=False)
class LevelStrip:
    """`levels` (C, rows, columns) uint8, `keep` (rows, columns) bool: what may be learnt.

    `follows`: the rows continue those of the strip before; else no window lies across both.
    """

    levels: torch.Tensor
    keep: torch.Tensor
    follows: bool


@dataclass(frozen=True, slots=True, eq=False)
class BandMedians:
    """`reference` (bands, C, T * T) uint8, ascending, and the windows (bands,) int64 it rests on.

    A band without windows has the reference of the nearest one. One band where there are no bands.
    """

    reference: torch.Tensor
    windows: torch.Tensor


def learn_bands(
    strips: Sequence[LevelStrip], place: LanePlace, method: FcaFast
) -> BandMedians | None:
    """Median order statistics of each band over strips of one lane; None: no window may be learnt.

    Windows lie at every T-th row from the first one of a piece, across at every column (with one
    band at every T-th), and on kept cells only.
    """
    if not strips:
        return None
    size = method.patch_size
    # A strip that does not follow starts on the next row of windows.
    lines = sum(strip.levels.shape[1] + 2 * size for strip in strips)
    accumulator = MedianAccumulator(place.memory(method, strips[0].levels.shape[0], lines))
    for strip in strips:
        row = accumulator.next_line
        if not strip.follows and row:
            row = (row // size + 1) * size
        accumulator.push(strip.levels, row, strip.keep)
    windows = accumulator.windows_per_band()
    if int(windows.sum()) == 0:
        return None
    reference = accumulator.reference()
    return BandMedians(reference if reference.dim() == 3 else reference[None], windows)


def combine_bands(
    parts: Sequence[BandMedians], previous: torch.Tensor | None = None
) -> torch.Tensor:
    """(bands, C, T * T): the lower median over `parts`, one or more, band by band.

    A part counts in a band where it has LEAST_WINDOWS or more. A band in which none counts keeps
    its `previous` reference; without one it borrows that of the nearest band, the lower on
    equality. If no band has so many windows, those with the most count.
    """
    windows = torch.stack([part.windows for part in parts])
    counts = windows >= min(LEAST_WINDOWS, int(windows.max()))
    held = counts.any(dim=0).nonzero().flatten()
    combined = parts[0].reference.clone()
    for band in range(combined.shape[0]):
        if counts[:, band].any():
            own = [p.reference[band] for p, c in zip(parts, counts[:, band], strict=True) if c]
            combined[band] = torch.stack(own).median(dim=0).values
    if previous is not None:
        lacking = ~counts.any(dim=0)
        combined[lacking] = previous[lacking]
        return combined
    nearest = (held - torch.arange(combined.shape[0]).view(-1, 1)).abs().min(dim=1).indices
    return combined[held[nearest]]


def join_lanes(parts: Sequence[tuple[LanePlace, BandMedians]]) -> tuple[int, torch.Tensor]:
    """First band, and the reference (bands, C, T * T) of the web that lanes lie on, one or more.

    A band that two lanes share is that of the lane with more windows in it, the first on equality;
    one that none knows borrows from the nearest.
    """
    first = min(place.first_band for place, _ in parts)
    end = max(place.first_band + len(medians.windows) for place, medians in parts)
    _, channels, ranks = parts[0][1].reference.shape
    reference = torch.zeros(end - first, channels, ranks, dtype=torch.uint8)
    windows = torch.zeros(end - first, dtype=torch.int64)
    for place, medians in parts:
        own = slice(place.first_band - first, place.first_band - first + len(medians.windows))
        better = medians.windows > windows[own]
        reference[own][better] = medians.reference[better]
        windows[own][better] = medians.windows[better]
    return first, combine_bands([BandMedians(reference, windows)])


@dataclass(frozen=True, slots=True)
class BandPlace:
    """Where the bands of a reference lie: `width` in features, `first` counted from the left."""

    width: int
    first: int


def score_bands(
    method: FcaFast, levels: torch.Tensor, reference: torch.Tensor, bands: BandPlace, column: int
) -> ScoreArray:
    """Scores (H, W) float32 of `levels` (C, H, W), whose column 0 is column `column` of the web.

    `reference` is (bands, C, T * T) from band `bands.first` on; beyond its ends the last band
    counts.
    """
    lowest = column // bands.width
    highest = (column + levels.shape[2] - 1) // bands.width
    index = torch.arange(lowest, highest + 1) - bands.first
    own = reference[index.clamp_(0, reference.shape[0] - 1)]
    scores = kernels.fca_score_fast(
        levels,
        own.to(levels.device),
        levels_count=method.levels,
        patch_size=method.patch_size,
        window_stride=method.window_stride,
        sigma_blur=method.sigma_blur,
        band_width=bands.width,
        first_column=column - lowest * bands.width,
    )
    array: ScoreArray = scores.cpu().numpy()
    return array
