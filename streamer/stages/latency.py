"""Latency figures in bounded memory; knows no clock."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

_PER_DOUBLING = 16  # a bucket is 4.4 % wide
_BUCKETS = 40 * _PER_DOUBLING


@dataclass(slots=True)
class LatencyHistogram:
    """Logarithmic histogram from 1 us; quantiles are upper bucket bounds (4.4 % resolution)."""

    counts: list[int] = field(default_factory=lambda: [0] * _BUCKETS)
    total: int = 0

    def add(self, seconds: float) -> None:
        """Count one value; values under 1 us count as 1 us."""
        bucket = math.ceil(_PER_DOUBLING * math.log2(max(seconds, 1e-6) / 1e-6))
        self.counts[min(bucket, _BUCKETS - 1)] += 1
        self.total += 1

    def merge(self, other: LatencyHistogram) -> None:
        """Count all values of another one, too."""
        self.counts = [own + more for own, more in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    def quantile(self, share: float) -> float:
        """Seconds not exceeded by `share` (0..1) of the values; 0 when there are none."""
        wanted, seen = share * self.total, 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return float(1e-6 * 2 ** (bucket / _PER_DOUBLING))
        return 0.0
