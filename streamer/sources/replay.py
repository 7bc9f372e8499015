"""Replays recorded webs as a line source: pieces become blocks, damage a loss; knows no decoder."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streamer.message import GapReason, Interval, LineBlock, LineFlag, LineLoss
from streamer.sources.line_buffer import require_fits
from streamer.sources.pieces import CorruptPieceError, printable

if TYPE_CHECKING:
    from streamer import config
    from streamer.message import PixelArray
    from streamer.ports import LineSource, WebFormat
    from streamer.sources.pieces import Piece, PieceFeed

VIDEO_EXTENSIONS = (".avi", ".mkv", ".mov", ".mp4", ".m4v", ".webm", ".mpg", ".mpeg", ".wmv")
_log = logging.getLogger(__name__)


def open_replay(settings: config.ReplaySource, web: config.Web, first_line: int = 0) -> LineSource:
    """Open what `settings.path` names: a recording, images, a .npy array or a video.

    Lines before `first_line` are skipped without being decoded where the format allows it.

    Raises:
        FileNotFoundError: there is nothing.
        ValueError: what is there cannot be replayed as configured; the text names the file.
    """
    path = settings.path
    if not path.exists():
        msg = f"source.path must exist, got {path}"
        raise FileNotFoundError(msg)
    if (path / "recording.json").is_file():
        from streamer.sources.recorded_web import open_recorded

        return open_recorded(settings, web, first_line)
    return ReplayedPieces(_open_feed(settings), settings, first_line)


def _open_feed(settings: config.ReplaySource) -> PieceFeed:
    from streamer.sources import images, raw_array, video

    suffix = settings.path.suffix.lower()
    if settings.path.is_dir() or suffix in images.EXTENSIONS:
        return images.open_images(settings)
    if suffix == ".npy":
        return raw_array.open_array(settings)
    if suffix in VIDEO_EXTENSIONS:
        return video.open_video(settings)
    known = " ".join((*images.EXTENSIONS, ".npy", *VIDEO_EXTENSIONS))
    msg = f"source.path must be a folder or a file of {known}, got {settings.path}"
    raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A piece that is being delivered: `taken` of its lines are gone."""

    pixels: PixelArray
    taken: int
    starts_piece: bool

    @property
    def left(self) -> int:
        return len(self.pixels) - self.taken

    @property
    def columns(self) -> int:
        return int(self.pixels.shape[1])


class ReplayedPieces:
    """Delivers the pieces of a feed, joined down-web, as a LineSource.

    `captured_ns` is the time of the replay, so that latencies measured behind it are real.
    """

    def __init__(self, feed: PieceFeed, settings: config.ReplaySource, first_line: int = 0) -> None:
        self._feed = feed
        self._format = replace(feed.format, description=printable(feed.format.description))
        self._camera = settings.camera
        self._seams = settings.seams
        self._line = first_line
        self._skip = first_line
        self._after_loss = False
        self._hand: _Decoded | LineLoss | None = None

    @property
    def format(self) -> WebFormat:
        """Width of the widest piece, channels and bits of all."""
        return self._format

    @property
    def truth(self) -> bytes:
        """Images and videos carry no ground truth."""
        return b""

    def close(self) -> None:
        """Release the file; may be called twice."""
        self._feed.close()

    def read_into(self, buffer: PixelArray) -> LineBlock | LineLoss | None:
        """Next lines, up to the length of `buffer`; a damaged file is a LineLoss of its size.

        A block ends where the next piece is a seam or has another width. The encoder is taken to
        count lines.
        """
        require_fits(buffer, self.format)
        hand = self._next_in_hand()
        if hand is None:
            return None
        if isinstance(hand, LineLoss):
            self._hand = None
            self._line = hand.first_line + hand.line_count
            return hand
        return self._fill(buffer, hand)

    def _fill(self, buffer: PixelArray, hand: _Decoded) -> LineBlock:
        first_line, captured_ns, filled = self._line, time.time_ns(), 0
        following: _Decoded | LineLoss | None = hand
        while isinstance(following, _Decoded) and filled < len(buffer):
            if filled and (following.starts_piece or following.columns != hand.columns):
                break
            filled += self._take(buffer[filled:], following)
            following = self._next_in_hand()
        flags = LineFlag.SEAM if hand.starts_piece else LineFlag.NONE
        return LineBlock(
            self._camera,
            first_line,
            buffer[:filled],
            filled,
            captured_ns,
            flags,
            _padding(hand.columns, self.format.columns),
            encoder_first=first_line,
            encoder_last=first_line + filled - 1,
        )

    def _take(self, room: PixelArray, hand: _Decoded) -> int:
        """Move lines from the piece in hand to the front of `room`; how many they were."""
        count = min(len(room), hand.left)
        room[:count, : hand.columns] = hand.pixels[hand.taken : hand.taken + count]
        # The edge repeats into the padding: masked, but within the reach of the last real columns.
        room[:count, hand.columns :] = room[:count, hand.columns - 1 : hand.columns]
        self._line += count
        rest = replace(hand, taken=hand.taken + count, starts_piece=False)
        self._hand = rest if rest.left else None
        return count

    def _next_in_hand(self) -> _Decoded | LineLoss | None:
        """What comes next; stays in hand until it is used up."""
        if self._hand is None:
            piece = self._next_piece()
            self._hand = None if piece is None else self._decode(piece)
        return self._hand

    def _next_piece(self) -> Piece | None:
        for piece in self._feed.pieces:
            if piece.lines > self._skip:
                return piece
            self._skip -= piece.lines
        return None

    def _decode(self, piece: Piece) -> _Decoded | LineLoss:
        skipped, self._skip = self._skip, 0
        try:
            pixels = piece.load()
        except CorruptPieceError as error:
            return self._lose(piece.lines - skipped, str(error))
        starts_piece = skipped == 0 and (self._seams or self._after_loss)
        self._after_loss = False
        return _Decoded(pixels, skipped, starts_piece)

    def _lose(self, line_count: int, detail: str) -> LineLoss:
        _log.warning("%d lines are lost: %s", line_count, detail)
        self._after_loss = True
        reason = GapReason.CORRUPT_INPUT
        now_ns = time.time_ns()
        return LineLoss(self._camera, self._line, line_count, reason, now_ns, printable(detail))


def _padding(columns: int, width: int) -> tuple[Interval, ...]:
    return (Interval(columns, width),) if columns < width else ()
