"""Takes the slow background out of the score map of a strip; pure, knows no score's origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamer.correction.light import fit_robustly

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.message import ScoreArray

LEAST_ASPECT = 4.0  # length by width of a strip
LONG_DEGREE, NARROW_DEGREE = 4, 2  # of the polynomial; the sum is at most the first
TERMS = [(i, j) for i in range(NARROW_DEGREE + 1) for j in range(LONG_DEGREE + 1 - i)]
LEAST_CELLS = 1024
MOST_CELLS = 8192  # that the polynomial is fitted to
LOWEST = 0.3  # of the median background: no score is raised by more than its inverse


def even_background(scores: ScoreArray) -> ScoreArray:
    """A map (rows, columns) as over an even background of the same median; NaN stays.

    On a strip the texture changes slowly with light, focus and angle, and so does what typical
    web scores. The background is a polynomial over the strip, fitted robustly, by whose share each
    score is divided. Maps that are less than four times as long as wide stay as they are: in them
    a defect of moderate size is as large as the background, and would be taken out with it.
    """
    is_tall = scores.shape[0] > scores.shape[1]
    lying = scores.T if is_tall else scores
    seen = np.isfinite(lying)
    if seen.sum() < LEAST_CELLS or np.ptp(np.nonzero(seen)[1]) + 1 < LEAST_ASPECT * len(lying):
        return scores
    background = _background(lying, seen)
    typical = float(np.median(background[seen]))
    if typical <= 0:
        return scores
    evened = (lying * (typical / np.maximum(background, LOWEST * typical))).astype(np.float32)
    return np.ascontiguousarray(evened.T if is_tall else evened)


def _background(lying: ScoreArray, seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The polynomial at each cell; -1..1 are the ends of what is seen."""
    rows, columns = np.nonzero(seen)
    step = -(-rows.size // MOST_CELLS)
    first, last = columns.min(), columns.max()
    down = (np.arange(lying.shape[0]) + 0.5) / lying.shape[0] * 2 - 1
    along = (np.arange(lying.shape[1]) - first + 0.5) / (last - first + 1) * 2 - 1
    narrow = np.polynomial.legendre.legvander(down, NARROW_DEGREE)
    long = np.polynomial.legendre.legvander(np.clip(along, -1, 1), LONG_DEGREE)
    used = (rows[::step], columns[::step])
    basis = np.stack([narrow[used[0], i] * long[used[1], j] for i, j in TERMS], axis=-1)
    planes = np.zeros((NARROW_DEGREE + 1, LONG_DEGREE + 1))
    planes[tuple(np.transpose(TERMS))] = fit_robustly(basis, lying[used])
    return np.asarray(narrow @ planes @ long.T, np.float64)
