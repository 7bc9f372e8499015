"""What the kernels are to reach and what was measured, as rows; measures nothing."""

from __future__ import annotations

from dataclasses import dataclass

NOT_MEASURED = "not measured"
_DIGITS = {"ms": 2, "x": 2, "MB": 1}


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure: at most (or, `at_least`, no less than) `reach` in `unit` ("ms", "x" or "MB")."""

    what: str
    reach: float
    measured: float | None
    unit: str = "ms"
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """Whether the measured figure, unrounded, keeps to the goal."""
        if self.measured is None:
            return NOT_MEASURED
        kept = self.measured >= self.reach if self.at_least else self.measured <= self.reach
        return "reached" if kept else "missed"

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """What, reach, measured and verdict, as the table has them."""
        sign = ">=" if self.at_least else "<="
        return (self.what, f"{sign} {_figure(self.reach, self.unit)}", self._shown(), self.verdict)

    def _shown(self) -> str:
        return "" if self.measured is None else _figure(self.measured, self.unit, rounded=True)

    def as_json(self) -> dict[str, object]:
        """Plain values: what, reach, measured (or null), unit, at_least, verdict."""
        return {
            "what": self.what,
            "reach": self.reach,
            "measured": self.measured,
            "unit": self.unit,
            "at_least": self.at_least,
            "verdict": self.verdict,
        }


def ratio(dividend: float | None, divisor: float | None) -> float | None:
    """`dividend` / `divisor`; None where one of them was not measured."""
    return None if dividend is None or divisor is None else dividend / divisor


def goal_table(goals: list[Goal]) -> str:
    """A Markdown table, a row per goal."""
    head = ["| what | reach | measured | |", "|---|---|---|---|"]
    return "\n".join([*head, *("| " + " | ".join(goal.cells) + " |" for goal in goals)])


def _figure(value: float, unit: str, rounded: bool = False) -> str:
    digits = 0 if value >= 100 else _DIGITS[unit]
    number = f"{value:.{digits}f}" if rounded else f"{value:g}"
    return f"{number}x" if unit == "x" else f"{number} {unit}"
