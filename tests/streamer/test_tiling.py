"""Cutting lines into tiles: geometry, seams, losses, and every pixel exactly once."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.message import GapReason, Interval, LineBlock, LineFlag, LineLoss
from streamer.tiling import Origin, TileGrid, cut, finish, start_tiling
from streamer.web import covered

ORIGIN = Origin("roll", "cam0", "digest")


def grid(columns=100, lines=32, lane=48, halo=16, alignment=16, smallest=16):
    return TileGrid(columns, lines, lane, halo, 8, alignment, smallest)


def web(lines, columns=100):
    rows, cols = np.mgrid[0:lines, 0:columns]
    return ((rows * 7 + cols * 3) % 251).astype(np.uint8)


def block(pixels, first_line=0, **fields):
    fields = {"valid_lines": pixels.shape[0], "captured_ns": first_line + 1, **fields}
    return LineBlock("cam0", first_line, pixels, **fields)


def cut_all(pixels, block_lines, tile_grid, seams=(), masked=()):
    """Rows of the whole web, delivered in blocks that end at the seams."""
    state, rows = start_tiling(ORIGIN, tile_grid), []
    line = 0
    while line < len(pixels):
        end = min([line + block_lines, len(pixels), *(s for s in seams if s > line)])
        flags = LineFlag.SEAM if line in seams else LineFlag.NONE
        piece = block(pixels[line:end], line, flags=flags, masked=masked)
        state, more = cut(state, piece)
        rows += more
        line = end
    state, more = finish(state)
    return rows + list(more)


def test_lanes_cover_the_web_once():
    lanes = grid(columns=112, lane=48).lanes
    assert lanes == (Interval(0, 48), Interval(48, 96), Interval(96, 112))


@pytest.mark.parametrize(
    ("columns", "widths"),
    [
        (96, [48, 48]),
        (97, [48, 49]),
        (111, [48, 63]),
        (112, [48, 48, 16]),
        (20, [20]),
        (63, [63]),
    ],
)
def test_a_rest_too_narrow_for_a_profile_widens_its_neighbour(columns, widths):
    lanes = grid(columns=columns, lane=48).lanes
    assert [lane.size for lane in lanes] == widths
    assert lanes[-1].end == columns


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"tile_lines": 24}, "tile_lines must be a multiple of 16"),
        ({"halo": 40}, "halo must be a multiple of 16"),
        ({"halo": 16}, "halo must be >= 24, got 16"),
        ({"columns": 20}, "web must be at least 24 columns wide, got 20"),
    ],
)
def test_grid_refuses_what_does_not_fit(fields, text):
    given_fields = {"columns": 100, "tile_lines": 32, "tile_columns": 48, "halo": 32, **fields}
    with pytest.raises(ValueError, match=text):
        TileGrid(stride=8, alignment=16, smallest=24, **given_fields)


def test_halo_share_counts_only_inner_edges():
    whole = TileGrid(96, 32, 96, 16, 8, 16, 16)
    assert whole.halo_share == pytest.approx(0.5)
    assert grid(columns=96, lane=48).halo_share > 0.5


def test_halo_share_counts_a_widened_lane_in_full():
    # 2 lanes of 48 + 16 and 16 + 52 pixels across, 64 lines high, for 100 x 32 pixels of core.
    assert grid(columns=100, lane=48).halo_share == pytest.approx(1 - 3200 / (64 * 132))


def test_inner_tile_has_its_whole_halo_and_the_right_pixels():
    pixels = web(128)
    rows = cut_all(pixels, 50, grid())
    tile = rows[1].tiles[1]
    assert (tile.first_line, tile.line_count, tile.first_column, tile.column_count) == (
        32,
        32,
        48,
        52,
    )
    assert (tile.halo.top, tile.halo.bottom, tile.halo.left, tile.halo.right) == (16, 16, 16, 0)
    inner = tile.pixels[:64, :68]
    np.testing.assert_array_equal(inner, pixels[16:80, 32:100])


def test_edges_of_the_web_have_no_halo_and_are_mirrored_up_to_a_stride():
    rows = cut_all(web(70), 70, grid())
    first, last = rows[0].tiles[0], rows[-1].tiles[-1]
    assert (first.halo.top, first.halo.left) == (0, 0)
    assert (last.halo.bottom, last.halo.right) == (0, 0)
    assert last.pixels.shape[0] % 8 == 0
    assert last.pixels.shape[1] % 8 == 0
    # Repeats of the last line would be a texture of their own, and score as a defect.
    assert np.array_equal(last.pixels[:, -4:], last.pixels[:, -8:-4][:, ::-1])
    assert np.array_equal(last.pixels[-2:], last.pixels[-4:-2][::-1])


def test_rgb_and_sixteen_bit_pixels_pass_unchanged():
    pixels = np.random.default_rng(0).integers(0, 65535, (64, 100, 3)).astype(np.uint16)
    tile = cut_all(pixels, 64, grid())[0].tiles[0]
    assert tile.pixels.dtype == np.uint16
    np.testing.assert_array_equal(tile.pixels[:48, :64], pixels[:48, :64])


def test_a_row_waits_for_its_lower_halo_and_no_longer():
    state = start_tiling(ORIGIN, grid())
    state, rows = cut(state, block(web(47)))
    assert rows == ()
    state, rows = cut(state, block(web(1), 47))
    assert [row.ledger.line_count for row in rows] == [32]


def test_memory_of_lines_is_bounded():
    state = start_tiling(ORIGIN, grid())
    for first in range(0, 3200, 10):
        state, _ = cut(state, block(web(10), first))
        held = sum(b.valid_lines for b in state.blocks)
        assert held <= 32 + 2 * 16 + 20


def test_a_seam_starts_a_piece_that_no_tile_crosses():
    pixels = web(150)
    pixels[70:] = 255
    rows = cut_all(pixels, 64, grid(), seams=(70,))
    starts = [row.ledger.first_line for row in rows if row.ledger.starts_piece]
    assert starts == [0, 70]
    for row in rows:
        for tile in row.tiles:
            if tile.first_line < 70:
                assert (tile.pixels < 255).all()
            else:
                assert (tile.pixels == 255).all()


def test_missing_lines_become_a_gap_in_every_lane():
    state = start_tiling(ORIGIN, grid())
    state, rows = cut(state, block(web(40)))
    state, more = cut(state, block(web(40), 60))
    gap_rows = [row for row in (*rows, *more) if row.gaps]
    assert [(g.first_line, g.line_count, g.reason) for g in gap_rows[0].gaps] == [
        (40, 20, GapReason.CAMERA_LOSS)
    ] * 2
    assert gap_rows[0].ledger.first_line == 40


def test_filler_of_a_partial_block_never_becomes_pixels():
    pixels = web(64)
    pixels[30:] = 255
    state = start_tiling(ORIGIN, grid())
    state, rows = cut(state, block(pixels, valid_lines=30, flags=LineFlag.PARTIAL))
    assert [g.reason for row in rows for g in row.gaps] == [GapReason.PARTIAL_FRAME] * 2
    assert all((t.pixels < 255).all() for row in rows for t in row.tiles)
    assert state.next_line == 64


def test_a_block_that_is_all_filler_is_only_a_gap():
    state, rows = cut(start_tiling(ORIGIN, grid()), block(web(16), valid_lines=0))
    assert [row.ledger.line_count for row in rows] == [16]
    assert rows[0].tiles == ()


def test_a_named_loss_keeps_its_reason_and_detail():
    loss = LineLoss("cam0", 0, 100, GapReason.CORRUPT_INPUT, 5, "b.png")
    _, rows = cut(start_tiling(ORIGIN, grid()), loss)
    assert {(g.reason, g.detail) for g in rows[0].gaps} == {(GapReason.CORRUPT_INPUT, "b.png")}


def test_a_named_loss_after_a_jump_leaves_no_line_unaccounted():
    state, _ = cut(start_tiling(ORIGIN, grid()), block(web(40)))
    _, rows = cut(state, LineLoss("cam0", 50, 10, GapReason.CORRUPT_INPUT, 5))
    lost = [(row.ledger.first_line, row.gaps[0].reason) for row in rows if row.gaps]
    assert lost == [(40, GapReason.CAMERA_LOSS), (50, GapReason.CORRUPT_INPUT)]


def test_a_piece_shorter_than_a_window_is_a_gap():
    rows = cut_all(web(12), 12, grid())
    assert [g.reason for g in rows[0].gaps] == [GapReason.TOO_SHORT] * 2
    assert "12 lines" in rows[0].gaps[0].detail


def test_masked_columns_are_neither_pixels_nor_tiles():
    pixels = web(64)
    pixels[:, 60:] = 255
    rows = cut_all(pixels, 64, grid(), masked=(Interval(60, 100),))
    tiles = rows[0].tiles
    assert [t.lane for t in tiles] == [0, 1]
    assert tiles[1].column_count == 12
    assert all((t.pixels < 255).all() for t in tiles)
    assert rows[0].ledger.masked == (Interval(60, 100),)


def test_a_left_mask_is_replaced_by_the_web_mirrored():
    pixels = web(64)
    pixels[:, :20] = 255
    rows = cut_all(pixels, 64, grid(), masked=(Interval(0, 20),))
    tile = rows[0].tiles[0]
    assert tile.first_column == 16
    assert (tile.pixels < 255).all()
    assert np.array_equal(tile.pixels[:, :4], tile.pixels[:, 4:8][:, ::-1])


def test_a_change_of_the_mask_ends_the_piece():
    state = start_tiling(ORIGIN, grid())
    state, rows = cut(state, block(web(40)))
    state, more = cut(state, block(web(40), 40, masked=(Interval(60, 100),)))
    _, last = finish(state)
    ledgers = [row.ledger for row in (*rows, *more, *last)]
    assert [row.first_line for row in ledgers if row.starts_piece] == [0, 40]


def masks_of_rows(*masks, lines=24):
    """The masks of the rows and where pieces start, for blocks with `masks` one after another."""
    state, rows = start_tiling(ORIGIN, grid()), []
    for n, masked in enumerate(masks):
        state, more = cut(state, block(web(lines), n * lines, masked=masked))
        rows += more
    rows += finish(state)[1]
    ledgers = [row.ledger for row in rows]
    return [r.masked for r in ledgers], [r.first_line for r in ledgers if r.starts_piece]


def test_a_row_is_masked_where_any_line_that_its_tiles_hold_is():
    narrow, wide = (Interval(0, 8), Interval(90, 100)), (Interval(0, 16), Interval(90, 100))
    masked, pieces = masks_of_rows(narrow, narrow, wide, wide, narrow, narrow, narrow)
    # Rows of 32 lines with a halo of 16: the wide mask holds on lines 48 to 96.
    assert masked == [narrow, wide, wide, wide, narrow, narrow][: len(masked)]
    assert pieces == [0]


def test_a_mask_that_appears_at_a_side_is_an_edge_that_comes_into_sight():
    masked, pieces = masks_of_rows((), (), (Interval(0, 12),), (Interval(0, 12),))
    assert masked[0] == ()
    assert masked[-1] == (Interval(0, 12),)
    assert pieces == [0]


def test_a_mask_within_the_web_begins_and_ends_at_its_line():
    hidden = (Interval(40, 50),)
    masked, pieces = masks_of_rows((), hidden, hidden, ())
    assert pieces == [0, 24, 72]
    assert masked[0] == masked[-1] == ()


def test_a_lane_that_is_masked_all_over_has_no_tile():
    rows = cut_all(web(64, 160), 64, grid(160), masked=(Interval(45, 97),))
    assert [tile.lane for tile in rows[0].tiles] == [0, 2, 3]


def test_overlap_and_other_widths_are_refused():
    state, _ = cut(start_tiling(ORIGIN, grid()), block(web(40)))
    with pytest.raises(ValueError, match="lines must continue at 40 or later, got 39"):
        cut(state, block(web(8), 39))
    with pytest.raises(ValueError, match="block must have 100 columns, got 90"):
        cut(state, block(web(8, 90), 40))


def test_resumed_tiling_goes_on_at_its_line_and_sequence():
    state, rows = cut(start_tiling(ORIGIN, grid(), 96, 7), block(web(64), 96))
    assert [(r.ledger.first_line, r.ledger.sequence) for r in rows] == [(96, 7)]
    assert rows[0].ledger.starts_piece


@settings(max_examples=60, deadline=None)
@given(
    lines=st.integers(1, 260),
    columns=st.integers(16, 150),
    block_lines=st.integers(1, 90),
    tile_lines=st.sampled_from([16, 32, 64]),
    lane=st.sampled_from([16, 48, 160]),
    seams=st.sets(st.integers(1, 259), max_size=3),
    mask=st.integers(0, 60),
)
def test_every_pixel_is_in_one_core_one_gap_or_one_mask(
    lines, columns, block_lines, tile_lines, lane, seams, mask
):
    mask = min(mask, columns - 1)
    masked = (Interval(columns - mask, columns),) if mask else ()
    tile_grid = grid(columns, tile_lines, lane)
    pixels = web(lines, columns)
    rows = cut_all(pixels, block_lines, tile_grid, tuple(sorted(seams)), masked)
    count = np.zeros((lines, columns), int)
    for row in rows:
        span = slice(row.ledger.first_line, row.ledger.first_line + row.ledger.line_count)
        for tile in row.tiles:
            core = slice(tile.first_column, tile.first_column + tile.column_count)
            count[span, core] += 1
            top, left = tile.halo.top, tile.halo.left
            np.testing.assert_array_equal(
                tile.pixels[top : top + tile.line_count, left : left + tile.column_count],
                pixels[span, core],
            )
        for gap in row.gaps:
            lane_columns = tile_grid.lanes[gap.lane]
            end = min(lane_columns.end, columns - mask)
            count[span, lane_columns.first : end] += 1
    assert (count[:, : columns - mask] == 1).all()
    assert (count[:, columns - mask :] == 0).all()
    assert [r.ledger.sequence for r in rows] == list(range(len(rows)))
    ends = [r.ledger.first_line + r.ledger.line_count for r in rows]
    assert [0, *ends[:-1]] == [r.ledger.first_line for r in rows]
    assert covered(masked) == mask


def test_tiles_are_cut_into_the_memory_that_is_given():
    given = []

    def allocate(shape, dtype):
        given.append(np.full(shape, 255, dtype))  # of any content
        return given[-1]

    pixels = web(100)
    state = replace(start_tiling(ORIGIN, grid()), allocate=allocate)
    state, rows = cut(state, block(pixels))
    rows += finish(state)[1]
    tiles = [tile for row in rows for tile in row.tiles]
    assert [id(tile.pixels) for tile in tiles] == [id(memory) for memory in given]
    plain = [tile for row in cut_all(pixels, 100, grid()) for tile in row.tiles]
    for tile, expected in zip(tiles, plain, strict=True):
        np.testing.assert_array_equal(tile.pixels, expected.pixels)
