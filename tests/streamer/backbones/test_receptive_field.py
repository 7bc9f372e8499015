"""Receptive fields against brute force over indices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.backbones.receptive_field import (
    ReceptiveField,
    Window,
    receptive_field,
    same_window,
)

_WINDOWS = st.builds(
    lambda size, stride, share: Window(size, stride, before=share % size),
    st.integers(1, 7),
    st.integers(1, 3),
    st.integers(0, 6),
)


def _pixels_seen(windows: list[Window], index: int) -> set[int]:
    seen = {index}
    for window in reversed(windows):
        seen = {window.stride * i - window.before + tap for i in seen for tap in range(window.size)}
    return seen


@given(st.lists(_WINDOWS, max_size=5), st.integers(-3, 3))
def test_ends_are_those_of_the_pixels_seen(windows: list[Window], index: int) -> None:
    field = receptive_field(windows)
    seen = _pixels_seen(windows, index)
    assert min(seen) == field.stride * index - field.before
    assert max(seen) == field.stride * index + field.after


def test_no_layers_see_one_pixel() -> None:
    assert receptive_field([]) == ReceptiveField(stride=1, before=0, after=0)


@pytest.mark.parametrize(
    ("size", "stride", "before", "after"),
    [(1, 1, 0, 0), (3, 1, 1, 1), (5, 1, 2, 2), (3, 2, 0, 2), (5, 2, 1, 3)],
)
def test_same_padding_is_that_of_tensorflow(
    size: int, stride: int, before: int, after: int
) -> None:
    window = same_window(size, stride)
    assert (window.before, window.after) == (before, after)


@pytest.mark.parametrize(
    ("before", "after", "radius"),
    # A feature's own cell of 8 pixels is no part of the radius.
    [(0, 7, 0), (0, 0, 0), (26, 40, 33), (49, 49, 49), (3, 20, 13), (9, 10, 9)],
)
def test_radius_counts_from_the_cell(before: int, after: int, radius: int) -> None:
    assert ReceptiveField(8, before, after).radius == radius


@given(st.lists(_WINDOWS, min_size=1, max_size=4))
def test_radius_covers_both_sides_and_is_reached(windows: list[Window]) -> None:
    field = receptive_field(windows)
    seen = _pixels_seen(windows, 0)
    beyond = max(max(-pixel, pixel - field.stride + 1, 0) for pixel in seen)
    assert field.radius == beyond
