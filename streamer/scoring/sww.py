"""Sample-weighted Wasserstein distance of windows; knows features, not pixels.

The statistic of Ardelean and Weyrich's comparison ("High-Fidelity Zero-Shot Texture Anomaly
Localization Using Feature Correspondence Analysis", WACV 2024, arXiv 2304.06433).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch

from kernels.reference import window_errors
from kernels.windows import Windows, gaussian
from streamer.scoring.checks import check_map, check_reference, finite_scores
from streamer.scoring.features import scaled
from streamer.scoring.references import References

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamer import config
    from streamer.message import ScoreArray
    from streamer.scoring.features import ChannelScale
    from streamer.scoring.method import Parameter

SIGMA = 6.0  # of the weights over a window, as in the authors' code


@dataclass(frozen=True, slots=True)
class Sww:
    """FCA without its last step: the errors of a window count for its centre alone.

    Windows, ranks and references as in FCA; the score of a position is the Gaussian-weighted sum
    of the errors in the window around it, averaged over the channels. Nothing is blurred.
    """

    patch_size: int
    ties: Literal["first", "mid", "mean"]
    references: References = field(default_factory=References)

    @classmethod
    def of(cls, settings: config.Scoring) -> Sww:
        """As configured."""
        return cls(settings.patch_size, settings.ties, References.of(settings))

    @property
    def name(self) -> str:
        """As in the configuration."""
        return "sww"

    @property
    def kernel(self) -> None:
        """Written in torch."""
        return

    @property
    def reach(self) -> int:
        """Features around a core that its scores depend on: half a window."""
        return self.patch_size // 2

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Everything that changes a score."""
        own = {"patch_size": self.patch_size, "ties": self.ties}
        return {**own, **self.references.parameters}

    def quantise(self, features: torch.Tensor, scale: ChannelScale) -> torch.Tensor:
        """(C, H, W) float32 to float32 in 0..1."""
        return scaled(features, scale)

    def reference(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """(C, H, W) each to (C, T * T) or (K, C, T * T), as `References.learn`."""
        return self.references.learn(maps, self.patch_size)

    def score(self, quantised: torch.Tensor, reference: torch.Tensor) -> ScoreArray:
        """(C, H, W) to (H, W) float32, a share of the feature range."""
        check_map(quantised, self.patch_size, torch.float32)
        several = () if self.references.kind == "median" else (None,)
        check_reference(reference, (*several, quantised.shape[0], self.patch_size**2))

        score_each = partial(self._score_each, quantised)
        return finite_scores(self.references.combine(score_each, reference))

    def _score_each(self, quantised: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
        """(K, C, T * T) to (K, H, W); the ranks are counted once."""
        taps = torch.tensor(gaussian(self.patch_size, SIGMA), device=quantised.device)
        windows = Windows(self.patch_size)
        full = references.unsqueeze(0).to(quantised.device)
        strips = window_errors(quantised, full, windows, self.ties)
        weighted = [torch.einsum("kyxhw,y,x->khw", errors, taps, taps) for errors in strips]
        return torch.cat(weighted, dim=1)
