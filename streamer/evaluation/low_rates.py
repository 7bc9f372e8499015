"""Recall where hardly anything normal is flagged: per-image overlap (AUPIMO); knows no bin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LOWEST_RATE, HIGHEST_RATE = 1e-5, 1e-4
MOST_THRESHOLDS = 4096
MOST_KEPT = 1 << 16  # of the normal pixels of an image
TAIL = 4 * HIGHEST_RATE  # what is kept, so that redrawn images find their thresholds too


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """The highest scores of an image's normal pixels, and how many normal pixels it has."""

    scores: NDArray[np.float32]
    pixels: int

    @classmethod
    def of(cls, scores: NDArray[np.float32], image_count: int) -> Tail:
        """All that can matter to the rates of `image_count` images, at most `MOST_KEPT`.

        One image that holds every flagged pixel has `image_count` times the shared rate.
        """
        wanted = int(np.ceil(TAIL * image_count * scores.size)) + 1
        kept = min(scores.size, wanted, MOST_KEPT)
        first = scores.size - kept
        highest = np.partition(scores, first)[first:] if first > 0 else scores
        return cls(np.sort(highest), scores.size)


@dataclass(frozen=True, slots=True, eq=False)
class LowRates:
    """Of some images what their overlap at low shared false-positive rates follows from.

    Attributes:
        shares: (clean, thresholds) share of each clean image's normal pixels at or above each
            threshold, the highest first.
        covered: (defective, thresholds) covered share of each defective image's defective pixels
            above that threshold: what is flagged before the rate rises to that of `shares`.
    """

    shares: NDArray[np.float64]
    covered: NDArray[np.float32]

    @classmethod
    def of(cls, normal: Sequence[Tail], defective: Sequence[NDArray[np.float32]]) -> LowRates:
        """From the normal pixels of each clean image, and the scores of each defect's pixels.

        Of more than `MOST_THRESHOLDS` distinct scores at rates up to `TAIL` as many are kept,
        evenly spread over the logarithm of the rate.
        """
        seen = [tail for tail in normal if tail.pixels]
        thresholds = _thin(_tail_scores(seen))
        shares = np.zeros((len(normal), thresholds.size))
        covered = np.zeros((len(defective), thresholds.size), np.float32)
        for row, tail in zip(shares, normal, strict=True):
            above = tail.scores.size - np.searchsorted(tail.scores, thresholds, side="left")
            row[:] = above / max(tail.pixels, 1)
        for line, scores in zip(covered, defective, strict=True):
            above = scores.size - np.searchsorted(np.sort(scores), thresholds, side="right")
            line[:] = above / max(scores.size, 1)
        return cls(shares, covered)

    def overlap(self, clean: NDArray[np.float64]) -> NDArray[np.float64]:
        """AUPIMO of each defective image, when clean image i is drawn `clean[i]` times.

        The mean of the covered share over the logarithm of the shared false-positive rate from
        `LOWEST_RATE` to `HIGHEST_RATE`, the rate being the mean over the clean images of the
        flagged share of each (Bertoldo et al., "AUPIMO", BMVC 2024, arXiv 2401.01984). At a rate
        between two that occur the threshold of the lower one holds. NaN without a clean image.
        """
        total = clean.sum()
        if total == 0 or not self.shares.size:
            return np.full(len(self.covered), np.nan)
        shared = np.r_[0.0, clean @ self.shares / total]
        bounds = np.log(np.clip(shared, LOWEST_RATE, HIGHEST_RATE))
        bounds = np.r_[bounds, np.log(HIGHEST_RATE)]  # beyond the last threshold it stays
        widths = np.diff(bounds) / np.log(HIGHEST_RATE / LOWEST_RATE)
        held = np.concatenate([self.covered, self.covered[:, -1:]], axis=1)
        return np.asarray(held @ widths, np.float64)


def _tail_scores(tails: Sequence[Tail]) -> NDArray[np.float32]:
    """Distinct scores of the clean images, highest first, down to a shared rate of `TAIL`."""
    if not tails:
        return np.zeros(0, np.float32)
    joined = np.concatenate([tail.scores for tail in tails])
    weights = [np.full(tail.scores.size, 1 / tail.pixels / len(tails)) for tail in tails]
    order = np.argsort(joined)[::-1]
    end = int(np.searchsorted(np.cumsum(np.concatenate(weights)[order]), TAIL)) + 1
    return np.unique(joined[order][:end])[::-1]


def _thin(thresholds: NDArray[np.float32]) -> NDArray[np.float32]:
    if thresholds.size <= MOST_THRESHOLDS:
        return thresholds
    places = np.geomspace(1, thresholds.size, MOST_THRESHOLDS).round().astype(np.intp) - 1
    return thresholds[np.unique(places)]
