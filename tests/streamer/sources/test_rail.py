"""The rail head: repeatable, seamless, bright band, dark edges, marks that run along it."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.sources.lattice import CHUNK_LINES
from streamer.sources.rail import Rail


def web(rail: Rail, chunks: range) -> np.ndarray:
    return np.concatenate([rail.reflectance(chunk) for chunk in chunks])


def test_a_chunk_has_every_column_and_stays_within_reflectances():
    lines = web(Rail(1, 301), range(4))

    assert lines.shape == (4 * CHUNK_LINES, 301)
    assert lines.dtype == np.float32
    assert lines.min() >= 0.01
    assert lines.max() < 1


def test_a_chunk_does_not_depend_on_what_was_asked_before():
    asked_late, asked_first = Rail(4, 200), Rail(4, 200)
    web(asked_late, range(3))

    assert np.array_equal(asked_late.reflectance(70), asked_first.reflectance(70))


def test_seeds_give_different_rails():
    assert not np.array_equal(Rail(1, 100).reflectance(0), Rail(2, 100).reflectance(0))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_running_band_is_brighter_than_the_edges(seed: int):
    profile = web(Rail(seed, 400), range(8)).mean(axis=0)
    band, edges = profile[160:240].mean(), np.r_[profile[:40], profile[-40:]].mean()

    assert band > 2 * edges


def test_the_head_darkens_towards_both_edges():
    profile = web(Rail(1, 400), range(8)).mean(axis=0).reshape(20, 20).mean(axis=1)

    assert np.all(np.diff(profile[:6]) > -0.01)
    assert np.all(np.diff(profile[-6:]) < 0.01)


def test_marks_run_along_the_rail():
    lines = web(Rail(1, 400), range(8))[:, 120:280]
    along = np.corrcoef(lines[0:200].mean(axis=0), lines[200:400].mean(axis=0))[0, 1]
    across = np.corrcoef(np.diff(lines[:, :80].mean(axis=1)), np.diff(lines[:, 80:].mean(axis=1)))

    assert along > 0.5
    assert abs(across[0, 1]) < 0.3


def test_marks_change_over_metres():
    rail = Rail(1, 400)
    near, far = (web(rail, range(at, at + 4))[:, 120:280].mean(axis=0) for at in (0, 400))
    near, far = (marks - np.convolve(marks, np.ones(25) / 25, "same") for marks in (near, far))

    assert abs(np.corrcoef(near[15:-15], far[15:-15])[0, 1]) < 0.5


@pytest.mark.parametrize("first", [0, 92, 188])  # 96 chunks on, the slow marks change their nodes
def test_chunk_borders_are_as_smooth_as_any_other_line(first: int):
    lines = web(Rail(1, 512), range(first, first + 8))
    steps = np.abs(np.diff(lines, axis=0)).mean(axis=1)
    borders = steps[CHUNK_LINES - 1 :: CHUNK_LINES]

    assert borders.max() < 1.25 * steps.mean()


def test_the_rail_is_stationary_along_its_length():
    lines = web(Rail(1, 512), range(0, 200, 5)).reshape(40, CHUNK_LINES, 8, 64)
    means = lines.mean(axis=(1, 3))

    assert np.abs(means / means.mean(axis=0) - 1)[:, 3:5].max() < 0.08


def test_the_rail_keeps_its_look_after_ten_thousand_kilometres():
    rail = Rail(1, 256)
    start, far = web(rail, range(4)), web(rail, range(10**9, 10**9 + 4))

    assert far.mean() == pytest.approx(start.mean(), rel=0.1)
    assert far.std() == pytest.approx(start.std(), rel=0.1)
