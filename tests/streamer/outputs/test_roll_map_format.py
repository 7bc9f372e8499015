"""Levels of a roll map: sizes that fit together, and pooling that hides nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.outputs.roll_map_format import LEAST_COLUMNS, LEVELS, MapFormat, map_levels, pool


@given(st.integers(1, 5000), st.integers(0, 100_000))
def test_the_size_of_each_level_is_what_pooling_gives(columns, rows):
    levels = map_levels(columns)
    assert len(levels) == LEVELS
    for finer, coarser in zip(levels, levels[1:], strict=False):
        assert coarser.rows(rows) == -(-finer.rows(rows) // 2)
        factor = coarser.columns_per_cell // finer.columns_per_cell
        assert factor == (2 if finer.columns > LEAST_COLUMNS else 1)
        assert coarser.columns == -(-finer.columns // factor)
    assert levels[-1].columns <= max(LEAST_COLUMNS, -(-columns // 512))


@pytest.mark.parametrize("columns", [1, 7, 128, 129, 300])
@pytest.mark.parametrize("rows", [0, 1, 2, 5])
def test_a_pooled_cell_is_the_largest_of_its_cells(rows, columns):
    cells = np.random.default_rng(rows).normal(size=(rows, columns)).astype(np.float32)
    cells[cells > 0.8] = np.nan
    wide = 2 if columns > LEAST_COLUMNS else 1
    found = pool(cells)
    assert found.dtype == np.float32
    assert found.shape == (-(-rows // 2), -(-columns // wide))
    for row, column in np.ndindex(found.shape):
        block = cells[2 * row : 2 * row + 2, wide * column : wide * column + wide]
        assert np.isnan(found[row, column]) == np.isnan(block).all()
        assert np.isnan(found[row, column]) or found[row, column] == np.nanmax(block)


def test_integers_are_pooled_likewise_and_nothing_given_is_changed():
    cells = np.uint8([[1, 2], [3, 0], [4, 0]])
    assert pool(cells).tolist() == [[3, 2], [4, 0]]
    assert cells.tolist() == [[1, 2], [3, 0], [4, 0]]


def test_a_cell_has_a_size_in_both_directions():
    assert MapFormat("r", 5, 8, 0.5, 0.25).cell_mm == (2.0, 4.0)


def test_a_format_without_columns_is_refused():
    with pytest.raises(ValueError, match="MapFormat must be positive"):
        MapFormat("r", 0, 8, 0.5, 0.25)
