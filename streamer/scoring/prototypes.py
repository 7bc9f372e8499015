"""Clusters of windows by their sorted values; deterministic; knows no map and no score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from streamer.message import require

if TYPE_CHECKING:
    from torch import Tensor

ROUNDS = 20  # the assignment settles in a few


def cluster_windows(windows: Tensor, count: int) -> Tensor:
    """Sorted windows (n, C, T * T) to (K, C, T * T), the median windows of K <= `count` clusters.

    Windows differ by the mean absolute difference of their sorted values, as in FCA. They begin
    as `count` groups of equal size along their first principal axis; then each joins the nearest
    of the groups' medians (per channel and rank the lower one) until nothing changes, 20 times at
    most. A cluster smaller than half an even share, or of one window alone, is given up and its
    windows join the others: a defect must not become normal by being a kind of its own. Nothing
    is random. Needs n * n + n * C * T * T numbers.

    Raises:
        ValueError: no window, or `count` < 1.
    """
    number = len(windows)
    require(number > 0, "windows must hold one or more", number)
    require(count > 0, "count must be > 0", count)
    values = windows.to(torch.float32).flatten(1)
    settled = _settle(values, _along_first_axis(values, min(count, number)))
    sizes = torch.bincount(settled)
    enough = sizes >= max(2, number / (2 * count))
    enough[sizes.argmax()] = True
    kept = _nearest(values, _centres(values, settled)[enough])
    return _centres(values, kept).to(windows.dtype).view(-1, *windows.shape[1:])


def _along_first_axis(values: Tensor, count: int) -> Tensor:
    """(n, D) to (n,) group numbers: equal shares in the order of the first principal axis."""
    centred = values - values.mean(0)
    place = torch.linalg.eigh(centred @ centred.T).eigenvectors[:, -1]
    # An axis has no direction of its own: the farthest window lies at its end.
    place = place * torch.sign(place[place.abs().argmax()])
    order = place.argsort(stable=True)
    groups = torch.empty_like(order)
    groups[order] = torch.arange(len(values), device=values.device) * count // len(values)
    return groups


def _settle(values: Tensor, groups: Tensor) -> Tensor:
    for _ in range(ROUNDS):
        joined = _nearest(values, _centres(values, groups))
        if torch.equal(joined, groups):
            break
        groups = joined
    return groups


def _centres(values: Tensor, groups: Tensor) -> Tensor:
    """(K, D): the lower median of each group that has members, in the order of their numbers."""
    present = torch.bincount(groups).nonzero().flatten()
    return torch.stack([values[groups == one].median(dim=0).values for one in present])


def _nearest(values: Tensor, centres: Tensor) -> Tensor:
    """(n,): which of (K, D) is nearest to each of (n, D), the first on equality."""
    return torch.cdist(values, centres, p=1).argmin(dim=1)
