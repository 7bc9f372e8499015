"""Which state of a learning lane another worker can go on from; no I/O, no tiles, no profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.message import ProfileState


@dataclass(slots=True)
class LaneStates:
    """The states of one lane, oldest first.

    A worker that starts from a state and gets the tiles after it makes every later state again. The
    oldest is therefore kept until every tile before the next one has its verdict: a tile from
    before a state could not be judged again as it was.
    """

    _states: list[ProfileState] = field(default_factory=list)
    _has_base: bool = False

    @property
    def base(self) -> ProfileState | None:
        """What another worker goes on from; None: from the lane's first tile."""
        return self._states[0] if self._has_base else None

    def add(self, state: ProfileState) -> bool:
        """Take a state; False if the lane is better known by one that learnt from an earlier tile.

        Two lines of states exist after capture was started anew: a worker that outlived it knows
        the lane from its beginning, one that did not has begun again.
        """
        if self._states and _origin(state) > _origin(self._states[-1]):
            return False
        if self._states and _origin(state) < _origin(self._states[-1]):
            self._states, self._has_base = [], False
        if not self._states or state.sequence > self._states[-1].sequence:
            self._states.append(state)
        return True

    def advance(self, unsettled: int | None) -> None:
        """Forget what nobody needs: `unsettled` is the first tile without a verdict, if any."""
        usable = [s for s in self._states if unsettled is None or s.sequence <= unsettled]
        if usable:
            self._states = self._states[len(usable) - 1 :]
            self._has_base = True

    def is_of(self, state: ProfileState) -> bool:
        """Whether a state belongs to the same line of states as those that are known."""
        return bool(self._states) and _origin(state) == _origin(self._states[-1])


def _origin(state: ProfileState) -> int:
    return state.sequence if state.learnt_from is None else state.learnt_from
