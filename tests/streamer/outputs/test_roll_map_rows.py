"""Lines and boxes of the web in the cells of a map, over pieces."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.outputs.defect_log import LoggedDefect, Piece
from streamer.outputs.report_map import row_lines
from streamer.outputs.roll_map_format import MapFormat
from streamer.outputs.roll_map_rows import cells_of, end_line, rows_of_lines

FORM = MapFormat("r", 10, 8, 0.5, 0.25)
PIECES = [Piece(0, 0, 20), Piece(100, 3, 16)]  # rows 0..2 and 3..4
DEFECT = LoggedDefect(
    1, "end", "low", "unknown", 0.0, 4.0, 4.0, 9.0, 1.0, 2.0, 1.5, 9, 20, "", None
)  # fmt: skip


@pytest.mark.parametrize(
    ("line", "row", "known"),
    [(0, 0, True), (19, 2, True), (20, 2, False), (99, 2, False), (100, 3, True), (115, 4, True),
     (116, 4, False)],
)  # fmt: skip
def test_a_line_lies_in_the_row_of_its_piece(line, row, known):
    assert [found.item() for found in rows_of_lines([line], PIECES, 8)] == [row, known]


def test_before_the_first_piece_there_is_nothing():
    rows, known = rows_of_lines([3], [Piece(8, 0, 8)], 8)
    assert (rows.item(), known.item()) == (0, False)


def test_without_pieces_the_roll_is_one():
    rows, known = rows_of_lines([0, 7, 8, 800], [], 8)
    assert rows.tolist() == [0, 0, 1, 100]
    assert known.all()


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 40)), min_size=1, max_size=6))
def test_it_is_the_inverse_of_the_first_line_of_a_row(parts):
    pieces, line, row = [], 0, 0
    for count, lost in parts:
        pieces.append(Piece(line, row, count))
        line, row = line + count + lost, row + -(-count // 8)
    firsts = row_lines(np.arange(row), pieces, 8)
    rows, known = rows_of_lines(firsts, pieces, 8)
    assert rows.tolist() == list(range(row))
    assert known.all()
    assert end_line(pieces, row, 8) == pieces[-1].first_line + pieces[-1].line_count


def test_a_box_touches_every_cell_that_it_reaches_into():
    assert cells_of(DEFECT, PIECES, FORM) == (1, 3, 1, 3)
    last = replace(DEFECT, first_line=107, end_line=109, cross_first_mm=36.0, cross_end_mm=99.0)
    assert cells_of(last, PIECES, FORM) == (3, 5, 9, 10)


def test_a_roll_that_was_cut_ends_with_its_rows():
    assert end_line(PIECES, 4, 8) == 108
    assert end_line(PIECES, 3, 8) == 20
    assert end_line([], 4, 8) == 32
    assert end_line(PIECES, 0, 8) == 0
