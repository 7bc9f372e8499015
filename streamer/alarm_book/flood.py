"""Which new defects of a flood are held back; knows no alarm and no message."""

from __future__ import annotations

from dataclasses import replace

from streamer.alarm_book.state import Flood, rank
from streamer.message import Severity

WINDOW_NS = 600 * 1_000_000_000  # ten minutes, the interval of ISA-18.2 and EEMUA 191


def is_busy(flood: Flood, limit: int | None, now_ns: int) -> bool:
    """Whether at least `limit` defects came in the ten minutes before now."""
    if limit is None or len(flood.arrivals_ns) < limit:
        return False
    return now_ns - flood.arrivals_ns[-limit] < WINDOW_NS


def calmed(flood: Flood, limit: int | None, now_ns: int) -> Flood:
    """The flood, which is over when fewer than `limit` came in ten minutes."""
    is_over = flood.level is not None and not is_busy(flood, limit, now_ns)
    return replace(flood, level=None) if is_over else flood


def holds(flood: Flood, severity: Severity) -> bool:
    """Whether a defect of this severity stays hidden for now."""
    return flood.level is not None and rank(severity) <= rank(flood.level)


def arrived(flood: Flood, severity: Severity, limit: int, now_ns: int) -> Flood:
    """The flood after one more defect; `holds` then says what becomes of it.

    A flood begins with a defect that is no more severe than the least severe one announced in the
    ten minutes before. Its severity is the level of that flood, so that one more severe than those
    held back is always announced; HIGH never begins one.
    """
    level = flood.level
    if level is None and is_busy(flood, limit, now_ns) and severity is not Severity.HIGH:
        recent = [known for known, at_ns in flood.announced_ns if now_ns - at_ns < WINDOW_NS]
        lowest = min(map(rank, recent), default=rank(Severity.HIGH))
        level = severity if rank(severity) <= lowest else None
    arrivals_ns = (*flood.arrivals_ns, now_ns)[-limit:]
    return replace(flood, arrivals_ns=arrivals_ns, level=level)


def announced(flood: Flood, severity: Severity, now_ns: int) -> Flood:
    """The flood after a defect was announced."""
    others = [(known, at_ns) for known, at_ns in flood.announced_ns if known is not severity]
    return replace(flood, announced_ns=(*others, (severity, now_ns)))
