"""Pictures of an area-scan camera over a moving web as lines, each once; knows no camera."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil, floor
from typing import TYPE_CHECKING, Literal, assert_never

from streamer.message import GapReason, LineBlock, LineLoss, require
from streamer.sources.displacement import Displacement, measure_displacement

if TYPE_CHECKING:
    from streamer.message import PixelArray
    from streamer.sources.frame import Frame, FrameBreak

Motion = Literal["up", "down", "left", "right"]
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class AreaRules:
    """How pictures follow from the motion of the web.

    `motion` is where the texture moves in the picture. The web runs at about `line_rate_hz` lines
    per second, give or take `tolerance` (a share of the motion, and at least two lines). A
    measurement counts from `least_confidence` on; otherwise the web is taken to run as expected.
    `lines_per_count`: with an encoder, its counts say how far the web moved; nothing is measured.
    """

    motion: Motion
    line_rate_hz: float
    tolerance: float = 0.3
    least_confidence: float = 0.25
    lines_per_count: float | None = None

    def __post_init__(self) -> None:
        require(self.line_rate_hz > 0, "line_rate_hz must be > 0", self.line_rate_hz)
        require(self.tolerance >= 0, "tolerance must be >= 0", self.tolerance)


@dataclass(frozen=True, slots=True)
class AreaCounts:
    """What became of pictures; `drift_columns` is how far the web has wandered cross-web."""

    pictures: int = 0
    unsure: int = 0
    standing: int = 0
    lost_lines: int = 0
    measured_lines: float = 0.0
    expected_lines: float = 0.0
    drift_columns: float = 0.0

    @property
    def speed_ratio(self) -> float:
        """Measured over expected motion; 1 while nothing is known."""
        return self.measured_lines / self.expected_lines if self.expected_lines else 1.0


@dataclass(frozen=True, slots=True)
class AreaState:
    """The last picture and where it lies; lines before `next_line` have been delivered.

    `position` is the web line of the picture's row 0, to a fraction of a line.
    """

    rules: AreaRules
    next_line: int = 0
    position: float = 0.0
    last: Frame | None = None
    counts: AreaCounts = field(default_factory=AreaCounts)


AreaStep = tuple[AreaState, tuple[LineBlock | LineLoss, ...]]


def upright(pixels: PixelArray, motion: Motion) -> PixelArray:
    """The picture as a view in which the texture moves towards row 0 and new web is at the end."""
    match motion:
        case "up":
            return pixels
        case "down":
            return pixels[::-1]
        case "left":
            return pixels.swapaxes(0, 1)
        case "right":
            return pixels[:, ::-1].swapaxes(0, 1)
        case _:
            assert_never(motion)


def take_picture(state: AreaState, frame: Frame) -> AreaStep:
    """The lines of a picture that no earlier one has shown, and what lies between them.

    Rows are taken as they are, at the nearest line: nothing is resampled. A web that stands still
    or runs back shows nothing new until it has passed the furthest line again.
    """
    counts = replace(state.counts, pictures=state.counts.pictures + 1)
    if state.last is None:
        start = replace(state, position=float(state.next_line), counts=counts)
        return _deliver(start, frame)
    state = _move(replace(state, counts=counts), state.last, frame)
    return _deliver(state, frame)


def take_break(state: AreaState, broken: FrameBreak) -> AreaStep:
    """Lines that passed while the camera was away, by time and speed; a new piece follows."""
    away_s = (broken.captured_ns - broken.since_ns) / _NS_PER_S
    count = max(1, round(away_s * state.rules.line_rate_hz))
    detail = f"{broken.detail}; {count} lines by time".removeprefix("; ")
    loss = LineLoss(
        broken.camera, state.next_line, count, broken.reason, broken.captured_ns, detail
    )
    counts = replace(state.counts, lost_lines=state.counts.lost_lines + count)
    return replace(state, next_line=state.next_line + count, last=None, counts=counts), (loss,)


def _move(state: AreaState, last: Frame, frame: Frame) -> AreaState:
    """Where the new picture lies."""
    rules, counts = state.rules, state.counts
    if rules.lines_per_count is not None and None not in (last.encoder_last, frame.encoder_last):
        turned = (frame.encoder_last or 0) - (last.encoder_last or 0)
        return replace(state, position=state.position + turned * rules.lines_per_count)
    expected = (frame.captured_ns - last.captured_ns) / _NS_PER_S * rules.line_rate_hz
    moved = _measure(rules, last, frame, expected)
    if moved.confidence < rules.least_confidence:
        counts = replace(counts, unsure=counts.unsure + 1)
        return replace(state, position=state.position + expected, counts=counts)
    counts = replace(
        counts,
        measured_lines=counts.measured_lines + moved.lines,
        expected_lines=counts.expected_lines + expected,
        drift_columns=counts.drift_columns + moved.columns,
    )
    return replace(state, position=state.position + moved.lines, counts=counts)


def _measure(rules: AreaRules, last: Frame, frame: Frame, expected: float) -> Displacement:
    """The motion that fits best: about as fast as expected, or standing, or slow either way."""
    before, after = (upright(one.pixels, rules.motion) for one in (last, frame))
    margin = max(2.0, rules.tolerance * expected)
    running = measure_displacement(before, after, expected, margin)
    resting = measure_displacement(before, after, 0.0, max(2.0, expected - margin))
    return max(running, resting, key=lambda moved: moved.confidence)


def _deliver(state: AreaState, frame: Frame) -> AreaStep:
    pixels = upright(frame.pixels[: frame.valid_lines], state.rules.motion)
    top, end = state.position, floor(state.position + len(pixels) + 0.5)
    out: tuple[LineBlock | LineLoss, ...] = ()
    counts, first = state.counts, state.next_line
    if ceil(top - 0.5) > first:
        missed = ceil(top - 0.5) - first
        detail = "the web moved further than a picture is high"
        reason = GapReason.OVERSPEED
        loss = LineLoss(frame.camera, first, missed, reason, frame.captured_ns, detail)
        out, first = (loss,), first + missed
        counts = replace(counts, lost_lines=counts.lost_lines + missed)
    row = max(0, round(first - top))
    new = pixels[row : row + end - first] if end > first else pixels[:0]
    if len(new) == 0:
        counts = replace(counts, standing=counts.standing + 1)
        return replace(state, last=frame, counts=counts), out
    block = LineBlock(frame.camera, first, new, len(new), frame.captured_ns)
    state = replace(state, next_line=first + len(new), last=frame, counts=counts)
    return state, (*out, block)
