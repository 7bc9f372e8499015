"""Principal component analysis of one image's features before they are scored; knows no score.

That Quantized FCA (arXiv 2510.15602) has such a step is published; how it is done was not at hand.
These are readings of "raises the contrast between normal and anomalous features".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from streamer.scoring.features import CLIP_SHARE

if TYPE_CHECKING:
    from torch import Tensor


def leading_components(features: Tensor, count: int) -> Tensor:
    """(C, H, W) to the `count` components of largest variance (count, H, W), float32.

    Raises:
        ValueError: not 1..C components.
    """
    centred, axes = _principal_axes(features, count)
    return (axes.T @ centred).view(count, *features.shape[1:])


def without_leading(features: Tensor, count: int) -> Tensor:
    """(C, H, W) less its `count` components of largest variance, the bulk of what is normal.

    Raises:
        ValueError: not 1..C components.
    """
    centred, axes = _principal_axes(features, count)
    return (centred - axes @ (axes.T @ centred)).view(features.shape)


def scale_by_strongest(components: Tensor) -> Tensor:
    """(n, H, W), centred and strongest first, to 0..1 by the range of the first; 0 becomes 0.5.

    Weak components keep their small share; scaled each for itself they weigh as much as strong
    ones. Clipped at the 99.9 % quantile of the first one's absolute values.
    """
    strongest = components[0].abs().flatten()
    limit = strongest.kthvalue(max(1, int(CLIP_SHARE * strongest.numel()))).values
    return components.div(2 * limit.clamp_(min=1e-12)).add_(0.5).clamp_(0, 1)


def _principal_axes(features: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Centred features (C, H * W), and the axes (C, count), the largest variance first."""
    channels = features.shape[0]
    if not 1 <= count <= channels:
        msg = f"count must be 1..{channels}, got {count}"
        raise ValueError(msg)
    flat = features.flatten(1).to(torch.float32)
    centred = flat - flat.mean(1, keepdim=True)
    axes = torch.linalg.eigh(centred @ centred.T).eigenvectors.flip(1)[:, :count]
    # An eigenvector has no sign of its own: let its largest entry be positive.
    largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
    return centred, (axes * largest.sign()).contiguous()
