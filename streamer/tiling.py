"""Cuts lines into tiles with halo; pure: state in, state out; knows no source and no transport."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TypeAlias

import numpy as np

from streamer.message import (
    Gap,
    GapReason,
    Halo,
    Interval,
    LineBlock,
    LineFlag,
    LineLoss,
    PixelArray,
    Tile,
    require,
)
from streamer.protocol import LedgerRow
from streamer.web import covered, intersect_intervals, merge_intervals

WANDER = 32  # columns by which a mask moves without another web beginning

# (shape, dtype) -> memory of any content that a tile is cut into and that is then its own.
Allocate: TypeAlias = Callable[[tuple[int, ...], np.dtype], np.ndarray]


@dataclass(frozen=True, slots=True)
class TileGrid:
    """How a web of `columns` pixels is cut; all figures in pixels.

    `tile_lines` and `tile_columns` (core), `halo` must be multiples of `alignment`: the total
    stride of the backbone times the window stride of the score, so that every tile sees the grid
    of the whole web. A piece shorter or narrower than `smallest` cannot be scored. `stride` is the
    backbone's: pixels are extended to a multiple of it at the web's right edge and a piece's end.
    """

    columns: int
    tile_lines: int
    tile_columns: int
    halo: int
    stride: int
    alignment: int
    smallest: int

    def __post_init__(self) -> None:
        for name in ("tile_lines", "tile_columns", "halo"):
            size = getattr(self, name)
            rule = f"{name} must be a multiple of {self.alignment} (stride times window stride)"
            require(size % self.alignment == 0, rule, size)
        require(min(self.tile_lines, self.tile_columns) > 0, "tile core must not be empty", self)
        require(self.alignment % self.stride == 0, "alignment must hold whole strides", self)
        # Then only a piece can be too short, never the last row of a long one.
        require(self.halo >= self.smallest, f"halo must be >= {self.smallest}", self.halo)
        rule = f"web must be at least {self.smallest} columns wide"
        require(self.columns >= self.smallest, rule, self.columns)

    @property
    def lanes(self) -> tuple[Interval, ...]:
        """Core columns of each lane, left to right.

        The last one may be narrower; a rest narrower than `smallest` could never learn a profile
        of its own and widens its neighbour.
        """
        return _lanes_of(self.columns, self.tile_columns, self.smallest)

    @property
    def halo_share(self) -> float:
        """Share of halo in the pixels of an inner tile, 0..1."""
        lines = self.tile_lines + 2 * self.halo
        widths = [self._lane_width(lane) for lane in self.lanes]
        mean_width = sum(widths) / len(widths)
        mean_core = self.tile_lines * self.columns / len(widths)
        return 1 - mean_core / (lines * mean_width)

    def _lane_width(self, lane: Interval) -> int:
        return min(lane.end + self.halo, self.columns) - max(lane.first - self.halo, 0)


@cache
def _lanes_of(columns: int, tile_columns: int, smallest: int) -> tuple[Interval, ...]:
    firsts = list(range(0, columns, tile_columns))
    if len(firsts) > 1 and columns - firsts[-1] < smallest:
        firsts.pop()
    ends = (*firsts[1:], columns)
    return tuple(Interval(first, end) for first, end in zip(firsts, ends, strict=True))


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose tiles these are."""

    roll: str
    camera: str
    config_digest: str


@dataclass(frozen=True, slots=True)
class TilingState:
    """Lines that wait for their tile row; `piece_first` is where the present piece starts.

    `blocks` are consecutive and end at `next_line`; `cut_line` is the first line not yet in a row.
    `allocate` gives the memory of each tile's pixels.
    """

    origin: Origin
    grid: TileGrid
    sequence: int = 0
    cut_line: int = 0
    next_line: int = 0
    piece_first: int = 0
    blocks: tuple[LineBlock, ...] = field(default=())
    allocate: Allocate = np.empty


@dataclass(frozen=True, slots=True)
class TileRow:
    """What capture tells the sink about a row, and the tiles and gaps that settle its lanes."""

    ledger: LedgerRow
    tiles: tuple[Tile, ...]
    gaps: tuple[Gap, ...]


Step = tuple[TilingState, tuple[TileRow, ...]]


def start_tiling(origin: Origin, grid: TileGrid, line: int = 0, sequence: int = 0) -> TilingState:
    """State before the first line; `line` and `sequence` are not 0 when a roll is resumed."""
    return TilingState(origin, grid, sequence, line, line, line)


def cut(state: TilingState, piece: LineBlock | LineLoss) -> Step:
    """Take the next lines (or their loss) and return the tile rows that are complete.

    A jump of the line number, a seam, a loss, a large change of the masked columns and the filler
    of a partial block end a piece: what lies beyond is no neighbour, and nothing is scored across
    it. Where edges wander, masks change by a few columns: then a row is masked where any line that
    its tiles hold is, so that no line shows what is off the web.

    Raises:
        ValueError: lines overlap those already taken, or the width differs from the grid's.
    """
    rule = f"lines must continue at {state.next_line} or later"
    require(piece.first_line >= state.next_line, rule, piece.first_line)
    if isinstance(piece, LineLoss):
        return _lose(state, Interval(piece.first_line, piece.first_line + piece.line_count), piece)
    require(
        piece.columns == state.grid.columns,
        f"block must have {state.grid.columns} columns",
        piece.columns,
    )
    state, rows = _skip_to(state, piece)
    state, more = _cut_ready(_append(state, piece))
    rows += more
    if piece.valid_lines < piece.pixels.shape[0]:
        state, more = _lose_filler(state, piece)
        rows += more
    return state, rows


def finish(state: TilingState) -> Step:
    """Cut what is left as the end of a piece."""
    state, rows = _cut_ready(state, ending=True)
    return replace(state, blocks=(), piece_first=state.next_line), rows


def _skip_to(state: TilingState, block: LineBlock) -> Step:
    """End the present piece if `block` does not continue it, naming lines that never came."""
    if block.first_line > state.next_line:
        missing = Interval(state.next_line, block.first_line)
        return _lose(state, missing, _loss(block, missing, GapReason.CAMERA_LOSS))
    differs = bool(state.blocks) and _is_another_web(state.grid, state.blocks[-1], block)
    return finish(state) if differs or block.flags & LineFlag.SEAM else (state, ())


def _is_another_web(grid: TileGrid, before: LineBlock, after: LineBlock) -> bool:
    """Whether the masks at the sides move farther than edges wander, or those within at all."""
    if before.masked == after.masked:
        return False
    old, new = (merge_intervals(block.masked) for block in (before, after))
    webs = _web_columns(grid, old), _web_columns(grid, new)
    moves = abs(webs[0].first - webs[1].first), abs(webs[0].end - webs[1].end)
    inner, inner_new = (
        [mask for mask in masked if web.first < mask.first < web.end]
        for masked, web in zip((old, new), webs, strict=True)
    )
    return max(moves) > WANDER or inner != inner_new


def _lose_filler(state: TilingState, block: LineBlock) -> Step:
    first = block.first_line + block.valid_lines
    filler = Interval(first, block.first_line + block.pixels.shape[0])
    return _lose(state, filler, _loss(block, filler, GapReason.PARTIAL_FRAME))


def _loss(block: LineBlock, lines: Interval, reason: GapReason) -> LineLoss:
    return LineLoss(block.camera, lines.first, lines.size, reason, block.captured_ns)


def _lose(state: TilingState, lines: Interval, loss: LineLoss) -> Step:
    state, rows = finish(state)
    if lines.first > state.next_line:
        skipped = Interval(state.next_line, lines.first)
        unnamed = replace(loss, reason=GapReason.CAMERA_LOSS, detail="")
        rows += (_gap_row(state, skipped, unnamed),)
        state = _after(state, skipped)
    return _after(state, lines), (*rows, _gap_row(state, lines, loss))


def _after(state: TilingState, lines: Interval) -> TilingState:
    end = lines.end
    return replace(state, sequence=state.sequence + 1, cut_line=end, next_line=end, piece_first=end)


def _gap_row(state: TilingState, lines: Interval, loss: LineLoss) -> TileRow:
    ledger = _ledger_row(state, lines, (), loss.captured_ns)
    lanes = range(len(state.grid.lanes))
    gaps = tuple(_gap(ledger, lane, loss.reason, loss.detail) for lane in lanes)
    return TileRow(replace(ledger, starts_piece=True), (), gaps)


def _gap(row: LedgerRow, lane: int, reason: GapReason, detail: str = "") -> Gap:
    return Gap(
        row.roll, row.camera, lane, row.sequence, 1, row.first_line, row.line_count, reason, detail
    )


def _append(state: TilingState, block: LineBlock) -> TilingState:
    if block.valid_lines == 0:
        return state
    end = block.first_line + block.valid_lines
    kept = replace(block, pixels=block.pixels[: block.valid_lines])
    return replace(state, blocks=(*state.blocks, kept), next_line=end)


def _cut_ready(state: TilingState, *, ending: bool = False) -> Step:
    rows: list[TileRow] = []
    while lines := _next_core(state, ending=ending):
        rows.append(_cut_row(state, lines, ending=ending and lines.end == state.next_line))
        state = _forget(replace(state, sequence=state.sequence + 1, cut_line=lines.end))
    return state, tuple(rows)


def _next_core(state: TilingState, *, ending: bool) -> Interval | None:
    """Core lines of the next row, or None while its lower halo is incomplete.

    What is left at the end of a piece, however short, is a row of its own.
    """
    left = state.next_line - state.cut_line
    core, halo = state.grid.tile_lines, state.grid.halo
    if left >= core + halo or (ending and left >= core):
        return Interval(state.cut_line, state.cut_line + core)
    return Interval(state.cut_line, state.next_line) if ending and left else None


def _forget(state: TilingState) -> TilingState:
    """Drop blocks that no later halo reaches."""
    needed = state.cut_line - state.grid.halo
    kept = tuple(b for b in state.blocks if b.first_line + b.valid_lines > needed)
    return replace(state, blocks=kept)


def _cut_row(state: TilingState, lines: Interval, *, ending: bool) -> TileRow:
    grid = state.grid
    # A piece's own first and last lines have no halo: there the backbone pads as for the whole web.
    reach = Interval(
        max(lines.first - grid.halo, state.piece_first),
        min(lines.end + grid.halo, state.next_line),
    )
    masked = _masked_within(state.blocks, reach)
    exposed = next(b for b in state.blocks if b.first_line + b.valid_lines >= lines.end)
    row = _ledger_row(state, lines, masked, exposed.captured_ns)
    web = _web_columns(grid, masked)
    lanes = [n for n, c in enumerate(grid.lanes) if _hidden(masked, c) < c.size]
    if min(reach.size, web.size) < grid.smallest:
        size = f"{reach.size} lines x {web.size} columns, smallest {grid.smallest}"
        gaps = tuple(_gap(row, lane, GapReason.TOO_SHORT, size) for lane in lanes)
        return TileRow(row, (), gaps)
    tiles = tuple(_cut_tile(state, row, lane, _Reach(reach, web)) for lane in lanes)
    return TileRow(row, tiles, ())


def _hidden(masked: tuple[Interval, ...], columns: Interval) -> int:
    """How many of the columns are masked."""
    return covered(intersect_intervals(masked, columns))


def _masked_within(blocks: tuple[LineBlock, ...], lines: Interval) -> tuple[Interval, ...]:
    """Columns that are masked in any of the lines."""
    inside = (b for b in blocks if b.first_line < lines.end)
    reached = (b for b in inside if b.first_line + b.valid_lines > lines.first)
    return merge_intervals(interval for block in reached for interval in block.masked)


@dataclass(frozen=True, slots=True)
class _Reach:
    """The pixels a tile may use: lines of core and halo, and the columns that hold web."""

    lines: Interval
    web: Interval


def _web_columns(grid: TileGrid, masked: tuple[Interval, ...]) -> Interval:
    """The columns between a mask at the left edge and one at the right edge."""
    first = masked[0].end if masked and masked[0].first == 0 else 0
    end = masked[-1].first if masked and masked[-1].end >= grid.columns else grid.columns
    return Interval(first, max(first, end))


def _ledger_row(
    state: TilingState, lines: Interval, masked: tuple[Interval, ...], captured_ns: int
) -> LedgerRow:
    origin, starts = state.origin, lines.first == state.piece_first
    return LedgerRow(
        origin.roll,
        origin.camera,
        state.sequence,
        lines.first,
        lines.size,
        starts,
        state.grid.lanes,
        masked,
        captured_ns,
    )


def _cut_tile(state: TilingState, row: LedgerRow, lane: int, reach: _Reach) -> Tile:
    grid, origin, columns = state.grid, state.origin, state.grid.lanes[lane]
    # The grid of the whole web starts at column 0, so a left mask is cut at a grid line before it.
    left = reach.web.first - reach.web.first % grid.alignment
    core = Interval(max(columns.first, left), min(columns.end, reach.web.end))
    across = Interval(max(core.first - grid.halo, left), min(core.end + grid.halo, reach.web.end))
    lines_end = row.first_line + row.line_count
    halo = Halo(
        row.first_line - reach.lines.first,
        reach.lines.end - lines_end,
        core.first - across.first,
        across.end - core.end,
    )
    pixels = _copy_pixels(state, reach.lines, across)
    _mirror_left(pixels, reach.web.first - across.first)
    return Tile(
        origin.roll,
        origin.camera,
        lane,
        row.sequence,
        row.first_line,
        row.line_count,
        core.first,
        core.size,
        halo,
        pixels,
        row.captured_ns,
        origin.config_digest,
        intersect_intervals(row.masked, core),
    )


def _copy_pixels(state: TilingState, lines: Interval, columns: Interval) -> PixelArray:
    """The only copy of pixels in capture, corrected on the way if that is still due.

    The last lines and columns are mirrored up to a stride.
    """
    blocks, stride = state.blocks, state.grid.stride
    height, width = -(-lines.size // stride) * stride, -(-columns.size // stride) * stride
    first = blocks[0].pixels
    pixels = state.allocate((height, width, *first.shape[2:]), first.dtype)
    for block in blocks:
        begin = max(block.first_line, lines.first)
        end = min(block.first_line + block.valid_lines, lines.end)
        if begin < end:
            target = pixels[begin - lines.first : end - lines.first, : columns.size]
            source = slice(begin - block.first_line, end - block.first_line)
            block.copy_into(target, source, columns.first)
    _mirror_end(pixels[: lines.size].swapaxes(0, 1), columns.size)
    _mirror_end(pixels, lines.size)
    return pixels


def _mirror_end(pixels: PixelArray, size: int) -> None:
    """Fill what lies behind the first `size` lines by their mirror image.

    Repeats of the last line would be a texture of their own, and score as one.
    """
    rest = len(pixels) - size
    if rest > 0:
        pixels[size:] = pixels[size - rest : size][::-1]


def _mirror_left(pixels: PixelArray, masked_columns: int) -> None:
    """Overwrite the few masked columns before a left edge off the grid by the web mirrored."""
    if masked_columns > 0:
        pixels[:, :masked_columns] = pixels[:, masked_columns : 2 * masked_columns][:, ::-1]
