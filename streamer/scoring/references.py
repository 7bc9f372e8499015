"""Which windows a window is compared with, and how several maps become one; knows no statistic.

Ardelean and Weyrich, WACV 2024 (arXiv 2304.06433), section 3.3 and equation 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

import kernels
from kernels.windows import pad_mirrored
from streamer.message import require
from streamer.scoring.checks import check_maps
from streamer.scoring.neighbourhoods import sample_indices
from streamer.scoring.prototypes import cluster_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor

    from streamer import config
    from streamer.scoring.method import Parameter

Kind = Literal["median", "random", "all", "knn", "prototypes"]
LARGEST_REFERENCE = 1 << 26  # bytes of windows that are remembered: 64 MiB
MOST_WINDOWS = 4096  # that are remembered, however few channels there are
MOST_CLUSTERED = 1024  # windows that prototypes are made of: their products are n x n
NEAREST_SHARE = 4  # a quarter of the windows, as Aota et al. take 400 of 1600 positions
DEFAULT_PROTOTYPES = 4
SORTED = 1 << 22  # values that are sorted at a time
CHUNK = 8  # references that are scored before their maps are merged


@dataclass(frozen=True, slots=True)
class References:
    """What stands for normal windows.

    median: one window of median order statistics, over the non-overlapping windows (default).
    random: `count` windows (default 1) drawn with `seed`; the score is the mean over them.
    all: every window, those over the mirrored edges too; the mean over them.
    knn: as `all`, but a position takes the mean of its `count` smallest scores, of as many
        windows as there are if `count` is larger (default: a quarter of the windows).
    prototypes: median windows of `count` clusters (default 4, fewer where small ones are given
        up); every window is judged by the one that fits it best.

    `all` and `knn` cost as much as there are windows: 1,600 scores for an image of 320 x 320
    pixels. No more windows are remembered than 4,096 and than 64 MiB hold (at T = 9 about 400 of
    512 channels in float32, at T = 3 3,640); of more, a seeded sample is. Prototypes are made of
    no more than 1,024 windows.
    """

    kind: Kind = "median"
    count: int | None = None
    seed: int = 0

    @classmethod
    def of(cls, settings: config.Scoring) -> References:
        """As configured."""
        return cls(settings.reference, settings.references, settings.reference_seed)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Everything that changes a score beside the median, which needs no word."""
        if self.kind == "median":
            return {}
        seed = {"reference_seed": self.seed} if self.kind == "random" else {}
        return {"reference": self.kind, "references": self.count, **seed}

    def learn(self, maps: Sequence[Tensor], size: int) -> Tensor:
        """(C, H, W) each to (C, T * T) for the median, else (K, C, T * T); ascending, same type.

        T = `size`. No window lies across two maps.

        Raises:
            ValueError: no map, or one smaller than a window.
        """
        check_maps(maps)
        smallest = min(min(one.shape[1:]) for one in maps)
        require(smallest >= size, f"maps must be at least {size} x {size} (patch_size)", smallest)
        match self.kind:
            case "median":
                return median_of_windows(maps, size)
            case "random":
                return _random_windows(maps, size, self.count or 1, self.seed)
            case "all" | "knn":
                return _every_window(maps, size)
            case "prototypes":
                tiles = _whole_windows(maps, size)
                return cluster_windows(tiles, self.count or DEFAULT_PROTOTYPES)

    def combine(self, score_each: Callable[[Tensor], Tensor], reference: Tensor) -> Tensor:
        """One map (H, W) from those that `score_each` makes: (n, C, T * T) to (n, H, W).

        Holds as many maps as are averaged at most, beside the few that were just made.
        """
        match self.kind:
            case "median":
                return score_each(reference.unsqueeze(0))[0]
            case "random" | "all":
                return _mean(score_each, reference)
            case "knn":
                nearest = self.count or max(1, len(reference) // NEAREST_SHARE)
                return _mean_of_smallest(score_each, reference, min(nearest, len(reference)))
            case "prototypes":
                return _mean_of_smallest(score_each, reference, 1)


def median_of_windows(maps: Sequence[Tensor], size: int) -> Tensor:
    """(C, T * T) median order statistics over the non-overlapping windows of all `maps`.

    Each map is (C, H, W) with H, W >= T = `size`; no window lies across two maps.
    """
    strips = torch.cat([_windows_side_by_side(one, size) for one in maps], dim=2)
    return kernels.median_reference(strips, size)


def one_by_one(score_one: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """For `combine`: (n, C, T * T) to (n, H, W) where a score takes (C, T * T) at a time."""

    def score_each(reference: Tensor) -> Tensor:
        return torch.stack([score_one(one) for one in reference])

    return score_each


def _mean(score_each: Callable[[Tensor], Tensor], reference: Tensor) -> Tensor:
    total = torch.zeros(())
    for maps in map(score_each, torch.split(reference, CHUNK)):
        total = total.to(maps.device) + maps.sum(0)
    return total / len(reference)


def _mean_of_smallest(
    score_each: Callable[[Tensor], Tensor], reference: Tensor, count: int
) -> Tensor:
    best: Tensor | None = None
    for maps in map(score_each, torch.split(reference, CHUNK)):
        known = maps if best is None else torch.cat([best, maps])
        best = known.topk(min(count, len(known)), dim=0, largest=False, sorted=False).values
    return torch.zeros(()) if best is None else best.mean(0)


def _windows_side_by_side(quantised: Tensor, size: int) -> Tensor:
    """(C, H, W) to (C, T, n * T): the non-overlapping windows in one row."""
    channels, rows, columns = quantised.shape
    down, across = rows // size, columns // size
    windows = quantised[:, : down * size, : across * size]
    windows = windows.reshape(channels, down, size, across * size)
    return windows.transpose(1, 2).reshape(channels, size, down * across * size)


def _random_windows(maps: Sequence[Tensor], size: int, count: int, seed: int) -> Tensor:
    """Complete windows, with repeats, all equally likely (the published draw omits the last)."""
    corners = [(one.shape[1] - size + 1, one.shape[2] - size + 1) for one in maps]
    number = sum(rows * columns for rows, columns in corners)
    drawn = torch.randint(number, (count,), generator=torch.Generator().manual_seed(seed))
    return torch.cat(list(_sorted_windows(maps, size, drawn)))


def _every_window(maps: Sequence[Tensor], size: int) -> Tensor:
    padded = [pad_mirrored(one, size // 2) for one in maps]
    number = sum(one[0].numel() for one in maps)
    chosen = sample_indices(number, _most_windows(maps[0], size))
    return torch.cat(list(_sorted_windows(padded, size, chosen)))


def _whole_windows(maps: Sequence[Tensor], size: int) -> Tensor:
    """The non-overlapping windows, from each map's first row and column on."""
    strips = torch.cat([_windows_side_by_side(one, size) for one in maps], dim=2)
    number = strips.shape[2] // size
    chosen = sample_indices(number, min(MOST_CLUSTERED, _most_windows(strips, size)))
    return torch.cat(list(_sorted_windows([strips], size, chosen * size)))


def _most_windows(example: Tensor, size: int) -> int:
    window = example.shape[0] * size**2 * example.element_size()
    return max(1, min(MOST_WINDOWS, LARGEST_REFERENCE // window))


def _sorted_windows(maps: Sequence[Tensor], size: int, chosen: Tensor) -> Iterator[Tensor]:
    """(n, C, T * T) ascending, by the number of the window among all complete ones of `maps`."""
    first = 0
    for one in maps:
        windows = one.unfold(1, size, 1).unfold(2, size, 1)
        rows, columns = windows.shape[1:3]
        index = chosen[(chosen >= first) & (chosen < first + rows * columns)] - first
        first += rows * columns
        # A few at a time: a sort makes 8 bytes of index for every value.
        for some in torch.split(index, max(1, SORTED // (len(one) * size**2))):
            picked = windows[:, some // columns, some % columns].flatten(2)
            yield picked.transpose(0, 1).sort(dim=-1).values
