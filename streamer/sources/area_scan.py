"""Pictures of an area-scan camera over a moving web as lines, each once; knows no camera."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil, floor
from typing import TYPE_CHECKING, Literal, assert_never

from streamer.message import GapReason, LineBlock, LineLoss, require
from streamer.sources.displacement import Displacement, measure_displacement
from streamer.sources.frame import FrameBreak

if TYPE_CHECKING:
    from streamer.message import PixelArray
    from streamer.sources.frame import Frame

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
class Away:
    """Nobody sees the web since `since_ns` (UTC), when the lines before `end_line` had been seen.

    `height` is a picture's along the web, `broken` the newest break.
    """

    since_ns: int
    end_line: int
    height: int
    broken: FrameBreak

    def line_at(self, now_ns: int, line_rate_hz: float) -> int:
        """Web line that the newest row of a picture would show after, by time."""
        passed_s = max(0, now_ns - self.since_ns) / _NS_PER_S
        return self.end_line + round(passed_s * line_rate_hz)


@dataclass(frozen=True, slots=True)
class AreaState:
    """The last picture and where it lies; lines before `next_line` are delivered or lost.

    `position` is the web line of the picture's row 0, to a fraction of a line.
    """

    rules: AreaRules
    next_line: int = 0
    position: float = 0.0
    last: Frame | None = None
    away: Away | None = None
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
    if state.away is not None:
        state, lost = _end_away(replace(state, counts=counts), state.away, frame)
        state, out = _deliver(state, frame)
        return state, (*lost, *out)
    if state.last is None:
        start = replace(state, position=float(state.next_line), counts=counts)
        return _deliver(start, frame)
    state = _move(replace(state, counts=counts), state.last, frame)
    return _deliver(state, frame)


def unseen_since(since_ns: int, line: int, height: int, detail: str) -> Away:
    """The web before `line` was seen at `since_ns` (UTC), by somebody else."""
    broken = FrameBreak("", since_ns, since_ns, detail=detail, is_ongoing=True)
    return Away(since_ns, line, height, broken)


def take_break(state: AreaState, broken: FrameBreak) -> AreaStep:
    """The camera is away, or back before its next picture, which starts a new piece.

    While it is away, lines are lost by time and speed as they pass; the last ones, as many as a
    picture is high, may still be seen.
    """
    away = replace(state.away or _leave(state, broken), broken=broken)
    state = replace(state, last=None, away=away)
    if not broken.is_ongoing:
        return state, ()
    line = away.line_at(broken.captured_ns, state.rules.line_rate_hz)
    return _lose(state, away, line - away.height, broken.captured_ns)


def stop_pictures(state: AreaState, now_ns: int) -> AreaStep:
    """The reader stops at `now_ns` (UTC): what is lost by then while the camera is away."""
    away = state.away
    if away is None:
        return state, ()
    broken = away.broken
    until_ns = max(broken.captured_ns, now_ns) if broken.is_ongoing else broken.captured_ns
    return _lose(state, away, away.line_at(until_ns, state.rules.line_rate_hz), until_ns)


def _leave(state: AreaState, broken: FrameBreak) -> Away:
    """Where the web was when it was last seen."""
    if state.last is None:
        return Away(broken.since_ns, state.next_line, 0, broken)
    height = len(upright(state.last.pixels, state.rules.motion))
    return Away(state.last.captured_ns, round(state.position + height), height, broken)


def _end_away(state: AreaState, away: Away, frame: Frame) -> AreaStep:
    """Place the first picture by time; at least one line is lost, for nothing joins the two."""
    height = len(upright(frame.pixels, state.rules.motion))
    top = away.line_at(frame.captured_ns, state.rules.line_rate_hz) - height
    said = state.next_line > away.end_line
    line = max(top, state.next_line + (0 if said else 1))
    state, lost = _lose(state, away, line, frame.captured_ns)
    return replace(state, position=float(top), away=None), lost


def _lose(state: AreaState, away: Away, line: int, now_ns: int) -> AreaStep:
    """The web before `line` is lost, as far as it was neither delivered nor lost."""
    count, broken = line - state.next_line, away.broken
    if count <= 0:
        return state, ()
    detail = f"{broken.detail}; {count} lines by time".removeprefix("; ")
    loss = LineLoss(broken.camera, state.next_line, count, broken.reason, now_ns, detail)
    counts = replace(state.counts, lost_lines=state.counts.lost_lines + count)
    return replace(state, next_line=line, counts=counts), (loss,)


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
