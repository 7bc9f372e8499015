"""Planted defects: they fit their room, look like their kind, and come from the draw alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.sources.defects import DefectKind, Patch, Room, draw_defect

ROOM = Room(lines=1200, columns=1024, line_mm=0.5, pixel_mm=0.5, thread_mm=2.25)
FINE_ROOM = Room(lines=3000, columns=2048, line_mm=0.1, pixel_mm=0.1, thread_mm=0.5)
DARK = (DefectKind.MISSING_THREAD, DefectKind.HOLE, DefectKind.STAIN, DefectKind.CRACK)
BRIGHT = (DefectKind.DOUBLE_THREAD, DefectKind.KNOT, DefectKind.SCRATCH)


def draw(kind: DefectKind, seed: int, room: Room = ROOM) -> Patch:
    return draw_defect(kind, np.random.default_rng(seed), room)


def on_grey(patch: Patch) -> np.ndarray:
    """Change of a surface of reflectance 0.4."""
    return 0.4 * patch.gain + patch.offset - 0.4


@settings(max_examples=120, deadline=None)
@given(
    kind=st.sampled_from(list(DefectKind)),
    seed=st.integers(0, 2**32),
    lines=st.integers(1, 300),
    columns=st.integers(1, 300),
    line_mm=st.floats(0.02, 5),
    pixel_mm=st.floats(0.02, 5),
)
def test_a_patch_fits_any_room(
    kind: DefectKind, seed: int, lines: int, columns: int, line_mm: float, pixel_mm: float
):
    room = Room(lines, columns, line_mm, pixel_mm, thread_mm=4.5 * max(line_mm, pixel_mm))

    patch = draw(kind, seed, room)

    assert patch.gain.shape == patch.offset.shape
    assert 1 <= patch.gain.shape[0] <= lines
    assert 1 <= patch.gain.shape[1] <= columns
    assert patch.gain.dtype == patch.offset.dtype == np.float32
    assert np.isfinite(patch.gain).all()
    assert np.isfinite(patch.offset).all()
    assert patch.gain.min() >= 0
    assert patch.gain.max() < 2
    assert np.abs(patch.offset).max() < 0.7


@pytest.mark.parametrize("kind", list(DefectKind))
def test_the_same_draw_gives_the_same_defect_and_another_draw_another(kind: DefectKind):
    one, again, other = draw(kind, 1), draw(kind, 1), draw(kind, 2)

    assert np.array_equal(one.gain, again.gain)
    assert np.array_equal(one.offset, again.offset)
    assert one.gain.shape != other.gain.shape or not np.array_equal(one.gain, other.gain)


@pytest.mark.parametrize("room", [ROOM, FINE_ROOM], ids=["0.5 mm", "0.1 mm"])
@pytest.mark.parametrize("kind", list(DefectKind))
@pytest.mark.parametrize("seed", range(5))
def test_every_defect_can_be_seen_where_there_is_room(kind: DefectKind, seed: int, room: Room):
    change = np.abs(on_grey(draw(kind, seed, room)))

    assert (change > 0.02).sum() >= 6  # pixels over about three times the sensor noise


@pytest.mark.parametrize("kind", DARK)
@pytest.mark.parametrize("seed", range(5))
def test_dark_kinds_darken(kind: DefectKind, seed: int):
    change = on_grey(draw(kind, seed))

    assert change.min() < -0.02
    assert -change.min() > change.max()


@pytest.mark.parametrize("kind", BRIGHT)
@pytest.mark.parametrize("seed", range(5))
def test_bright_kinds_brighten(kind: DefectKind, seed: int):
    assert on_grey(draw(kind, seed)).max() > 0.02


def test_density_bars_are_lighter_or_darker_over_the_full_width():
    signs = set()
    for seed in range(12):
        change = on_grey(draw(DefectKind.DENSITY_BAR, seed))
        assert change.shape[1] == ROOM.columns
        assert np.all(change == change[:, :1])
        signs.add(float(np.sign(change.sum())))

    assert signs == {-1.0, 1.0}


def test_a_density_bar_of_a_wide_web_needs_no_memory_for_its_width():
    room = Room(2000, 65_536, 0.02, 0.02, 0.5)

    assert draw(DefectKind.DENSITY_BAR, 1, room).gain.strides[1] == 0


@pytest.mark.parametrize("kind", [DefectKind.MISSING_THREAD, DefectKind.DOUBLE_THREAD])
def test_thread_defects_run_down_or_across_and_are_a_few_threads_wide(kind: DefectKind):
    shapes = [draw(kind, seed).gain.shape for seed in range(12)]

    assert {lines > columns for lines, columns in shapes} == {True, False}
    for shape in shapes:
        assert min(shape) <= 3 * ROOM.thread_mm / ROOM.pixel_mm + 1
        assert 25 <= max(shape) * ROOM.pixel_mm <= 350.5


@pytest.mark.parametrize(
    ("kind", "smallest_mm", "largest_mm"),
    [
        (DefectKind.HOLE, 1.0, 25.0),
        (DefectKind.KNOT, 0.7, 6.0),
        (DefectKind.STAIN, 5.0, 110.0),
        (DefectKind.SCRATCH, 18.0, 200.0),
        (DefectKind.CRACK, 6.0, 70.0),
        (DefectKind.DENSITY_BAR, 3.0, 205.0),
    ],
)
def test_sizes_are_realistic_in_mm(kind: DefectKind, smallest_mm: float, largest_mm: float):
    for seed in range(20):
        changed = np.abs(on_grey(draw(kind, seed, FINE_ROOM))) > 0.004  # one level of 255
        extents = [np.ptp(np.flatnonzero(changed.any(axis=axis))) + 1 for axis in (0, 1)]
        assert smallest_mm <= max(extents) * FINE_ROOM.pixel_mm <= largest_mm


def test_strength_goes_from_faint_to_obvious():
    darkest = [-on_grey(draw(DefectKind.STAIN, seed)).min() for seed in range(40)]

    assert min(darkest) < 0.06
    assert max(darkest) > 0.13


@pytest.mark.parametrize("kind", [DefectKind.HOLE, DefectKind.KNOT, DefectKind.STAIN])
@pytest.mark.parametrize("seed", range(5))
def test_blobs_end_within_their_patch(kind: DefectKind, seed: int):
    change = np.abs(on_grey(draw(kind, seed, FINE_ROOM)))
    rim = np.concatenate([change[0], change[-1], change[:, 0], change[:, -1]])

    assert rim.max() < 0.25 * change.max()


@pytest.mark.parametrize("seed", range(5))
def test_scratches_run_down_and_cracks_across(seed: int):
    scratch, crack = (draw(kind, seed).gain for kind in (DefectKind.SCRATCH, DefectKind.CRACK))

    assert scratch.shape[0] > 2 * scratch.shape[1]
    assert np.ptp(np.flatnonzero((crack < 0.9).any(axis=0))) > 5
    assert (crack < 0.9).mean() < 0.2  # thin


def test_a_room_gives_distances_from_its_centre():
    room = Room(lines=100, columns=100, line_mm=0.5, pixel_mm=0.25, thread_mm=1.0)
    down, cross = room.grid(2.0, 1.0)

    assert down.ravel().tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert cross.ravel().tolist() == [-0.375, -0.125, 0.125, 0.375]
    assert room.fine_mm == 0.5


def test_a_room_cuts_what_is_too_large():
    down, cross = Room(3, 4, 1.0, 1.0, 1.0).grid(1000.0, 1000.0)

    assert (down.size, cross.size) == (3, 4)
