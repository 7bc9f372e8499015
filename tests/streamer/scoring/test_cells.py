import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from streamer.message import Halo, Interval, Tile
from streamer.scoring.cells import (
    core_cells,
    core_pixels,
    core_web,
    hide_masked,
    masked_cells,
    widest_web,
)


def tile(masked: tuple[Interval, ...] = (), halo: Halo | None = None) -> Tile:
    """Core of 60 x 76 pixels (not whole cells) from column 64 on, with a halo of 16 and 8."""
    pixels = np.arange(88 * 104, dtype=np.uint16).reshape(88, 104)
    halo = halo or Halo(top=16, bottom=8, left=8, right=16)
    return Tile("r", "c", 0, 0, 160, 60, 64, 76, halo, pixels, 0, "", masked)


def test_core_cells_start_after_the_halo_and_keep_cut_cells() -> None:
    assert core_cells(tile(), 8) == (slice(2, 10), slice(1, 11))
    assert core_cells(tile(halo=Halo()), 8) == (slice(0, 8), slice(0, 10))


def test_core_pixels_are_a_copy_of_the_core() -> None:
    cut = tile()
    core = core_pixels(cut)
    np.testing.assert_array_equal(core, cut.pixels[16:76, 8:84])
    assert core.flags.c_contiguous
    assert not np.shares_memory(core, cut.pixels)


def test_a_cell_that_touches_a_masked_column_is_masked() -> None:
    # Column 0 of the tile is web column 56: the mask covers tile columns 17..24, cells 2 and 3.
    flags = masked_cells(tile((Interval(73, 81),)), 8)
    assert flags.shape == (13,)
    assert np.flatnonzero(flags).tolist() == [2, 3]


def test_masked_cells_are_hidden_and_no_other() -> None:
    cells = np.arange(11 * 13, dtype=np.float32).reshape(11, 13)
    hidden = hide_masked(tile((Interval(73, 81),)), cells, 8)
    assert hidden.dtype == np.float32
    assert np.flatnonzero(np.isnan(hidden).all(axis=0)).tolist() == [2, 3]
    np.testing.assert_array_equal(np.delete(hidden, [2, 3], 1), np.delete(cells, [2, 3], 1))


def test_masks_beyond_the_tile_and_empty_ones_mask_nothing() -> None:
    assert not masked_cells(tile((Interval(0, 56), Interval(70, 70), Interval(500, 600))), 8).any()
    assert masked_cells(tile((Interval(0, 5000),)), 8).all()


@pytest.mark.parametrize(
    ("flags", "run"),
    [("", (0, 0)), ("11", (0, 0)), ("0011000", (4, 7)), ("0100", (2, 4)), ("00100", (0, 2))],
)
def test_widest_web(flags: str, run: tuple[int, int]) -> None:
    masked = np.array([flag == "1" for flag in flags], dtype=bool)
    assert widest_web(masked) == slice(*run)


@given(st.lists(st.booleans(), max_size=30))
def test_widest_web_is_unmasked_and_none_is_wider(flags: list[bool]) -> None:
    run = widest_web(np.array(flags, dtype=bool))
    assert not any(flags[run])
    runs = "".join("m" if flag else "w" for flag in flags).split("m")
    assert run.stop - run.start == max(map(len, runs))


def test_core_web_is_the_core_within_the_widest_web() -> None:
    features = torch.arange(11 * 13).reshape(1, 11, 13)
    cut = tile((Interval(73, 81),))
    torch.testing.assert_close(core_web(cut, features, 8), features[:, 2:10, 4:11])
    assert core_web(tile((Interval(0, 5000),)), features, 8).shape == (1, 8, 0)
