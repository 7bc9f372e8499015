"""FCA as it is written down, in plain loops with a sort per window: what the kernels must equal."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Setting:
    patch_size: int = 3
    sigma_p: float = 3.0
    sigma_s: float | None = 1.0
    ties: str = "mid"
    stride: int = 1
    band_width: int | None = None
    first_column: int = 0

    def band(self, column: int) -> int:
        return 0 if self.band_width is None else (self.first_column + column) // self.band_width


def gaussian(taps: int, sigma: float) -> np.ndarray:
    weights = np.array([math.exp(-((t - taps // 2) ** 2) / (2 * sigma**2)) for t in range(taps)])
    return weights / weights.sum()


def blur(field: np.ndarray, sigma: float) -> np.ndarray:
    taps = gaussian(5, sigma)
    padded = np.pad(field, 2, mode="reflect")
    result = np.zeros(field.shape)
    for row, column in np.ndindex(field.shape):
        result[row, column] = taps @ padded[row : row + 5, column : column + 5] @ taps
    return result


def rank_errors(window: np.ndarray, reference: np.ndarray, ties: str) -> np.ndarray:
    """Error of each value of a flat window against ascending reference values."""
    order = np.argsort(window, kind="stable")
    _, group, sizes = np.unique(window, return_inverse=True, return_counts=True)
    begins = np.cumsum(sizes) - sizes
    errors = np.zeros(window.size)
    for rank, position in enumerate(order):
        begin = begins[group[position]]
        end = begin + sizes[group[position]]
        ranks = {"first": [rank], "mid": [(begin + end) // 2], "mean": range(begin, end)}[ties]
        errors[position] = sum(abs(window[position] - reference[k]) for k in ranks) / len(ranks)
    return errors


def pad(features: np.ndarray, patch_size: int) -> np.ndarray:
    radius = patch_size // 2
    return np.pad(features, ((0, 0), (radius, radius), (radius, radius)), mode="reflect")


def window_errors(
    padded: np.ndarray, corner: tuple[int, int], reference: np.ndarray, ties: str, side: int
) -> np.ndarray:
    """M(o; c): errors of one window averaged over the channels, side x side."""
    row, column = corner
    windows = padded[:, row : row + side, column : column + side].reshape(len(padded), -1)
    errors = [rank_errors(w, r, ties) for w, r in zip(windows, reference, strict=True)]
    return np.mean(errors, axis=0).reshape(side, side)


def fca(features: np.ndarray, reference: np.ndarray, setting: Setting) -> np.ndarray:
    """`reference` (bands, K, C, T*T)."""
    side, radius = setting.patch_size, setting.patch_size // 2
    _, height, width = features.shape
    padded = pad(features.astype(float), side)
    taps = gaussian(side, setting.sigma_p)
    weight = np.outer(taps, taps)
    total = np.zeros(padded.shape[1:])
    for row in range(0, height, setting.stride):
        for column in range(0, width, setting.stride):
            best = None
            for one in reference[setting.band(column)]:
                field = window_errors(padded, (row, column), one, setting.ties, side)
                field = field if setting.sigma_s is None else blur(field, setting.sigma_s)
                if best is None or (weight * field).sum() < best.sum():
                    best = weight * field
            total[row : row + side, column : column + side] += best
    inside = total[radius : radius + height, radius : radius + width]
    share = phase_share(taps, setting.stride)
    rows, columns = (share[np.arange(length) % setting.stride] for length in (height, width))
    return inside / np.outer(rows, columns)


def phase_share(taps: np.ndarray, stride: int) -> np.ndarray:
    """Weight that an interior position of each phase gets from strided windows, along one axis."""
    radius = len(taps) // 2
    share = np.zeros(stride)
    for phase in range(stride):
        for centre in range(-8 * stride * radius, 8 * stride * radius, stride):
            if abs(phase - centre) <= radius:
                share[phase] += taps[phase - centre + radius]
    return share


def fast(
    levels: np.ndarray, reference: np.ndarray, levels_count: int, setting: Setting
) -> np.ndarray:
    """The fast form before the blur of the map, `reference` (bands, C, T*T), in float64."""
    side, radius, stride = setting.patch_size, setting.patch_size // 2, setting.stride
    channels, height, width = levels.shape
    padded = pad(levels.astype(int), side)
    total = np.zeros(padded.shape[1:], dtype=int)
    for row in range(0, height, stride):
        for column in range(0, width, stride):
            band = reference[setting.band(column)].astype(int)
            for channel in range(channels):
                window = padded[channel, row : row + side, column : column + side]
                errors = rank_errors(window.ravel(), band[channel], "mid").astype(int)
                total[row : row + side, column : column + side] += errors.reshape(side, side)
    inside = total[radius : radius + height, radius : radius + width]
    share = phase_share(np.ones(side), stride)
    rows, columns = (share[np.arange(length) % stride] for length in (height, width))
    return inside / (channels * (levels_count - 1) * np.outer(rows, columns))


def median(features: np.ndarray, side: int, stride: int, columns: range) -> np.ndarray:
    """Lower median of the sorted complete windows whose left edges are `columns` -> (C, T*T)."""
    channels, height, _ = features.shape
    windows = [
        np.sort(features[:, row : row + side, column : column + side].reshape(channels, -1))
        for row in range(0, height - side + 1, stride)
        for column in columns
    ]
    return np.sort(windows, axis=0)[(len(windows) - 1) // 2]
