"""Says whether a target is fit to be a light reference, and why not; pure, knows no source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from streamer.correction.flat_field import bad_columns, smooth_across
from streamer.correction.lamp_drift import runs_of
from streamer.message import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.correction.flat_field import LightReference
    from streamer.message import PixelArray

    Reals = NDArray[np.float64]
    Flags = NDArray[np.bool_]

LEAST_LINES = 64
FEWEST_ELECTRONS = 2000.0  # at full scale: a pixel with a smaller well makes no picture
UNSTEADY = 0.02  # standard deviation of the lines' brightness, as share of it
SLOW_SHARE = 1.5  # variance over that of steps from line to line: 1 for noise alone
ALIKE = 0.3  # correlation of neighbouring columns: 0 for noise alone
OUTSTANDING = 9.0  # variance of a column over that of those beside it
SATURATED_SHARE = 0.001  # of the pixels of a column at full scale
DARKEST_WHITE, BRIGHTEST_DARK = 0.2, 0.2  # share of full scale, the median column
NARROW_STREAK, WIDE_STREAK = 0.03, 0.1  # deviation from the neighbourhood, narrow and wide
LEAST_STREAK = 3  # columns; fewer are pixels of their own, which a gain evens
SHOWN = 4


@dataclass(slots=True)
class TargetMeter:
    """Means and variances of a still target over lines, without keeping the lines.

    Variances are of levels over the line's own mean: a lamp that flickers is no moving target.
    """

    columns: int
    channels: int
    lines: int = 0
    line_means: list[Reals] = field(default_factory=list)
    full_scale: int = 255
    _sums: dict[str, Reals] = field(default_factory=dict)
    _last: Reals | None = None

    def add(self, pixels: PixelArray) -> None:
        """The next (lines, columns[, 3]) of the target.

        Raises:
            ValueError: another width or number of channels.
        """
        levels = pixels.reshape(*pixels.shape[:2], -1).astype(np.float64)
        rule = f"target must be ({self.columns}, {self.channels}) columns and channels"
        require(levels.shape[1:] == (self.columns, self.channels), rule, levels.shape[1:])
        self.full_scale = int(np.iinfo(pixels.dtype).max)
        means = levels.mean(axis=1, keepdims=True)
        self.line_means.extend(means[:, 0])
        shares = levels / np.maximum(means, 1e-9)
        self._sum("level", levels)
        self._sum("saturated", (levels >= self.full_scale).astype(np.float64))
        self._sum("share", shares)
        self._sum("square", shares**2)
        self._sum("beside", shares[:, :-1] * shares[:, 1:])
        before = shares[:1] if self._last is None else self._last
        self._sum("step", np.diff(shares, axis=0, prepend=before) ** 2)
        self._last, self.lines = shares[-1:], self.lines + len(levels)

    def mean(self, of: str = "level") -> Reals:
        """(columns, channels): mean over lines of a sum by its name."""
        return self._sums[of] / max(self.lines, 1)

    @property
    def variance(self) -> Reals:
        """(columns, channels): of the shares, over lines."""
        return np.maximum(self.mean("square") - self.mean("share") ** 2, 0)

    @property
    def step_variance(self) -> Reals:
        """The same from steps between consecutive lines: equal for noise, less for what moves."""
        return self.mean("step") / 2

    @property
    def likeness(self) -> float:
        """Correlation of neighbouring columns over lines, the mean over columns."""
        share, spread = self.mean("share"), np.sqrt(self.variance)
        together = self.mean("beside") - share[:-1] * share[1:]
        scale = float((spread[:-1] * spread[1:]).mean())
        return float(together.mean()) / scale if scale > 0 else 0.0

    def _sum(self, name: str, values: Reals) -> None:
        total = values.sum(axis=0)
        self._sums[name] = self._sums[name] + total if name in self._sums else total


def target_faults(meter: TargetMeter, role: Literal["white", "dark"]) -> tuple[str, ...]:
    """Why what was metered is no `role` target; empty when it is one. Each names its figures."""
    if meter.lines < LEAST_LINES:
        return (f"{role} target must have >= {LEAST_LINES} lines, got {meter.lines}",)
    if role == "dark":
        return _dark_faults(meter)
    return (*_brightness_faults(meter), *_motion_faults(meter))


def reference_faults(reference: LightReference) -> tuple[str, ...]:
    """Why the references together are none: streaks of dirt, or a white that is hardly lit."""
    black = reference.black()
    response = reference.white - black
    if np.median(response) <= DARKEST_WHITE / 2 * reference.full_scale:
        level = 100 * float(np.median(response)) / reference.full_scale
        return (
            f"white must be at least {100 * DARKEST_WHITE / 2:g} % of full scale above dark, "
            f"got {level:.1f} %; is the lamp on, the lens open?",
        )
    streaks = _streaks(response, np.array(bad_columns(reference), np.intp))
    if not streaks:
        return ()
    return (
        f"white target must be clean and even, got {_named(streaks)} than beside them; clean "
        "target, lamp and lens",
    )


def _dark_faults(meter: TargetMeter) -> tuple[str, ...]:
    level = float(np.median(meter.mean())) / meter.full_scale
    if level <= BRIGHTEST_DARK:
        return ()
    rule = f"dark target must be below {100 * BRIGHTEST_DARK:g} % of full scale"
    return (f"{rule}, got {100 * level:.1f} %; close the lens, switch the lamp off",)


def _brightness_faults(meter: TargetMeter) -> tuple[str, ...]:
    faults = []
    level = float(np.median(meter.mean())) / meter.full_scale
    if level < DARKEST_WHITE:
        faults.append(
            f"white target must reach {100 * DARKEST_WHITE:g} % of full scale, got "
            f"{100 * level:.1f} %; more exposure, gain or light"
        )
    saturated = meter.mean("saturated").max(axis=1)
    if runs := runs_of(saturated > SATURATED_SHARE):
        faults.append(
            f"white target must stay below full scale, got {_columns(runs)} with up to "
            f"{100 * saturated.max():.1f} % of their pixels at it; less exposure, gain or light"
        )
    return tuple(faults)


def _motion_faults(meter: TargetMeter) -> tuple[str, ...]:
    means = np.array(meter.line_means)
    flicker = float((means.std(axis=0) / np.maximum(means.mean(axis=0), 1e-9)).max())
    faults = []
    if flicker > UNSTEADY:
        faults.append(
            f"light must be steady within {100 * UNSTEADY:g} %, got {100 * flicker:.1f} % from "
            "line to line; let the lamp warm up, check its supply"
        )
    if moving := _moving(meter):
        faults.append(f"white target must be still and plain, got {moving}; stop and smooth it")
    return tuple(faults)


def _moving(meter: TargetMeter) -> str:
    """What in the variance over lines is no shot noise; "" if nothing is."""
    levels = meter.mean()
    variance = meter.variance * levels.mean(axis=0) ** 2  # in levels
    # Below a level the quantisation decides, and says nothing about the target.
    room = (meter.full_scale / 255) ** 2
    shot = levels * meter.full_scale / FEWEST_ELECTRONS + room
    if np.median(variance / shot) > 1:
        spread = float(np.sqrt(np.median(variance)))
        return f"a spread over lines of {spread:.1f} levels, where noise gives {_root(shot):.1f}"
    slow = float(np.median(meter.variance / np.maximum(meter.step_variance, 1e-12)))
    beside = smooth_across(variance, narrow=True)
    restless = (variance > OUTSTANDING * np.maximum(beside, room)).any(axis=1)
    if runs := runs_of(restless):
        return f"{_columns(runs)} that change {OUTSTANDING:g} times as much as those beside them"
    noisy = np.median(variance) > room / 4
    if noisy and slow > SLOW_SHARE:
        return f"changes over lines {slow:.1f} times those from line to line"
    if noisy and meter.likeness > ALIKE:
        return f"neighbouring columns that change together (correlation {meter.likeness:.2f})"
    return ""


def _root(values: Reals) -> float:
    return float(np.sqrt(np.median(values)))


def _streaks(response: Reals, bad: NDArray[np.intp]) -> list[tuple[int, int, float]]:
    """Runs of columns that deviate from beside them as no lamp does, with the largest share.

    What falls off at the very end of the web is taken for the lens.
    The worst is taken out before the next is looked for: it bends the neighbourhood of others.
    """
    left, found = response.astype(np.float64), list[tuple[int, int, float]]()
    for first, end in runs_of(np.isin(np.arange(len(left)), bad)):
        if end - first < LEAST_STREAK:
            _fill(left, first, end)
    while len(found) <= SHOWN and (streak := _worst_streak(left)):
        found.append(streak)
        _fill(left, streak[0], streak[1])
    return sorted(found)


def _worst_streak(response: Reals) -> tuple[int, int, float] | None:
    """The run of columns with the largest deviation from beside it, else from far around it."""
    for narrow, limit in ((True, NARROW_STREAK), (False, WIDE_STREAK)):
        share = response / np.maximum(smooth_across(response, narrow=narrow), 1e-9) - 1
        most = np.take_along_axis(share, np.abs(share).argmax(axis=1)[:, None], axis=1)[:, 0]
        runs = [run for run in runs_of(np.abs(most) > limit) if run[1] - run[0] >= LEAST_STREAK]
        if runs:
            peaks = [most[first:end][np.abs(most[first:end]).argmax()] for first, end in runs]
            worst = int(np.abs(peaks).argmax())
            return (*runs[worst], float(peaks[worst]))
    return None


def _fill(response: Reals, first: int, end: int) -> None:
    """Linear between the columns beside a run, over a column more on either side."""
    first, end = max(first - 1, 0), min(end + 1, len(response))
    before = response[max(first - 1, 0)] if first > 0 else response[min(end, len(response) - 1)]
    after = response[end] if end < len(response) else before
    share = (np.arange(end - first) + 1)[:, None] / (end - first + 1)
    response[first:end] = before * (1 - share) + after * share


def _named(streaks: list[tuple[int, int, float]]) -> str:
    named = [
        f"columns {first}-{end - 1} {100 * abs(share):.1f} % " + ("brighter", "darker")[share < 0]
        for first, end, share in streaks[:SHOWN]
    ]
    return ", ".join(named) + (" and others" if streaks[SHOWN:] else "")


def _columns(runs: list[tuple[int, int]]) -> str:
    named = ", ".join(f"{first}-{end - 1}" for first, end in runs[:SHOWN])
    return f"columns {named}" + (f" and {len(runs) - SHOWN} more runs" if runs[SHOWN:] else "")
