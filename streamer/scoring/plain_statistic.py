"""What statistics of one parameter, the size of a window, have in common; knows no statistic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamer import config
    from streamer.scoring.method import Parameter


@dataclass(frozen=True, slots=True)
class PlainStatistic:
    """A scoring method (`scoring.method.Method`) in torch that looks half a window far.

    `patch_size`: side of the window in features.
    """

    patch_size: int

    @classmethod
    def of(cls, settings: config.Scoring) -> Self:
        """As configured."""
        return cls(settings.patch_size)

    @property
    def kernel(self) -> None:
        """Written in torch."""
        return

    @property
    def reach(self) -> int:
        """Features around a core that its scores depend on: half a window."""
        return self.patch_size // 2

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Everything that changes a score."""
        return {"patch_size": self.patch_size}
