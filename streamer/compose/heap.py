"""Tells the C library to keep the memory that is freed; knows nothing of what lies there."""

from __future__ import annotations

import ctypes
import ctypes.util

# From malloc.h of glibc: parameters of mallopt(3).
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
KEPT_BYTES = 1 << 30  # freed at the top of the heap before any goes back to the system
LARGEST_BYTES = 32 << 20  # of a piece that comes from the heap: the most that glibc takes
AHEAD_BYTES = 64 << 20


def keep_freed_memory() -> bool:
    """Whether glibc will use freed memory again instead of giving it back, page by page.

    Capture makes and drops megabytes a millisecond: with fresh pages each time the system takes
    more time for them than their pixels do. Where there is no mallopt nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(ctypes.util.find_library("c")).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    settings = (
        (_M_TRIM_THRESHOLD, KEPT_BYTES),
        (_M_MMAP_THRESHOLD, LARGEST_BYTES),
        (_M_TOP_PAD, AHEAD_BYTES),
    )
    taken = [mallopt(parameter, size) == 1 for parameter, size in settings]
    return all(taken)
