"""Where on the web each line of a frame was seen, by the encoder if there is one; pure."""

# The rules, where the encoder is configured (`counts_per_line`) and the frame has its counts:
# - A frame starts where its first count says, to the line; three quarters of a line count as none,
#   since counts are whole numbers and a line need not be.
# - With a count for every line (`encoder_lines`) each line has its own place.
# - With counts of the first and last line alone: one line's counts per line: line by line; no
#   advance at all: every line shows the same place; going back: nothing in it is new web that a
#   later frame will not show; anything else (overspeed, stop or turn within the frame): the place
#   of a single line cannot be told, only the stretch of web that the frame saw.
# - A count farther away than the web can have moved since the last frame says that the encoder
#   began anew; then it tells distances from here on.

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from streamer.sources.frame_counters import unwrap, unwrap_lines

if TYPE_CHECKING:
    import numpy.typing as npt

    from streamer.sources.frame import Frame

SLACK_LINES = 0.75
MOST_SPEED = 16  # times the configured speed: no web is faster
MOST_SPEED_UNSEEN = 2  # over a break, where nothing but the distance speaks for the encoder
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Scale:
    """What a line is: encoder counts (negative: it counts down; None: no encoder) and lines/s."""

    counts_per_line: float | None
    encoder_bits: int
    line_rate_hz: float

    def lines_in(self, elapsed_ns: int) -> float:
        """Lines that pass in a time at the configured speed."""
        return max(0, elapsed_ns) / _NS_PER_S * self.line_rate_hz


@dataclass(frozen=True, slots=True)
class Track:
    """Where the camera is: the web line that comes next if the web runs on line by line.

    `count` is the unwrapped encoder at the last line seen, `origin` the count at web line 0.
    """

    next_line: int
    count: int | None = None
    origin: float | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """The stretch of web that a frame saw, from web line `first` to `last`, the first and last one.

    `lines` is (valid_lines,) int64, the web line of each; None: cannot be told. `track` is for the
    next frame, `counts` the unwrapped encoder at the first and last line.
    """

    first: int
    last: int
    lines: npt.NDArray[np.int64] | None
    track: Track
    counts: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How far the encoder went since the last frame: web lines beyond the expected, and count."""

    lines: float
    count: int


def way_to(frame: Frame, track: Track, scale: Scale, near_lines: int) -> Way | None:
    """What the encoder says of the way to `frame`'s first line; None: it says nothing.

    `near_lines` is about how far the web should have come: 16-bit encoders wrap on long ways.
    """
    raw, per_line = _first_count(frame), scale.counts_per_line
    if per_line is None or raw is None or track.count is None or track.origin is None:
        return None
    count = unwrap(raw, track.count + round(near_lines * per_line), scale.encoder_bits)
    return Way((count - track.origin) / per_line - track.next_line, count)


def is_plausible(way: Way, expected_lines: float, frame_lines: int, *, seen: bool) -> bool:
    """Whether the web can have gone that way; unseen (over a break) only forwards."""
    if seen:
        return abs(way.lines) <= MOST_SPEED * expected_lines + frame_lines
    return -1 < way.lines <= MOST_SPEED_UNSEEN * expected_lines + frame_lines


def tie(frame: Frame, first: int, track: Track, scale: Scale) -> Track:
    """Let the encoder count from here: `frame`'s first line is web line `first`."""
    raw, per_line = _first_count(frame), scale.counts_per_line
    if raw is None or per_line is None:
        return replace(track, next_line=first)
    return Track(first, raw, raw - first * per_line)


def place(frame: Frame, first: int, track: Track, scale: Scale) -> Places:
    """Places of the lines of `frame`, whose first is web line `first`.

    `track.count` is the encoder at that line, if the frame has it.
    """
    valid = frame.valid_lines
    if _first_count(frame) is None or track.count is None or scale.counts_per_line is None:
        lines = np.arange(first, first + valid, dtype=np.int64)
        return Places(first, first + valid - 1, lines, replace(track, next_line=first + valid))
    if frame.encoder_lines is not None:
        return _by_line(frame.encoder_lines, first, track, scale)
    return _by_ends(frame, first, track, scale)


def _first_count(frame: Frame) -> int | None:
    if frame.valid_lines == 0:
        return None
    if frame.encoder_lines is not None:
        return int(frame.encoder_lines[0])
    return frame.encoder_first


def _by_line(raw: npt.NDArray[np.int64], first: int, track: Track, scale: Scale) -> Places:
    start, per_line = track.count or 0, scale.counts_per_line or 1.0
    counts = unwrap_lines(raw, start, scale.encoder_bits)
    lines = np.rint((counts - (track.origin or 0.0)) / per_line).astype(np.int64)
    lines += first - lines[0]
    return _placed(lines, track, (start, int(counts[-1])))


def _by_ends(frame: Frame, first: int, track: Track, scale: Scale) -> Places:
    """See the rules above for what two counts tell of the lines between them."""
    start, per_line, steps = track.count or 0, scale.counts_per_line or 1.0, frame.valid_lines - 1
    even = np.arange(first, first + steps + 1, dtype=np.int64)
    if frame.encoder_last is None or steps == 0:
        return _placed(even, track, (start, start + round(steps * per_line)))
    last = unwrap(frame.encoder_last, start + round(steps * per_line / 2), scale.encoder_bits)
    advance = (last - start) / per_line
    if abs(advance - steps) < SLACK_LINES:
        return _placed(even, track, (start, last))
    end = first if abs(advance) < SLACK_LINES else first + round(advance)
    if end <= first:
        # Standing, or on its way back over what was seen; the line where it turns shows again.
        return _placed(np.linspace(first, end, steps + 1).astype(np.int64), track, (start, last))
    after = replace(track, next_line=end + 1, count=last)
    return Places(first, end, None, after, (start, last))


def _placed(lines: npt.NDArray[np.int64], track: Track, counts: tuple[int, int]) -> Places:
    first, last = int(lines[0]), int(lines[-1])
    return Places(first, last, lines, replace(track, next_line=last + 1, count=counts[1]), counts)
