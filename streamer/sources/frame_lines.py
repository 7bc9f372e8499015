"""Turns frames into lines of the web and named losses; pure: state in, state out."""

# Order is settled in frame_order.py, the place of each line by the encoder in frame_places.py; here
# both become blocks and losses, by these rules:
# - Lines are delivered once, in order: only web beyond the high-water mark `next_line`. What was
#   seen before (the web rolled back) or stands still is dropped and counted.
# - Web between the mark and the next line delivered is lost, its reason named by what is known:
#   the filler of the frame before (partial_frame); after a break or a new start of the counters
#   the reason of the break; frames or lines that the counters miss (camera_loss); none missing,
#   yet the encoder went on (overspeed: the camera skipped lines).
# - How many lines: by the encoder where it is configured, as it alone follows the web; else by
#   line_id, else by frame_id times the lines of a frame, else (after a break) by the time that
#   passed times the line rate, at least one. The detail says by which.
# - Filler is never delivered. Without any counter it is taken as web that passed. A frame of filler
#   alone has no encoder count of its own: the other counters place it, on a web that runs on.
# - A frame whose lines cannot be placed one by one (see frame_places.py) is lost as a stretch:
#   overspeed when the web ran ahead of the lines, camera_loss when it stopped within the frame.
# - Lines of a frame between two skips are too few to be inspected below SHORTEST_RUN: they are part
#   of the loss.
# - While a break is ongoing, what has passed by time is said to be lost piece by piece. The rest
#   follows when the camera is back; if the way was shorter than what was said, the web goes on
#   behind that, and the difference is counted (overstated_lines): nothing is ever said twice.
# - No frame is delivered again, whatever its counters say after a break: see frame_order.py.

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from streamer.message import GapReason, LineBlock, LineFlag, LineLoss
from streamer.sources.frame import CounterBits, Frame, FrameBreak
from streamer.sources.frame_counters import LineCounts
from streamer.sources.frame_jumps import Before, Jump, LastFrame, end_of_stream, jump_to, losses
from streamer.sources.frame_order import (
    OrderRules,
    OrderState,
    begin_anew,
    give_up_missing,
    put_in_order,
)
from streamer.sources.frame_places import Scale, Track, place, tie
from streamer.sources.live import RESTARTED

if TYPE_CHECKING:
    import numpy.typing as npt

    from streamer.sources.frame_order import Ordered
    from streamer.sources.frame_places import Places

SHORTEST_RUN = 8
_LOST = {
    GapReason.PARTIAL_FRAME: "partial_lines",
    GapReason.OVERSPEED: "overspeed_lines",
}


@dataclass(frozen=True, slots=True)
class LineRules:
    """What the camera and the web are like.

    `line_rate_hz` is lines per second at the configured speed; `counts_per_line` encoder counts per
    line of web (negative: it counts down), None without encoder; up to `max_reorder_frames` wait
    for one that is missing, at most `max_reorder_ms` of the frames' own time. Unless
    `encoder_survives` a break, the encoder counts anew with the camera; if it may, a count that the
    web cannot have reached in the time tells that it did not.
    """

    line_rate_hz: float
    counts_per_line: float | None = None
    bits: CounterBits = CounterBits()
    max_reorder_frames: int = 4
    max_reorder_ms: float = 500.0
    encoder_survives: bool = True

    @property
    def scale(self) -> Scale:
        """What a line is, in encoder counts and time."""
        bits = self.bits.encoder
        return Scale(self.counts_per_line, bits, self.line_rate_hz, self.encoder_survives)

    @property
    def order(self) -> OrderRules:
        """How long frames wait for their turn."""
        wait_ns = round(self.max_reorder_ms * 1_000_000)
        return OrderRules(self.max_reorder_frames, wait_ns, self.bits)


@dataclass(frozen=True, slots=True)
class LineState:
    """`next_line` is the high-water mark: all web before it is delivered or lost.

    The web before `said_line` was said to be lost by time in the break that lasts; 0: none was.
    """

    rules: LineRules
    order: OrderState
    next_line: int
    track: Track
    last: LastFrame | None = None
    broken: FrameBreak | None = None
    tally: LineCounts = field(default_factory=LineCounts)
    said_line: int = 0

    @property
    def counts(self) -> LineCounts:
        """Everything that was counted so far."""
        return self.tally + self.order.counts

    @property
    def waits(self) -> bool:
        """Whether frames wait for one that is missing."""
        return bool(self.order.held)


Lines: TypeAlias = tuple[LineBlock | LineLoss, ...]
LineStep: TypeAlias = tuple[LineState, Lines]


def start_lines(rules: LineRules, first_line: int = 0, since_ns: int = 0) -> LineState:
    """State before the first frame, whose first line will be web line `first_line`.

    With `since_ns` (UTC; not 0) the line before that one was seen then, and the web has run on.
    """
    state = LineState(rules, OrderState(rules.order), first_line, Track(first_line))
    if not since_ns:
        return state
    unseen = FrameBreak("", since_ns, since_ns, detail=RESTARTED, is_ongoing=True)
    return replace(state, broken=unseen, last=_last_before(unseen, first_line))


def take_frame(state: LineState, item: Frame | FrameBreak) -> LineStep:
    """Take what the camera sent next; returns the lines and losses that it settles.

    Blocks are views of the frame's pixels. Rules: see the top of this file.
    """
    if isinstance(item, FrameBreak):
        state, lines = give_up(state)
        since_ns = (state.broken or item).since_ns
        broken = replace(item, since_ns=min(since_ns, item.since_ns))
        tally, order = state.tally.plus(breaks=1), begin_anew(state.order)
        state = replace(state, broken=broken, tally=tally, order=order)
        state, said = _say_lost(state) if item.is_ongoing else (state, ())
        return state, (*lines, *said)
    order, due = put_in_order(state.order, item)
    return _take_all(replace(state, order=order), due)


def give_up(state: LineState) -> LineStep:
    """Nothing came for a while: what frames wait for is lost, and they are taken."""
    order, due = give_up_missing(state.order)
    return _take_all(replace(state, order=order), due)


def finish_lines(state: LineState) -> LineStep:
    """The stream has ended: the frames that wait, and what is known to be lost behind them."""
    state, lines = give_up(state)
    state, lost = _lose_rest(state)
    return state, (*lines, *lost)


def stop_lines(state: LineState, now_ns: int) -> LineStep:
    """As finish_lines, for a reader that stops at `now_ns` (UTC); a break may last until then."""
    broken = state.broken
    if broken is not None and broken.is_ongoing:
        until_ns = max(broken.captured_ns, now_ns)
        state = replace(state, broken=replace(broken, captured_ns=until_ns))
    return finish_lines(state)


def _say_lost(state: LineState) -> LineStep:
    """What has passed by time in a break that lasts; before any frame, since it began."""
    if state.last is None and state.broken is not None:
        state = replace(state, last=_last_before(state.broken, state.track.next_line))
    state, lost = _lose_rest(state)
    return replace(state, said_line=state.next_line if lost else state.said_line), lost


def _lose_rest(state: LineState) -> LineStep:
    if state.last is None:
        return state, ()
    jump = end_of_stream(_before(state), state.rules.scale)
    until_ns = (state.broken or state.last).captured_ns
    lost = losses(jump, state.next_line, until_ns, state.last.camera)
    tally, mark = _told(state.tally, state.next_line, lost)
    return replace(state, tally=tally, next_line=mark), lost


def _last_before(broken: FrameBreak, line: int) -> LastFrame:
    """In place of a frame that nobody remembers: it ended where the break began."""
    return LastFrame(broken.camera, 0, 0, None, broken.since_ns, line)


def _take_all(state: LineState, due: tuple[Ordered, ...]) -> LineStep:
    told: list[LineBlock | LineLoss] = []
    for ordered in due:
        state, lines = _take(state, ordered)
        told += lines
    return state, tuple(told)


def _before(state: LineState) -> Before:
    return Before(state.track, state.last, state.broken)


def _take(state: LineState, ordered: Ordered) -> LineStep:
    frame, rules = ordered.frame, state.rules
    jump = jump_to(ordered, _before(state), rules.scale, rules.bits)
    overstated = max(0, state.said_line - jump.line)
    if overstated:
        track = tie(frame, state.said_line, jump.track, rules.scale)
        jump = replace(jump, line=state.said_line, track=track)
    places = place(frame, jump.line, jump.track, rules.scale)
    last = _remember(frame, places)
    tally = state.tally.plus(partial_frames=int(last.filler > 0), restarts=int(jump.restarted))
    tally = tally.plus(overstated_lines=overstated)
    if places.lines is None:
        lines = _lost_stretch(state, frame, places, jump)
    else:
        fresh = _fresh(places.lines, state.next_line)
        lines = _pieces(state, _Seen(frame, places.lines, fresh), jump)
        standing = int(np.count_nonzero(np.diff(places.lines) == 0))
        again = max(0, frame.valid_lines - len(fresh) - standing)
        tally = tally.plus(standing_lines=standing, seen_again_lines=again)
    tally, mark = _told(tally, state.next_line, lines)
    return LineState(rules, state.order, mark, places.track, last, None, tally), lines


def _remember(frame: Frame, places: Places) -> LastFrame:
    return LastFrame(
        frame.camera,
        len(frame.pixels),
        frame.valid_lines,
        frame.line_id,
        frame.captured_ns,
        places.track.next_line,
    )


def _told(tally: LineCounts, mark: int, lines: Lines) -> tuple[LineCounts, int]:
    """Count what is delivered or lost; the mark behind it."""
    for piece in lines:
        if isinstance(piece, LineBlock):
            name, size = "delivered_lines", piece.valid_lines
        else:
            name, size = _LOST.get(piece.reason, "lost_lines"), piece.line_count
        tally, mark = tally.plus(**{name: size}), piece.first_line + size
    return tally, mark


def _lost_stretch(state: LineState, frame: Frame, places: Places, jump: Jump) -> Lines:
    """All new web up to the end of a frame whose lines cannot be placed."""
    before = losses(jump, state.next_line, frame.captured_ns, frame.camera)
    runs_ahead = places.last - places.first >= frame.valid_lines
    reason = GapReason.OVERSPEED if runs_ahead else GapReason.CAMERA_LOSS
    cause = "web ran ahead of the lines" if runs_ahead else "web stopped or turned"
    first = max(state.next_line, jump.line)
    detail = f"in a frame where the {cause}, by encoder"
    within = Jump(places.last + 1, jump.track, 0, reason, detail)
    return (*before, *losses(within, first, frame.captured_ns, frame.camera))


@dataclass(frozen=True, slots=True)
class _Seen:
    """A frame, the web line of each of its lines, and which of them show new web."""

    frame: Frame
    lines: npt.NDArray[np.int64]
    fresh: npt.NDArray[np.int64]


def _fresh(lines: npt.NDArray[np.int64], mark: int) -> npt.NDArray[np.int64]:
    """Indices of the lines beyond the mark and beyond all lines before them."""
    highest = np.maximum.accumulate(np.concatenate([[mark - 1], lines]))[:-1]
    return np.flatnonzero(lines > highest)


def _pieces(state: LineState, seen: _Seen, jump: Jump) -> Lines:
    """Blocks of the fresh lines and the losses before each."""
    frame, mark = seen.frame, state.next_line
    if frame.valid_lines == 0:
        return losses(jump, mark, frame.captured_ns, frame.camera)
    pieces: list[LineBlock | LineLoss] = []
    for first, end in _runs(seen):
        line = int(seen.lines[first])
        skip = Jump(line, jump.track, 0, GapReason.OVERSPEED, "by encoder, within a frame")
        pieces += losses(jump if first == 0 else skip, mark, frame.captured_ns, frame.camera)
        pieces.append(_block(frame, jump, line, slice(first, end)))
        mark = line + end - first
    return tuple(pieces)


def _runs(seen: _Seen) -> list[tuple[int, int]]:
    """[first, end) indices of fresh lines that follow each other, on the web and in the frame."""
    fresh = seen.fresh
    if len(fresh) == 0:
        return []
    first, last, steps = int(fresh[0]), int(fresh[-1]), len(fresh) - 1
    if last - first == steps == seen.lines[last] - seen.lines[first]:  # nearly always
        return [(first, last + 1)]
    apart = (np.diff(fresh) != 1) | (np.diff(seen.lines[fresh]) != 1)
    runs = np.split(fresh, np.flatnonzero(apart) + 1)
    kept = [runs[0], *(run for run in runs[1:-1] if len(run) >= SHORTEST_RUN)]
    kept += runs[-1:] if len(runs) > 1 else []
    return [(int(run[0]), int(run[-1]) + 1) for run in kept]


def _block(frame: Frame, jump: Jump, line: int, rows: slice) -> LineBlock:
    """A view of some lines of the frame; the encoder of the block is unwrapped."""
    pixels = frame.pixels[rows]
    flags = LineFlag.PARTIAL if frame.valid_lines < len(frame.pixels) else LineFlag.NONE
    return LineBlock(
        frame.camera,
        line,
        pixels,
        len(pixels),
        frame.captured_ns,
        flags,
        (),
        line,
        line + len(pixels) - 1,
    )
