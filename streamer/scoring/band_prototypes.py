"""Several references per cross-web band, for webs of several looks; knows no tile, no profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from streamer.scoring.bands import LEAST_WINDOWS, BandMedians, BandReference
from streamer.scoring.clusters import find_looks
from streamer.scoring.window_counts import count_windows, counts_of, reference_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamer.scoring.bands import LevelStrip
    from streamer.scoring.clusters import Look
    from streamer.scoring.fca import FcaFast
    from streamer.scoring.rolling_plan import PrototypeRule
    from streamer.scoring.window_counts import Counts

WINDOWS_ACROSS = 2  # of a band in each row of windows: those between lie on the same cells
MOST_WINDOWS = 256  # of a band that are compared, spread evenly over all


def learn_prototypes(
    strips: Sequence[LevelStrip], band_width: int, rule: PrototypeRule, method: FcaFast
) -> BandMedians | None:
    """What each band of some strips of one lane looks like; None: no window may be learnt.

    The reference is (bands, K, C, T * T), its windows (bands, K): how many the prototype stands
    for, 0 where there is none. Windows lie at every T-th row from the first one of a piece.
    """
    seen = count_windows(strips, max(1, band_width // WINDOWS_ACROSS), method)
    if seen is None:
        return None
    bands = seen.centres // band_width
    first = int(bands.min())
    looks = [
        _looks_of(seen.counts[bands == band], rule) for band in range(first, int(bands.max()) + 1)
    ]
    area, channels = method.patch_size**2, seen.counts.shape[1]
    reference = torch.zeros(len(looks), rule.count, channels, area, dtype=torch.uint8)
    windows = torch.zeros(len(looks), rule.count, dtype=torch.int64)
    for band, found in enumerate(looks):
        for place, look in enumerate(found):
            reference[band, place] = reference_of(look.counts, area)
            windows[band, place] = look.windows
    return BandMedians(BandReference(reference, first), windows)


def _looks_of(counts: Counts, rule: PrototypeRule) -> list[Look]:
    """The prototypes of a band's windows."""
    if len(counts) == 0:
        return []
    number = min(len(counts), MOST_WINDOWS)
    some = counts[np.arange(number) * len(counts) // number]
    return find_looks(some, np.ones(number, np.int64), rule)


def combine_prototypes(
    parts: Sequence[BandMedians],
    previous: BandReference | None,
    rule: PrototypeRule,
    method: FcaFast,
) -> BandReference:
    """The prototypes over `parts` of `learn_prototypes`, one or more, band by band.

    Those of all parts are clustered as windows were; each counts once in a median and as many
    windows as it stands for in a share. A band with fewer than LEAST_WINDOWS windows keeps its
    `previous` prototypes; without any it borrows those of the nearest band, the lower on equality.
    If no band has so many, those with the most count. (bands, K, C, T * T), K as many as the band
    that has the most; other bands repeat their heaviest.
    """
    held = [part.known for part in parts] + ([] if previous is None else [previous])
    first, end = min(one.first for one in held), max(one.end for one in held)
    total = {band: sum(part.windows_in(band) for part in parts) for band in range(first, end)}
    least = min(LEAST_WINDOWS, max(total.values()))
    known: dict[int, torch.Tensor] = {}
    for band in range(first, end):
        if total[band] >= least:
            known[band] = _combine_band(parts, band, rule, method)
        elif previous is not None and previous.first <= band < previous.end:
            known[band] = _distinct(previous.reference[band - previous.first])
    nearest = [min(known, key=lambda k: (abs(k - band), k)) for band in range(first, end)]
    most = max(len(one) for one in known.values())
    return BandReference(torch.stack([_padded(known[band], most) for band in nearest]), first)


def _combine_band(
    parts: Sequence[BandMedians], band: int, rule: PrototypeRule, method: FcaFast
) -> torch.Tensor:
    """(K, C, T * T) of a band in which there are windows."""
    own = [part for part in parts if part.windows_in(band)]
    windows = torch.cat([part.windows[band - part.known.first] for part in own])
    used = windows > 0
    references = torch.cat([part.of(band) for part in own])[used]
    weights: NDArray[np.int64] = windows[used].numpy()
    looks = find_looks(counts_of(references, method.levels), weights, rule)
    return reference_of(np.stack([look.counts for look in looks]), method.patch_size**2)


def _distinct(prototypes: torch.Tensor) -> torch.Tensor:
    """Those of (k, C, T * T) that do not repeat the first."""
    others = (prototypes[1:] != prototypes[:1]).flatten(1).any(dim=1)
    return torch.cat([prototypes[:1], prototypes[1:][others]])


def _padded(prototypes: torch.Tensor, number: int) -> torch.Tensor:
    """(k, C, T * T) to (number, C, T * T)."""
    return torch.cat([prototypes, prototypes[:1].expand(number - len(prototypes), -1, -1)])
