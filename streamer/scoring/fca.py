"""The two forms of FCA as scoring methods; knows features, not pixels (ALGORITHMS: FCA)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch

import kernels
from streamer.message import require
from streamer.scoring.checks import finite_scores
from streamer.scoring.features import scaled, to_levels
from streamer.scoring.references import References, one_by_one

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
    references: References = field(default_factory=References)

    @classmethod
    def of(cls, settings: config.Scoring) -> FcaFast:
        """As configured."""
        windows = settings.patch_size, settings.levels, settings.window_stride
        return cls(*windows, settings.sigma_blur, References.of(settings))

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
            **self.references.parameters,
        }

    def quantise(self, features: torch.Tensor, scale: ChannelScale) -> torch.Tensor:
        """(C, H, W) float32 to uint8 levels, floor(z * (levels - 1) + 0.5), one channel a time.

        Channel by channel, so that no second float map of the whole web is ever held.
        """
        return to_levels(features, scale, self.levels)

    def reference(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Levels (C, H, W) each to (C, T * T) or (K, C, T * T), as `References.learn`."""
        return self.references.learn(maps, self.patch_size)

    def score(self, quantised: torch.Tensor, reference: torch.Tensor) -> ScoreArray:
        """(C, H, W) levels to (H, W) float32, a share of the feature range."""
        score_each = one_by_one(partial(self._score_one, quantised))
        known = reference.to(quantised.device)
        return finite_scores(self.references.combine(score_each, known))

    def _score_one(self, quantised: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        return kernels.fca_score_fast(
            quantised,
            reference,
            levels_count=self.levels,
            patch_size=self.patch_size,
            window_stride=self.window_stride,
            sigma_blur=self.sigma_blur,
        )


@dataclass(frozen=True, slots=True)
class FcaExact:
    """FCA as published, on float32 features or on bytes of them."""

    patch_size: int
    sigma_p: float
    sigma_s: float | None
    ties: Literal["first", "mid", "mean"]
    precision: Literal["exact", "u8"] = "exact"
    references: References = field(default_factory=References)

    @classmethod
    def of(cls, settings: config.Scoring) -> FcaExact:
        """As configured."""
        weights, form = (settings.sigma_p, settings.sigma_s), (settings.ties, settings.precision)
        return cls(settings.patch_size, *weights, *form, References.of(settings))

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
            **self.references.parameters,
        }

    def quantise(self, features: torch.Tensor, scale: ChannelScale) -> torch.Tensor:
        """(C, H, W) float32 to float32 in 0..1."""
        return scaled(features, scale)

    def reference(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """(C, H, W) each to (C, T * T) or (K, C, T * T), float32, as `References.learn`."""
        return self.references.learn(maps, self.patch_size)

    def score(self, quantised: torch.Tensor, reference: torch.Tensor) -> ScoreArray:
        """(C, H, W) to (H, W) float32, a share of the feature range."""
        known = reference.to(quantised.device)
        if self.references.kind == "prototypes":
            # A window takes one of them with all its positions: the kernel chooses.
            return finite_scores(self._score_one(quantised, known))
        score_each = one_by_one(partial(self._score_one, quantised))
        return finite_scores(self.references.combine(score_each, known))

    def _score_one(self, quantised: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        return kernels.fca_score(
            quantised,
            reference,
            patch_size=self.patch_size,
            sigma_p=self.sigma_p,
            sigma_s=self.sigma_s,
            ties=self.ties,
            precision=self.precision,
        )


def use_threads(count: int) -> None:
    """Let kernels and torch use `count` threads in this process; call it where a stage starts."""
    require(count > 0, "count must be > 0", count)
    torch.set_num_threads(count)
