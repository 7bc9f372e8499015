"""The operators: schema, shape rule and one checked, typed function each; holds no mathematics."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import torch

from kernels import checks, compiled, cuda, library
from kernels.ranks import Precision, Ties
from kernels.windows import Windows

if TYPE_CHECKING:
    from torch import Tensor

OPERATORS = (
    "channel_range",
    "median_reference",
    "fca_score",
    "fca_score_fast",
    "fca_score_batch",
)
COMPILED = ("median_reference", "fca_score", "fca_score_fast", "fca_score_batch")
_BATCH_AXES = 4


def channel_range(features: Tensor) -> Tensor:
    """Smallest and largest value of each channel: (C, H, W) float -> (C, 2) of the same type.

    Raises:
        ValueError: not a finite (C, H, W) map of float32, float16 or bfloat16.
    """
    checks.check_map(features, "features", 1, checks.FLOATS)
    limits: Tensor = library.channel_range(features)
    return limits


def median_reference(
    features: Tensor,
    patch_size: int,
    stride: int | None = None,
    band_width: int | None = None,
    first_column: int = 0,
) -> Tensor:
    """Order statistics of a normal window: per channel and rank the lower median over windows.

    `features` (C, H, W) float32, float16, bfloat16 or uint8 levels. Returns (C, T*T) of the same
    type, ascending, T = `patch_size`. Windows lie complete inside the map, `stride` apart (None: T,
    as published, Ardelean & Weyrich, WACV 2024). With `band_width` (bands, C, T*T), band 0 at web
    column 0: the windows of a band have their centre column, counted from the web's edge
    (`first_column` is that of column 0), in it; `stride` is then down-web and cross-web they lie
    1 apart. A band without a complete window has the reference of the nearest band that has one.

    Raises:
        ValueError: features that are not finite or smaller than a window, an even patch size.
    """
    step = patch_size if stride is None else stride
    checks.check_patch(patch_size)
    checks.require(step >= 1, "stride must be >= 1 or None", step)
    checks.check_bands(Windows(patch_size, step, band_width, first_column))
    checks.check_map(features, "features", patch_size, (*checks.FLOATS, torch.uint8))
    reference: Tensor = library.median_reference(
        checks.to_float32(features), patch_size, step, band_width, first_column
    ).to(features.dtype)
    return reference[0] if band_width is None else reference


def fca_score(
    features: Tensor,
    reference: Tensor,
    patch_size: int = 9,
    sigma_p: float = 3.0,
    sigma_s: float | None = 1.0,
    ties: Ties = "mid",
    precision: Precision = "exact",
    window_stride: int = 1,
    band_width: int | None = None,
    first_column: int = 0,
) -> Tensor:
    """Anomaly map of FCA (Ardelean & Weyrich, WACV 2024) -> (H, W) float32, units of the features.

    Args:
        features: (C, H, W) float32, float16 or bfloat16, already scaled.
        reference: float32 or of the features' type, (C, T*T) or (K, C, T*T), ascending; with
            `band_width` (bands, C, T*T) or (bands, K, C, T*T). Of K references a window takes the
            one with the smallest weighted sum of its blurred errors, the first on equality.
        patch_size: T, odd, 3 at least.
        sigma_p: Gaussian of the position in the window; infinite is a flat box.
        sigma_s: Gaussian blur inside the windows, 5 taps; None is off.
        ties: ranks of equal values: "first" raster order, "mid" their middle rank, "mean" the
            error averaged over their ranks. "first" has a direction, the others have none.
        precision: "exact" ranks float32; "u8" floor(255 * clip(f, 0, 1) + 0.5) of features and
            reference alike, errors divided by 255.
        window_stride: windows are centred on rows and columns divisible by 1..4, and the map is
            multiplied, phase by phase, so that the weights of an interior position sum to 1.
            Borders stay darker, as published.
        band_width: columns of a cross-web band; a window's is
            floor((first_column + centre column) / band_width).
        first_column: web column, in features, of column 0.

    Raises:
        ValueError: what is wrong with which argument; of NaN or infinity the channel and position.
    """
    windows = Windows(patch_size, window_stride, band_width, first_column)
    _check_options(windows, (sigma_p, sigma_s), ties, precision)
    checks.check_map(features, "features", patch_size, checks.FLOATS)
    features, reference = checks.to_float32(features), checks.to_float32(reference)
    full = _full_reference(reference, band_width)
    checks.check_reference(full, features, windows)
    scores: Tensor = library.fca_score(
        features,
        full,
        patch_size,
        sigma_p,
        sigma_s,
        ties,
        precision,
        window_stride,
        band_width,
        first_column,
    )
    return scores


def fca_score_batch(
    features: Tensor,
    reference: Tensor,
    patch_size: int = 9,
    sigma_p: float = 3.0,
    sigma_s: float | None = 1.0,
    ties: Ties = "mid",
    precision: Precision = "exact",
    window_stride: int = 1,
    band_width: int | None = None,
    first_column: int = 0,
) -> Tensor:
    """`fca_score` of each item of (B, C, H, W) -> (B, H, W), to the bit as one by one; B may be 0.

    `reference` (C, T*T) is shared; (B, C, T*T) or (B, K, C, T*T) is one per item, K shared ones
    are `reference.expand(B, -1, -1, -1)`. With `band_width`: (bands, C, T*T) or (bands, K, C, T*T)
    is shared, (B, bands, K, C, T*T) is one per item.

    Raises:
        ValueError: as `fca_score`, naming the item.
    """
    windows = Windows(patch_size, window_stride, band_width, first_column)
    _check_options(windows, (sigma_p, sigma_s), ties, precision)
    shape = f"shape {tuple(features.shape)}"
    checks.require(features.dim() == _BATCH_AXES, "features must be (B, C, H, W)", shape)
    checks.require(
        features.dtype in checks.FLOATS,
        "features must be float32, float16 or bfloat16",
        features.dtype,
    )
    features, reference = checks.to_float32(features), checks.to_float32(reference)
    full = _batch_reference(reference, features.shape[0], band_width)
    for item, (one, its_reference) in enumerate(zip(features, full, strict=True)):
        checks.check_map(one, f"features[{item}]", patch_size)
        checks.check_reference(its_reference, one, windows)
    scores: Tensor = library.fca_score_batch(
        features,
        full,
        patch_size,
        sigma_p,
        sigma_s,
        ties,
        precision,
        window_stride,
        band_width,
        first_column,
    )
    return scores


def fca_score_fast(
    levels: Tensor,
    reference: Tensor,
    levels_count: int = 16,
    patch_size: int = 9,
    window_stride: int = 2,
    sigma_blur: float | None = 1.0,
    band_width: int | None = None,
    first_column: int = 0,
) -> Tensor:
    """The fast form of FCA on maps of few levels -> (H, W) float32, 1 = the whole level range.

    Middle ranks, a flat box, no blur inside the windows. S(x) is the mean over the channels and
    over the windows that contain x of |level - reference of its rank| / (levels_count - 1), the
    number of windows taken to be that of an interior position of the same phase.

    Args:
        levels: (C, H, W) uint8 below `levels_count`.
        reference: (C, T*T) uint8 below `levels_count`, ascending; with `band_width`
            (bands, C, T*T).
        levels_count: 4..32.
        patch_size: T, odd, 3 at least.
        window_stride: windows are centred on rows and columns divisible by 1..4.
        sigma_blur: 5 x 5 Gaussian of the finished map, mirrored at its edges; None is off.
        band_width: columns of a cross-web band, see `fca_score`.
        first_column: web column, in features, of column 0.

    Raises:
        ValueError: what is wrong with which argument.
    """
    windows = Windows(patch_size, window_stride, band_width, first_column)
    checks.check_windows(windows)
    checks.check_sigma("sigma_blur", sigma_blur)
    checks.require(levels_count in checks.LEVEL_COUNTS, "levels_count must be 4..32", levels_count)
    checks.check_map(levels, "levels", patch_size, (torch.uint8,))
    axes = 2 if band_width is None else 3
    shape = "(C, T*T)" if band_width is None else "(bands, C, T*T)"
    checks.require(
        reference.dim() == axes, f"reference must be {shape}", f"shape {tuple(reference.shape)}"
    )
    full = _full_reference(reference, band_width)
    checks.check_reference(full, levels, windows)
    checks.check_levels(levels, "levels", levels_count)
    checks.check_levels(full, "reference", levels_count)
    scores: Tensor = library.fca_score_fast(
        levels,
        full[:, 0],
        levels_count,
        patch_size,
        window_stride,
        sigma_blur,
        band_width,
        first_column,
    )
    return scores


def backends() -> dict[str, dict[str, str]]:
    """Which implementation each operator runs here, by device: {"fca_score": {"cpu": ...}, ...}.

    "reference" is torch, "cuda" the device kernels, the others are instruction sets of the compiled
    kernels; why those are missing is in `kernels.load_native().reason`, and for devices in
    `kernels.load_cuda().reason`. The environment variable LINESCAN_KERNEL forces one of them.
    `median_reference` runs compiled on level maps and on float maps of many windows; the windows of
    other float maps are sorted in torch.

    Raises:
        ValueError: LINESCAN_KERNEL names one that is not there.
    """
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    running = {operator: dict.fromkeys(devices, compiled.REFERENCE) for operator in OPERATORS}
    for operator in COMPILED:
        running[operator]["cpu"] = compiled.chosen_path()
    if "cuda" in devices:
        on_device = cuda.chosen()
        for operator in cuda.OPERATORS:
            running[operator]["cuda"] = on_device
    return running


def _check_options(
    windows: Windows, sigmas: tuple[float, float | None], ties: str, precision: str
) -> None:
    checks.check_windows(windows)
    checks.check_sigma("sigma_p", sigmas[0], optional=False)
    checks.check_sigma("sigma_s", sigmas[1])
    checks.check_choice("ties", ties, get_args(Ties))
    checks.check_choice("precision", precision, get_args(Precision))


def _full_reference(reference: Tensor, band_width: int | None) -> Tensor:
    """Any accepted form as (bands, K, C, T*T)."""
    shape = f"shape {tuple(reference.shape)}"
    if band_width is None:
        rule = "reference must be (C, T*T) or (K, C, T*T)"
        checks.require(reference.dim() in (2, 3), rule, shape)
        return reference.reshape(1, -1, *reference.shape[-2:])
    rule = "reference with band_width must be (bands, C, T*T) or (bands, K, C, T*T)"
    checks.require(reference.dim() in (3, 4), rule, shape)
    return reference if reference.dim() == 4 else reference.unsqueeze(1)


def _batch_reference(reference: Tensor, batch: int, band_width: int | None) -> Tensor:
    """Any accepted form as (B, bands, K, C, T*T), shared ones expanded without a copy."""
    banded = 0 if band_width is None else 1
    if reference.dim() == 2 + banded or banded and reference.dim() == 4:
        return _full_reference(reference, band_width).expand(batch, -1, -1, -1, -1)
    rule = f"reference must be shared or hold one per item ({batch})"
    own = reference.dim() in (5,) if banded else reference.dim() in (3, 4)
    checks.require(own and reference.shape[0] == batch, rule, f"shape {tuple(reference.shape)}")
    full = [_full_reference(one, band_width) for one in reference]
    return torch.stack(full) if full else reference.new_empty(0, 1, 1, 1, 1)
