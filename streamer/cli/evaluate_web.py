"""Images of `linescan evaluate` as one web, read and scored as on the line; knows no truth."""

from __future__ import annotations

from bisect import bisect_right
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from streamer.cli.evaluate_maps import ImageMap, Maps, TimedBackbone, clocks, named_fault
from streamer.compose.geometry import tile_grid, web_geometry
from streamer.config import ReplaySource
from streamer.message import GapReason, LineLoss
from streamer.ports import WebFormat
from streamer.scoring.tile_scorer import ScoringPolicy, TileScorer
from streamer.sources.decode import decode, read_header
from streamer.sources.line_buffer import new_buffer
from streamer.sources.pieces import Piece, PieceFeed
from streamer.sources.replay import ReplayedPieces
from streamer.tiling import Origin, cut, finish, start_tiling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from streamer.config import Config
    from streamer.message import LineBlock, ScoreMap, Tile
    from streamer.ports import Backbone
    from streamer.tiling import TileRow


def score_web(
    paths: Sequence[Path], config: Config, backbone: Backbone, *, normalised: bool
) -> Maps:
    """The images as pieces of one web in this order, read, cut and scored as on the line.

    No tile crosses from one image to the next; narrower images are padded on the right by columns
    that count as no web. Profiles follow `profile.mode`. A lost image becomes a fault.

    Raises:
        ValueError: the web does not fit tiles, backbone or profile.
    """
    pieces, faults = _readable(paths)
    if not pieces:
        return Maps((), tuple(faults))
    source, bounds = _as_source(pieces, config)
    timed = TimedBackbone(backbone)
    geometry = web_geometry(config, source.format.columns)
    scorer = TileScorer(timed, ScoringPolicy.of(config, geometry, backbone.spec, "evaluation"))
    web = _StitchedWeb(pieces, bounds, backbone.spec.stride)
    for found in _cut_rows(source, config):
        if isinstance(found, LineLoss):
            web.lose(found.first_line, found.detail)
        else:
            _score_row(found, scorer, timed, web, normalised=normalised)
    return Maps(web.maps(config.scoring.patch_size), (*faults, *web.faults))


def _score_row(
    row: TileRow, scorer: TileScorer, timed: TimedBackbone, web: _StitchedWeb, *, normalised: bool
) -> None:
    for tile in row.tiles:
        before, started = timed.seconds, clocks()
        score_map = scorer.score(tile).score_map
        spent, embedding = clocks() - started, timed.seconds - before
        web.paste(score_map, _scores(score_map, normalised=normalised))
        web.add_seconds(tile, np.stack([embedding, spent - embedding], axis=1))
    for gap in row.gaps:
        if gap.reason is GapReason.TOO_SHORT:
            web.lose(gap.first_line, f"image must hold a tile, got {gap.detail}")


def _scores(score_map: ScoreMap, *, normalised: bool) -> NDArray[np.float32]:
    if not normalised:
        return score_map.scores
    span = np.float32(score_map.alarm_level - score_map.background)
    return (score_map.scores - np.float32(score_map.background)) / span


def _readable(paths: Sequence[Path]) -> tuple[list[Piece], list[str]]:
    """The images that can be pieces of one web: of the depth and channels of the first."""
    pieces: list[Piece] = []
    faults: list[str] = []
    for path in paths:
        try:
            head = read_header(path)
        except (OSError, ValueError) as error:
            faults.append(named_fault(path, error))
            continue
        load = partial(decode, path, head)
        piece = Piece(str(path), head.lines, head.columns, head.channels, head.bits, load)
        first = pieces[0] if pieces else piece
        if (piece.channels, piece.bits) == (first.channels, first.bits):
            pieces.append(piece)
        else:
            wanted = f"{first.channels} channels of {first.bits} bits as {first.name}"
            faults.append(
                f"{path}: image must have {wanted}, got {piece.channels} of {piece.bits} bits"
            )
    return pieces, faults


def _as_source(pieces: Sequence[Piece], config: Config) -> tuple[ReplayedPieces, list[int]]:
    """A source over the pieces, and the first line of each with the end of the last."""
    columns = max(piece.columns for piece in pieces)
    web = WebFormat(columns, pieces[0].channels, pieces[0].bits, f"{len(pieces)} images")
    settings = ReplaySource(
        path=config.roll.folder, seams=True, width="pad", block_lines=config.source.block_lines
    )
    bounds = [0, *np.cumsum([piece.lines for piece in pieces]).tolist()]
    return ReplayedPieces(PieceFeed(web, iter(pieces), lambda: None), settings), bounds


def _cut_rows(source: ReplayedPieces, config: Config) -> Iterator[TileRow | LineLoss]:
    """Read the source to its end and cut it, as capture does."""
    grid = tile_grid(config, source.format.columns)
    state = start_tiling(Origin("evaluation", config.source.camera, config.digest), grid)
    while (piece := _read(source, config)) is not None:
        state, rows = cut(state, piece)
        if isinstance(piece, LineLoss):
            yield piece
        yield from rows
    yield from finish(state)[1]


def _read(source: ReplayedPieces, config: Config) -> LineBlock | LineLoss | None:
    # A fresh buffer each time: the tiling still refers to the blocks before.
    return source.read_into(new_buffer(source.format, config.source.block_lines))


class _StitchedWeb:
    """Maps of the pieces of a web while its tiles are scored."""

    def __init__(self, pieces: Sequence[Piece], bounds: Sequence[int], stride: int) -> None:
        self._pieces, self._bounds, self._stride = pieces, bounds, stride
        self._maps = [
            np.full((-(-p.lines // stride), -(-p.columns // stride)), np.nan, np.float32)
            for p in pieces
        ]
        self._seconds = np.zeros((len(pieces), 4))
        self._lost: dict[int, str] = {}

    def paste(self, place: ScoreMap, scores: NDArray[np.float32]) -> None:
        """Put the scores of a tile where they belong: a piece starts at a tile's first line."""
        number = self._piece_at(place.first_line)
        row = (place.first_line - self._bounds[number]) // self._stride
        column = place.first_column // self._stride
        target = self._maps[number][row:, column:]
        target = target[: scores.shape[0], : scores.shape[1]]
        target[:] = scores[: target.shape[0], : target.shape[1]]

    def add_seconds(self, tile: Tile, seconds: NDArray[np.float64]) -> None:
        """What a tile took: (passed, computed) x (backbone, scoring)."""
        self._seconds[self._piece_at(tile.first_line)] += seconds.ravel()

    def lose(self, line: int, reason: str) -> None:
        """The piece at `line` could not be read or scored."""
        number = self._piece_at(line)
        path = Path(self._pieces[number].name)
        self._lost.setdefault(number, named_fault(path, ValueError(reason)))

    @property
    def faults(self) -> tuple[str, ...]:
        """Why pieces have no map."""
        return tuple(self._lost.values())

    def maps(self, patch_size: int) -> tuple[ImageMap, ...]:
        """Of all pieces that were scored, in order."""
        return tuple(
            ImageMap(
                piece.name,
                (piece.lines, piece.columns),
                self._maps[number],
                self._stride,
                patch_size,
                *self._seconds[number].tolist(),
            )
            for number, piece in enumerate(self._pieces)
            if number not in self._lost
        )

    def _piece_at(self, line: int) -> int:
        return bisect_right(self._bounds, line) - 1
