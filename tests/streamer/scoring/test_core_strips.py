"""Cores of a lane become strips where their web goes on, and only there."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from streamer.message import Interval
from streamer.scoring.core_strips import Core, join_cores

PLACE = (0, 32, ())


def features(sequence, rows=4, columns=8):
    return torch.full((3, rows, columns), float(sequence))


def core(sequence, continues=True, place=PLACE, **shape):
    return Core(sequence, features(sequence, **shape), place, continues)


def heights(cores):
    return [strip.shape[1] for strip in join_cores(cores)]


def test_cores_that_go_on_are_one_strip_in_order():
    (strip,) = join_cores([core(2), core(0, continues=False), core(1, rows=2)])
    assert strip[0, :, 0].tolist() == [0] * 4 + [1] * 2 + [2] * 4


@pytest.mark.parametrize(
    "second",
    [
        core(1, continues=False),
        core(2),
        core(1, place=(32, 32, ())),
        core(1, place=(0, 32, (Interval(0, 4),))),
        core(1, columns=7),
    ],
)
def test_what_is_no_neighbour_is_a_strip_of_its_own(second):
    assert heights([core(0), second]) == [4, 4]


def test_nothing_makes_no_strip():
    assert join_cores([]) == []


def test_a_core_alone_is_not_copied():
    alone = core(3)
    assert join_cores([alone])[0] is alone.features


@given(st.sets(st.integers(0, 12), min_size=1), st.sets(st.integers(0, 12)))
def test_all_rows_are_kept_once_whatever_is_missing(sequences, starts):
    cores = [core(n, continues=n not in starts) for n in sequences]
    rows = [row for strip in join_cores(cores) for row in strip[0, :, 0].tolist()]
    assert rows == [n for n in sorted(sequences) for _ in range(4)]


def test_the_core_of_a_tile_knows_where_it_is(web, tile_of):
    tile = tile_of(web(128, 256), lane=3)
    made = Core.of(tile, features(0))
    assert made.place == (tile.first_column, tile.column_count, tile.masked)
    assert made.continues == (tile.halo.top > 0)
