"""Puts frames back in the order of their counter; pure; knows neither encoder nor web."""

# The rules, where a frame has a counter (frame_id, else line_id); without one frames pass as they
# come, but none that was captured no later than one before it:
# - A frame that was taken already is dropped (duplicate), one whose place was given up too (late).
# - A frame ahead of its turn waits for the missing ones, until more than `max_frames` wait or the
#   newest was captured `max_ns` after the oldest that waits; then the missing ones are given up.
# - More than `max_frames` frames in a row that count on from an older number, each captured later
#   than all before: the counter began anew without the source's noticing. A single one is a stale
#   frame sent again, which is never taken.

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from streamer.sources.frame import CounterBits
from streamer.sources.frame_counters import LineCounts, unwrap

if TYPE_CHECKING:
    from streamer.sources.frame import Frame

REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class OrderRules:
    """`max_frames` that wait at most, for `max_ns` of the frames' own time; width of counters."""

    max_frames: int = 4
    max_ns: int = 500_000_000
    bits: CounterBits = CounterBits()


@dataclass(frozen=True, slots=True)
class Ordered:
    """A frame in its turn.

    `missing` frames (by frame_id) or lines (by line_id alone) were given up before it; None:
    nothing counts. `anew`: its counters say nothing of the frames before.
    """

    frame: Frame
    missing: int | None = None
    anew: bool = False


@dataclass(frozen=True, slots=True)
class _Numbered:
    number: int
    frame: Frame


@dataclass(frozen=True, slots=True)
class OrderState:
    """Frames that wait, in order, and what the next number should be (None: any).

    `by_frames`: numbers are of frames, not of lines.
    """

    rules: OrderRules = OrderRules()
    expected: int | None = None
    by_frames: bool = True
    slack: int = 0
    newest_ns: int = 0
    held: tuple[_Numbered, ...] = ()
    taken: tuple[int, ...] = ()
    older: tuple[Frame, ...] = ()
    counts: LineCounts = field(default_factory=LineCounts)


OrderStep = tuple[OrderState, tuple[Ordered, ...]]


def put_in_order(state: OrderState, frame: Frame) -> OrderStep:
    """Take the next frame that came; returns those whose turn it is now."""
    state = replace(state, counts=state.counts.plus(frames=1))
    key = _key(frame)
    if key is None:
        state, due = give_up_missing(state)
        return _pass_uncounted(state, frame, due)
    if state.expected is None:
        return _start(state, frame, key)
    number = unwrap(key, state.expected, _bits(state.rules, frame))
    if number < state.expected or any(number == one.number for one in state.held):
        return _take_old(state, frame, number)
    late = bool(state.held) and number < state.held[-1].number
    held = tuple(sorted((*state.held, _Numbered(number, frame)), key=lambda one: one.number))
    state = replace(
        state,
        held=held,
        older=(),
        newest_ns=max(state.newest_ns, frame.captured_ns),
        counts=state.counts.plus(reordered_frames=int(late)),
    )
    return _release(state, everything=False)


def give_up_missing(state: OrderState) -> OrderStep:
    """All frames that wait, in order: what is missing between them will not be waited for."""
    return _release(state, everything=True)


def begin_anew(state: OrderState) -> OrderState:
    """Forget what the counters said; to be called once nothing waits."""
    return replace(state, expected=None, slack=0, taken=(), older=())


def _key(frame: Frame) -> int | None:
    return frame.frame_id if frame.frame_id is not None else frame.line_id


def _bits(rules: OrderRules, frame: Frame) -> int:
    return rules.bits.frame if frame.frame_id is not None else rules.bits.line


def _start(state: OrderState, frame: Frame, key: int) -> OrderStep:
    newest_ns = max(state.newest_ns, frame.captured_ns)
    state = _after(replace(state, newest_ns=newest_ns), _Numbered(key, frame))
    return state, (Ordered(frame, anew=True),)


def _pass_uncounted(state: OrderState, frame: Frame, due: tuple[Ordered, ...]) -> OrderStep:
    """Nothing says what a frame without a counter follows; it is taken as the next one."""
    if frame.captured_ns <= state.newest_ns:
        return replace(state, counts=state.counts.plus(late_frames=1)), due
    state = replace(state, newest_ns=frame.captured_ns)
    if state.expected is not None:
        state = _after(state, _Numbered(state.expected, frame))
    return state, (*due, Ordered(frame))


def _after(state: OrderState, last: _Numbered) -> OrderState:
    """`last` was taken: the next one is expected where it ends, or after its filler."""
    frame = last.frame
    by_frames = state.by_frames if _key(frame) is None else frame.frame_id is not None
    return replace(
        state,
        by_frames=by_frames,
        expected=last.number + (1 if by_frames else frame.valid_lines),
        slack=0 if by_frames else len(frame.pixels) - frame.valid_lines,
        taken=(*state.taken, last.number)[-REMEMBERED:],
        older=(),
    )


def _take_old(state: OrderState, frame: Frame, number: int) -> OrderStep:
    """Drop a frame that was taken or given up, unless the counter has begun anew."""
    known = number in state.taken or any(number == one.number for one in state.held)
    dropped = {"duplicate_frames" if known else "late_frames": 1}
    state = replace(state, counts=state.counts.plus(**dropped))
    if frame.captured_ns <= max(state.newest_ns, *(one.captured_ns for one in state.older), 0):
        return replace(state, older=()), ()
    follows = not state.older or _follows(state, state.older[-1], frame)
    older = (*state.older, frame) if follows else (frame,)
    if len(older) <= state.rules.max_frames:
        return replace(state, older=older), ()
    state, due = give_up_missing(replace(state, counts=state.counts.plus(restarts=1)))
    state, first = _start(begin_anew(state), frame, _key(frame) or 0)
    return state, (*due, *first)


def _follows(state: OrderState, before: Frame, frame: Frame) -> bool:
    step = 1 if frame.frame_id is not None else before.valid_lines
    expected = (_key(before) or 0) + step
    return ((_key(frame) or 0) - expected) % (1 << _bits(state.rules, frame)) == 0


def _release(state: OrderState, *, everything: bool) -> OrderStep:
    due: list[Ordered] = []
    while state.held and (everything or _is_due(state)):
        first, rest = state.held[0], state.held[1:]
        missing = first.number - (state.expected or 0)
        due.append(Ordered(first.frame, missing))
        state = _after(replace(state, held=rest), first)
    return state, tuple(due)


def _is_due(state: OrderState) -> bool:
    """Whether the first that waits is next, or has waited long enough."""
    first, rules = state.held[0], state.rules
    if first.number <= (state.expected or 0) + state.slack:
        return True
    waited_ns = state.newest_ns - first.frame.captured_ns
    return len(state.held) > rules.max_frames or waited_ns > rules.max_ns
