"""The forms of FCA that are compared, each from features to a map; knows no image and no label."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from principal_axes import leading_components, scale_by_strongest, without_leading

import kernels
from streamer.scoring.features import learn_scale
from streamer.scoring.quantized_fca import QuantizedFca

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from streamer.scoring.features import ChannelScale

BASE = "exact_first"
SIDE = 9


@dataclass(frozen=True, slots=True)
class Components:
    """The step before the score: keep the leading components of an image, or remove them.

    Kept ones are scaled each by its own range, or all by the range of the strongest.
    """

    count: int
    how: Literal["own_range", "common_range", "removed"]

    def apply(self, features: Tensor) -> Tensor:
        """(C, H, W) to (count, H, W), or to (C, H, W) where they are removed, in 0..1."""
        match self.how:
            case "own_range":
                return scale_features(leading_components(features, self.count), None)
            case "common_range":
                return scale_by_strongest(leading_components(features, self.count))
            case "removed":
                return scale_features(without_leading(features, self.count), None)


@dataclass(frozen=True, slots=True)
class Form:
    """A form of FCA; windows of 9 x 9 features.

    Attributes:
        name: as in the tables.
        kind: how windows are compared and weighted; "exact" and "u8" as published (sigma_p 3,
            sigma_s 1), "fast" as `kernels.fca_score_fast`, "quantized" as `QuantizedFca`.
        ties: of "exact" and "u8".
        levels: of "fast" and "quantized".
        stride: windows on every n-th row and column, of "fast".
        blur: sigma inside the windows of "exact" and "u8", of the finished map of "fast"; None off.
        components: what takes the place of the scaled features.
    """

    name: str
    kind: Literal["exact", "u8", "fast", "quantized"]
    ties: Literal["first", "mid", "mean"] = "first"
    levels: int = 16
    stride: int = 1
    blur: float | None = 1.0
    components: Components | None = None

    def score(self, scaled: Tensor) -> Tensor:
        """(C, H, W) float32 in 0..1 to (H, W) float32, judged against its own median windows."""
        match self.kind:
            case "quantized":
                method, levels = (
                    QuantizedFca(SIDE, self.levels),
                    round_to_levels(scaled, self.levels),
                )
                return torch.from_numpy(method.score(levels, method.reference([levels])))
            case "fast":
                levels = round_to_levels(scaled, self.levels)
                reference = kernels.median_reference(levels, SIDE)
                return kernels.fca_score_fast(
                    levels, reference, self.levels, SIDE, self.stride, self.blur
                )
        reference = kernels.median_reference(scaled, SIDE)
        return kernels.fca_score(
            scaled, reference, SIDE, sigma_s=self.blur, ties=self.ties,
            precision="exact" if self.kind == "exact" else "u8",
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A map (rows, columns) on the grid of the features, and the CPU seconds that it took."""

    scores: NDArray[np.float32]
    seconds: float


def score_form(form: Form, features: Tensor, scale: ChannelScale | None) -> Scored:
    """Features (C, H, W) to a map; `scale` None: from the 0.1 and 99.9 % quantiles of the image.

    The seconds are CPU time of components, reference and score, not of scaling the features.
    """
    if form.components is None:
        scaled = scale_features(features, scale)
        started = time.process_time()
    else:
        started = time.process_time()
        scaled = form.components.apply(features)
    scores = form.score(scaled).numpy()
    return Scored(scores, time.process_time() - started)


def scale_features(features: Tensor, scale: ChannelScale | None) -> Tensor:
    """(C, H, W) float32 to 0..1 per channel, clipped."""
    chosen = learn_scale([features]) if scale is None else scale
    offset, factor = (values.view(-1, 1, 1) for values in (chosen.offset, chosen.factor))
    return features.sub(offset).mul_(factor).clamp_(0, 1)


def round_to_levels(features: Tensor, levels: int) -> Tensor:
    """(C, H, W) float32 in 0..1 to uint8 levels, floor(z (levels - 1) + 0.5)."""
    return features.mul(levels - 1).add_(0.5).floor_().to(torch.uint8)


def known_forms() -> tuple[Form, ...]:
    """All forms, the published one (`BASE`) first."""
    exact = (Form(f"exact_{ties}", "exact", ties) for ties in ("first", "mid", "mean"))
    coarse = (Form(f"u8_{ties}", "u8", ties) for ties in ("first", "mid"))
    fast = (
        Form(f"fast_{levels}_stride{stride}", "fast", levels=levels, stride=stride)
        for levels in (8, 16, 32)
        for stride in (1, 2, 3)
    )
    blurred = (
        Form("exact_first_unblurred", "exact", blur=None),
        Form("fast_16_stride2_unblurred", "fast", stride=2, blur=None),
        Form("fast_16_stride2_blur0.6", "fast", stride=2, blur=0.6),
        Form("fast_8_stride2_blur0.6", "fast", levels=8, stride=2, blur=0.6),
    )
    quantized = Form("quantized_16", "quantized")
    return (*exact, *coarse, *fast, *blurred, quantized, *_with_components())


def _with_components() -> tuple[Form, ...]:
    own, common = Components(64, "own_range"), Components(64, "common_range")
    few, removed = Components(16, "common_range"), Components(8, "removed")
    fast = (
        Form(f"fast_16_stride2_{name}", "fast", stride=2, components=step)
        for name, step in (
            ("pca64_own", own), ("pca64_common", common), ("pca16_common", few),
            ("less8", removed),
        )
    )  # fmt: skip
    return (
        Form("exact_first_pca64_own", "exact", components=own),
        Form("exact_first_pca64_common", "exact", components=common),
        *fast,
        Form("quantized_16_pca64_own", "quantized", components=own),
        Form("quantized_16_pca64_common", "quantized", components=common),
        Form("quantized_16_less8", "quantized", components=removed),
    )


def choose_forms(names: Sequence[str]) -> tuple[Form, ...]:
    """The named forms and always `BASE`, first; no name: all.

    Raises:
        ValueError: a name that there is not.
    """
    known = {form.name: form for form in known_forms()}
    for name in names:
        if name not in known:
            msg = f"--forms must be of {', '.join(known)}, got {name}"
            raise ValueError(msg)
    return tuple(form for form in known.values() if not names or form.name in {BASE, *names})
