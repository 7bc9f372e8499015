"""What a source of a web that runs by itself must know of its reader; knows no camera."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

RESTARTED = "capture was restarted"


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Live:
    """Since when nobody has looked, and whether the reader wants the end.

    `since_ns` (UTC): the web after the line before the first one has passed unseen since then, and
    is lost; 0: the roll begins with what is seen first. Once `stopping` says so, a live source
    names what is lost by then and ends. `now_ns` is the clock of both, UTC. Sources that are
    recorded or simulated go on at their line and stop between any two, and need none of this.
    """

    since_ns: int = 0
    stopping: Callable[[], bool] = _never
    now_ns: Callable[[], int] = time.time_ns
