"""What every score checks of what it gets and of what it hands out; knows no method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from streamer.message import require

if TYPE_CHECKING:
    from streamer.message import ScoreArray

MAP_AXES = 3


def check_map(quantised: torch.Tensor, patch_size: int, kind: torch.dtype) -> None:
    """Raise ValueError unless `quantised` is (C, H, W) of `kind` with a window or more."""
    shape = tuple(quantised.shape)
    rule = "quantised must be (C, H, W) with a channel or more"
    require(len(shape) == MAP_AXES and shape[0] > 0, rule, shape)
    rule = f"quantised must be at least {patch_size} x {patch_size} (patch_size)"
    require(min(shape[1:]) >= patch_size, rule, shape[1:])
    require(quantised.dtype == kind, f"quantised must be {kind}", quantised.dtype)


def check_reference(
    reference: torch.Tensor, shape: tuple[int | None, ...], kind: torch.dtype = torch.float32
) -> None:
    """Raise ValueError unless `reference` is of `shape` and `kind`; None: any number from 1 on."""
    found = tuple(reference.shape)
    fits = len(found) == len(shape) and all(
        size > 0 and size == (size if wanted is None else wanted)
        for size, wanted in zip(found, shape, strict=True)
    )
    wanted = ", ".join("any" if size is None else str(size) for size in shape)
    require(fits, f"reference must be of shape ({wanted})", found)
    require(reference.dtype == kind, f"reference must be {kind}", reference.dtype)


def check_maps(maps: object) -> None:
    """Raise ValueError if there is no map to learn from."""
    require(bool(maps), "maps must hold one map or more", maps)


def finite_scores(scores: torch.Tensor) -> ScoreArray:
    """(H, W) as an array.

    Raises:
        RuntimeError: NaN or infinity; it must never look like a low score.
    """
    array: ScoreArray = scores.cpu().numpy()
    if not torch.isfinite(scores).all():
        msg = "scores must be finite, got NaN or infinity; check the backbone's engine"
        raise RuntimeError(msg)
    return array
