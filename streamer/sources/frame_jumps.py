"""How far the web went between two frames and what its loss is called; pure; knows no pixels."""

# See the rules in frame_lines.py. What decides the distance, best first: the encoder, the line
# counter, the frame counter times the lines of a frame, and after a break the time that passed.

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streamer.message import GapReason, LineLoss
from streamer.sources.frame_counters import unwrap
from streamer.sources.frame_places import SLACK_LINES, Track, is_plausible, tie, way_to

if TYPE_CHECKING:
    from streamer.sources.frame import CounterBits, FrameBreak
    from streamer.sources.frame_order import Ordered
    from streamer.sources.frame_places import Scale

MOST_MISSING = 4  # times the lines that the time allows: more, and the counter began anew


@dataclass(frozen=True, slots=True)
class LastFrame:
    """What is remembered of the frame before: nothing that keeps its pixels alive.

    `end_line` is the web line after its last valid one.
    """

    camera: str
    height: int
    valid_lines: int
    line_id: int | None
    captured_ns: int
    end_line: int

    @property
    def filler(self) -> int:
        """Lines of the frame that were not exposed."""
        return self.height - self.valid_lines


@dataclass(frozen=True, slots=True)
class Before:
    """What a jump is measured from: frame before, encoder and, after a break, what broke."""

    track: Track
    last: LastFrame | None
    broken: FrameBreak | None


@dataclass(frozen=True, slots=True)
class Jump:
    """Web line where a frame starts, the encoder tied to it, and the name of a loss before it.

    The part of the loss before `filler_end` is the filler of the frame before. `restarted`: a
    counter or the encoder was found to have begun anew.
    """

    line: int
    track: Track
    filler_end: int = 0
    reason: GapReason = GapReason.CAMERA_LOSS
    detail: str = ""
    restarted: bool = False


@dataclass(frozen=True, slots=True)
class _Missing:
    """Lines that were exposed and never came; `counter` says so, "" if none does."""

    lines: int
    counter: str


def jump_to(ordered: Ordered, before: Before, scale: Scale, bits: CounterBits) -> Jump:
    """Where on the web the frame starts; without a frame before, at the track's next line."""
    frame, last, track = ordered.frame, before.last, before.track
    if last is None:
        return Jump(track.next_line, tie(frame, track.next_line, track, scale))
    elapsed_lines = scale.lines_in(frame.captured_ns - last.captured_ns)
    missing = _missing(ordered, last, bits)
    broke = before.broken is not None
    unlikely = missing.lines > MOST_MISSING * elapsed_lines + len(frame.pixels) + last.filler
    anew = ordered.anew or broke or unlikely
    way = way_to(frame, track, scale, 0 if anew else missing.lines)
    if way is not None and is_plausible(way, elapsed_lines, len(frame.pixels), seen=not anew):
        line = track.next_line + (0 if abs(way.lines) < SLACK_LINES else round(way.lines))
        reason, detail = _cause(missing, last, anew=anew)
        jump = Jump(line, replace(track, count=way.count), 0, reason, detail)
    else:
        passed = max(1, round(elapsed_lines) - frame.valid_lines)
        line = track.next_line + (passed if anew else missing.lines)
        detail = "by elapsed time" if anew else f"by {missing.counter or 'the height of frames'}"
        jump = Jump(line, tie(frame, line, track, scale), detail=detail)
        jump = replace(jump, restarted=way is not None and not broke)
    jump = replace(jump, filler_end=last.end_line + last.filler if last.filler else 0)
    return jump if before.broken is None else _after_break(jump, before.broken)


def losses(jump: Jump, first_line: int, captured_ns: int, camera: str) -> tuple[LineLoss, ...]:
    """The web from `first_line` to where the jump ends, named; empty if there is none."""
    middle = min(max(first_line, jump.filler_end), jump.line)
    pieces = (
        (first_line, middle, GapReason.PARTIAL_FRAME, "filler of a partial frame"),
        (max(first_line, middle), jump.line, jump.reason, jump.detail),
    )
    return tuple(
        LineLoss(camera, first, end - first, reason, captured_ns, f"{end - first} lines {detail}")
        for first, end, reason, detail in pieces
        if end > first
    )


def end_of_stream(before: Before, scale: Scale) -> Jump:
    """The web behind the last frame that is known to have passed: filler, or a break's time."""
    last = before.last
    if last is None:
        return Jump(before.track.next_line, before.track)
    jump = Jump(last.end_line + last.filler, before.track, last.end_line + last.filler)
    if before.broken is None:
        return jump
    passed = round(scale.lines_in(before.broken.captured_ns - last.captured_ns))
    line = max(jump.line, last.end_line + passed)
    return _after_break(replace(jump, line=line, detail="by elapsed time"), before.broken)


def _missing(ordered: Ordered, last: LastFrame, bits: CounterBits) -> _Missing:
    """Without any counter the filler of the frame before is all that is known."""
    frame, span = ordered.frame, 1 << bits.line
    if ordered.anew:
        return _Missing(0, "")
    by_frames = ordered.missing is not None and frame.frame_id is not None
    near = (ordered.missing or 0) * last.height + last.filler
    if frame.line_id is not None and last.line_id is not None:
        raw = frame.line_id - last.line_id - last.valid_lines
        lines = unwrap(raw, near if by_frames else span // 2, bits.line)
        return _Missing(max(0, lines), "line counter")
    return _Missing(near if by_frames else last.filler, "frame counter" if by_frames else "")


def _cause(missing: _Missing, last: LastFrame, *, anew: bool) -> tuple[GapReason, str]:
    """Name of the loss that the encoder measures."""
    if anew:
        return GapReason.CAMERA_LOSS, "by encoder, counters began anew"
    if not missing.counter:
        return GapReason.CAMERA_LOSS, "by encoder"
    if missing.lines > last.filler:
        return GapReason.CAMERA_LOSS, f"by encoder, {missing.lines} by {missing.counter}"
    return GapReason.OVERSPEED, "by encoder, none missing by counter"


def _after_break(jump: Jump, broken: FrameBreak) -> Jump:
    detail = f"{jump.detail}; {broken.detail}" if broken.detail else jump.detail
    return replace(jump, reason=broken.reason, detail=detail)
