"""The two forms of FCA as scoring methods; knows features, not pixels (ALGORITHMS: FCA)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

import kernels
from streamer.message import require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamer import config
    from streamer.message import ScoreArray
    from streamer.scoring.features import ChannelScale
    from streamer.scoring.method import Parameter

BLUR_RADIUS = 2  # features that the 5 x 5 blurs reach


@dataclass(frozen=True, slots=True)
class FcaFast:
    """FCA on a few levels with flat windows and one blur of the finished map: the default."""

    patch_size: int
    levels: int
    window_stride: int
    sigma_blur: float

    @classmethod
    def of(cls, settings: config.Scoring) -> FcaFast:
        """As configured."""
        return cls(
            settings.patch_size, settings.levels, settings.window_stride, settings.sigma_blur
        )

    @property
    def name(self) -> str:
        """As in the configuration."""
        return "fca_fast"

    @property
    def kernel(self) -> str:
        """As `kernels.backends()` names it."""
        return "fca_score_fast"

    @property
    def reach(self) -> int:
        """Features around a core that its scores depend on."""
        return self.patch_size - 1 + BLUR_RADIUS

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Everything that changes a score."""
        return {
            "patch_size": self.patch_size,
            "levels": self.levels,
            "window_stride": self.window_stride,
            "sigma_blur": self.sigma_blur,
        }

    def quantise(self, features: torch.Tensor, scale: ChannelScale) -> torch.Tensor:
        """(C, H, W) float32 to uint8 levels, floor(z * (levels - 1) + 0.5), one channel a time.

        Channel by channel, so that no second float map of the whole web is ever held.
        """
        quantised = torch.empty(features.shape, dtype=torch.uint8, device=features.device)
        for channel, values in enumerate(features):
            scaled = scale.apply(values, channel)
            quantised[channel] = scaled.mul_(self.levels - 1).add_(0.5).floor_().to(torch.uint8)
        return quantised

    def reference(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Levels (C, H, W) each to (C, T * T): median order statistics of their windows."""
        return median_of_windows(maps, self.patch_size)

    def score(self, quantised: torch.Tensor, reference: torch.Tensor) -> ScoreArray:
        """(C, H, W) levels to (H, W) float32, a share of the feature range."""
        scores = kernels.fca_score_fast(
            quantised,
            reference,
            levels_count=self.levels,
            patch_size=self.patch_size,
            window_stride=self.window_stride,
            sigma_blur=self.sigma_blur,
        )
        return _finite(scores)


@dataclass(frozen=True, slots=True)
class FcaExact:
    """FCA as published, on float32 features or on bytes of them."""

    patch_size: int
    sigma_p: float
    sigma_s: float | None
    ties: Literal["first", "mid", "mean"]
    precision: Literal["exact", "u8"] = "exact"

    @classmethod
    def of(cls, settings: config.Scoring) -> FcaExact:
        """As configured."""
        weights = settings.sigma_p, settings.sigma_s
        return cls(settings.patch_size, *weights, settings.ties, settings.precision)

    @property
    def name(self) -> str:
        """As in the configuration."""
        return "fca"

    @property
    def kernel(self) -> str:
        """As `kernels.backends()` names it."""
        return "fca_score"

    @property
    def reach(self) -> int:
        """Features around a core that its scores depend on."""
        return self.patch_size - 1 + BLUR_RADIUS

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Everything that changes a score."""
        return {
            "patch_size": self.patch_size,
            "sigma_p": self.sigma_p,
            "sigma_s": self.sigma_s,
            "ties": self.ties,
            "precision": self.precision,
        }

    def quantise(self, features: torch.Tensor, scale: ChannelScale) -> torch.Tensor:
        """(C, H, W) float32 to float32 in 0..1."""
        quantised = torch.empty_like(features)
        for channel, values in enumerate(features):
            quantised[channel] = scale.apply(values, channel)
        return quantised

    def reference(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """(C, H, W) each to (C, T * T), both float32 in 0..1: median order statistics."""
        return median_of_windows(maps, self.patch_size)

    def score(self, quantised: torch.Tensor, reference: torch.Tensor) -> ScoreArray:
        """(C, H, W) to (H, W) float32, a share of the feature range."""
        scores = kernels.fca_score(
            quantised,
            reference,
            patch_size=self.patch_size,
            sigma_p=self.sigma_p,
            sigma_s=self.sigma_s,
            ties=self.ties,
            precision=self.precision,
        )
        return _finite(scores)


def median_of_windows(maps: Sequence[torch.Tensor], size: int) -> torch.Tensor:
    """(C, T * T) median order statistics over the non-overlapping windows of all `maps`.

    Each map is (C, H, W) with H, W >= T = `size`; no window lies across two maps.
    """
    strips = torch.cat([_windows_side_by_side(one, size) for one in maps], dim=2)
    return kernels.median_reference(strips, size)


def use_threads(count: int) -> None:
    """Let kernels and torch use `count` threads in this process; call it where a stage starts."""
    require(count > 0, "count must be > 0", count)
    torch.set_num_threads(count)


def _windows_side_by_side(quantised: torch.Tensor, size: int) -> torch.Tensor:
    """(C, H, W) to (C, T, n * T): the non-overlapping windows in one row."""
    channels, rows, columns = quantised.shape
    down, across = rows // size, columns // size
    windows = quantised[:, : down * size, : across * size]
    windows = windows.reshape(channels, down, size, across * size)
    return windows.transpose(1, 2).reshape(channels, size, down * across * size)


def _finite(scores: torch.Tensor) -> ScoreArray:
    array: ScoreArray = scores.cpu().numpy()
    if not torch.isfinite(scores).all():
        msg = "scores must be finite, got NaN or infinity; check the backbone's engine"
        raise RuntimeError(msg)
    return array
