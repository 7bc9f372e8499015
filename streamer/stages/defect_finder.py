"""Defects and repeats of a roll, strip by strip: holds the state of both; knows no alarm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamer.decision import MERGED, DecisionState, decide, finish
from streamer.message import DefectState
from streamer.repeats import RepeatState, find_repeats, finish_repeats

if TYPE_CHECKING:
    from streamer.decision import DecisionSettings
    from streamer.message import Defect
    from streamer.repeats import Repeat, RepeatSettings
    from streamer.web import Strip


@dataclass(slots=True)
class DefectFinder:
    """Decides strips in down-web order; without `repeats` no repeats are looked for."""

    settings: DecisionSettings
    repeats: RepeatSettings | None = None
    defects: int = 0  # of the roll so far; those that became part of another one do not count
    _decision: DecisionState = field(default_factory=DecisionState)
    _repeats: RepeatState = field(default_factory=RepeatState)

    def take(self, strip: Strip) -> tuple[tuple[Defect, ...], tuple[Repeat, ...]]:
        """What is to be told of defects and of repeats after the next strip."""
        self._decision, defects = decide(self._decision, strip, self.settings)
        self._count(defects)
        return defects, self._found(defects, strip.first_line * self.settings.geometry.line_mm)

    def finish(self) -> tuple[tuple[Defect, ...], tuple[Repeat, ...]]:
        """The ends of what is open at the end of the roll."""
        defects = finish(self._decision, self.settings)
        self._count(defects)
        repeats = (*self._found(defects, 0.0), *finish_repeats(self._repeats))
        self._decision, self._repeats = DecisionState(), RepeatState()
        return defects, repeats

    @property
    def open_defects(self) -> int:
        """Announced defects that may still grow."""
        return sum(region.defect_id > 0 for region in self._decision.regions)

    def _count(self, defects: tuple[Defect, ...]) -> None:
        for defect in defects:
            self.defects += defect.state is DefectState.NEW
            self.defects -= defect.defect_class == MERGED

    def _found(self, defects: tuple[Defect, ...], reached_mm: float) -> tuple[Repeat, ...]:
        if self.repeats is None:
            return ()
        self._repeats, news = find_repeats(self._repeats, defects, reached_mm, self.repeats)
        return news
