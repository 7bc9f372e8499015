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


RECENT_NS = 30_000_000_000


@dataclass(slots=True)
class RecentLatency:
    """Quantiles over the last 30 to 60 seconds, in the memory of two histograms."""

    _present: LatencyHistogram = field(default_factory=LatencyHistogram)
    _before: LatencyHistogram = field(default_factory=LatencyHistogram)
    _began_ns: int = 0

    def add(self, seconds: float, now_ns: int) -> None:
        """Count one value."""
        self._forget(now_ns)
        self._present.add(seconds)

    def quantile(self, share: float, now_ns: int) -> float:
        """Seconds not exceeded by `share` (0..1) of the recent values; 0 when there are none."""
        self._forget(now_ns)
        both = LatencyHistogram()
        both.merge(self._before)
        both.merge(self._present)
        return both.quantile(share)

    def _forget(self, now_ns: int) -> None:
        age_ns = now_ns - self._began_ns
        if age_ns < RECENT_NS:
            return
        self._before = self._present if age_ns < 2 * RECENT_NS else LatencyHistogram()
        self._present, self._began_ns = LatencyHistogram(), now_ns
