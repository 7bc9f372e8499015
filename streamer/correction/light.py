"""Takes slow differences of light out of a still; pure, knows no score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamer.correction.side_cells import to_grey

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.correction.side_cells import Flags, Floats
    from streamer.message import PixelArray

    Doubles = NDArray[np.float64]

BLOCK_PIXELS = 16
DEGREE = 2  # of the polynomial in lines and columns together
TERMS = [(i, j) for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i)]
ROUNDS = 8
TO_SIGMA = 1.4826  # standard deviations in a median of absolute ones, for normal values
OUTLIER = 5.0  # standard deviations beyond which a block weighs nothing
LOWEST_GAIN, HIGHEST_GAIN = 0.5, 2.0
DARKEST = 0.01  # levels below it say nothing about the light
LEAST_BLOCKS, LEAST_WEB = 36, 0.5  # blocks, and share of web in each
# The logarithm of the light must span this between its quantiles, and deviate by this share of what
# the texture does: webs with less of it lost (tile) or gained nothing (leather, plain fabrics).
LEAST_RANGE, LEAST_SHARE = 0.1, 0.5
QUANTILES = (0.02, 0.98)


def even_light(pixels: PixelArray, off_web: Flags | None = None) -> PixelArray:
    """The picture (lines, columns[, 3]) as under even light, of the same type and median level.

    The light is a polynomial of the logarithm of the levels over lines and columns, fitted robustly
    to blocks of web, so that what is smaller than a third of the picture hardly bends it. Light
    that differs little, or less than the texture itself does from block to block, is left alone.
    """
    grey = to_grey(pixels)
    web = np.ones(grey.shape, dtype=bool) if off_web is None else ~off_web
    light = _slow_light(grey, web)
    if light is None:
        return pixels
    gain = np.clip(np.exp(np.median(light[web]) - light), LOWEST_GAIN, HIGHEST_GAIN)
    evened = pixels * (gain if pixels.ndim == 2 else gain[..., None])
    limit = np.iinfo(pixels.dtype).max
    rounded: PixelArray = np.clip(np.round(evened), 0, limit).astype(pixels.dtype)
    return rounded


def _slow_light(grey: Floats, web: Flags) -> Floats | None:
    """(lines, columns): logarithm of the light; None: it is even, or nothing is known of it."""
    levels, shares = _block_means(grey * web), _block_means(web.astype(np.float32))
    used = (shares > LEAST_WEB) & (levels > DARKEST * shares)
    if used.sum() < LEAST_BLOCKS:
        return None
    logs = np.log(levels[used] / shares[used])
    down, across = np.nonzero(used)
    basis = _basis(_centres(levels.shape[0])[down], _centres(levels.shape[1])[across])
    fit = fit_robustly(basis, logs)
    fitted = basis @ fit
    low, high = np.quantile(fitted, QUANTILES)
    texture = TO_SIGMA * np.median(np.abs(logs - fitted))
    if high - low < LEAST_RANGE or fitted.std() < LEAST_SHARE * texture:
        return None
    sizes = zip(grey.shape, levels.shape, strict=True)
    rows, columns = (_centres(count * BLOCK_PIXELS, size) for size, count in sizes)
    planes = np.zeros((DEGREE + 1, DEGREE + 1))
    planes[tuple(np.transpose(TERMS))] = fit
    return np.asarray(np.polynomial.legendre.leggrid2d(rows, columns, planes), np.float32)


def _block_means(plane: Floats) -> Floats:
    rows, columns = (size // BLOCK_PIXELS for size in plane.shape)
    whole = plane[: rows * BLOCK_PIXELS, : columns * BLOCK_PIXELS]
    means: Floats = whole.reshape(rows, BLOCK_PIXELS, columns, BLOCK_PIXELS).mean(axis=(1, 3))
    return means


def _centres(count: int, size: int | None = None) -> Doubles:
    """Where `size` centres lie, of which the first `count` fill -1..1."""
    return (np.arange(count if size is None else size) + 0.5) / count * 2 - 1


def _basis(down: Doubles, across: Doubles) -> Doubles:
    """(blocks,) each to (blocks, terms): products of Legendre polynomials."""
    d, a = (np.polynomial.legendre.legvander(axis, DEGREE) for axis in (down, across))
    return np.stack([d[:, i] * a[:, j] for i, j in TERMS], axis=-1)


def fit_robustly(basis: Doubles, values: Floats) -> Doubles:
    """Coefficients (terms,) of a basis (values, terms) by least squares, from most of the values.

    What is far off loses its weight (Tukey's biweight, iterated).
    """
    fit, off = np.zeros(basis.shape[1]), np.abs(values - np.median(values))
    for _ in range(ROUNDS):
        room = OUTLIER * TO_SIGMA * float(np.median(off)) + 1e-6
        root = np.maximum(1 - np.square(off / room), 0)  # of the weights
        solved = np.linalg.lstsq(basis * root[:, None], values * root, rcond=None)
        fit = np.asarray(solved[0], np.float64)
        off = np.abs(values - basis @ fit)
    return fit
