"""The woven fabric: repeatable, seamless, periodic at its pitch, the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.sources.fabric import Fabric, ThreadPitch, weave_tables
from streamer.sources.lattice import CHUNK_LINES

PITCH = ThreadPitch(4.5, 4.5)
PLAIN = (np.indices((4, 4)).sum(axis=0)) % 2 == 0


def web(fabric: Fabric, chunks: range) -> np.ndarray:
    return np.concatenate([fabric.reflectance(chunk) for chunk in chunks])


def period(signal: np.ndarray, shortest: int) -> float:
    """Period of the strongest frequency up to `shortest` samples, averaged over rows."""
    power = (np.abs(np.fft.rfft(signal - signal.mean(), axis=1)) ** 2).mean(axis=0)
    frequency = np.fft.rfftfreq(signal.shape[1])
    power[(frequency > 1 / shortest) | (frequency < 1 / 40)] = 0
    return float(1 / frequency[power.argmax()])


def test_a_chunk_has_every_column_and_stays_within_reflectances():
    fabric = Fabric(1, 333, PITCH)

    lines = web(fabric, range(4))

    assert lines.shape == (4 * CHUNK_LINES, 333)
    assert lines.dtype == np.float32
    assert lines.min() > 0.05
    assert lines.max() < 0.9


def test_a_chunk_does_not_depend_on_what_was_asked_before():
    asked_late, asked_first = Fabric(4, 200, PITCH), Fabric(4, 200, PITCH)
    web(asked_late, range(3))

    assert np.array_equal(asked_late.reflectance(7), asked_first.reflectance(7))


def test_a_chunk_may_be_changed_by_its_receiver():
    fabric = Fabric(1, 100, PITCH)
    before = fabric.reflectance(2).copy()
    fabric.reflectance(2)[:] = 0

    assert np.array_equal(fabric.reflectance(2), before)


def test_seeds_give_different_webs():
    assert not np.array_equal(
        Fabric(1, 100, PITCH).reflectance(0), Fabric(4, 100, PITCH).reflectance(0)
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_chunk_borders_are_as_smooth_as_any_other_line(seed: int):
    lines = web(Fabric(seed, 512, PITCH), range(12))
    steps = np.abs(np.diff(lines, axis=0)).mean(axis=1)
    borders = steps[CHUNK_LINES - 1 :: CHUNK_LINES]

    assert borders.mean() < 1.25 * steps.mean()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("pitch", [ThreadPitch(4.5, 4.5), ThreadPitch(8.0, 5.5)])
def test_threads_repeat_at_their_pitch_in_both_directions(seed: int, pitch: ThreadPitch):
    lines = web(Fabric(seed, 512, pitch), range(8))

    for signal, size in ((lines, pitch.warp_px), (lines.T, pitch.weft_px)):
        threads = period(signal, 3) / size
        assert threads == pytest.approx(round(threads), abs=0.12)
        assert round(threads) in (1, 2, 4)


def diagonal_power(seed: int) -> float:
    """Share of the spectrum where four threads down and four across make one period."""
    lines = web(Fabric(seed, 288, PITCH), range(5))[:288]
    power = np.abs(np.fft.fft2(lines - lines.mean())) ** 2
    repeat = round(288 / (4 * PITCH.warp_px))
    near = slice(repeat - 3, repeat + 4)
    mirrored = slice(-repeat - 3, -repeat + 4)
    return float((power[near, near].sum() + power[near, mirrored].sum()) / power.sum())


def test_seeds_choose_between_plain_weave_and_two_twills():
    plain, twill, warp_faced_twill = (diagonal_power(seed) for seed in range(3))

    assert plain < 0.001
    assert min(twill, warp_faced_twill) > 0.02


def test_a_warp_faced_twill_shows_long_threads_down_web():
    steps = []
    for seed in (1, 2):
        lines = web(Fabric(seed, 288, PITCH), range(5))
        down, across = (np.abs(np.diff(lines, axis=axis)).mean() for axis in (0, 1))
        steps.append(across / down)

    assert steps[0] == pytest.approx(1, abs=0.15)
    assert steps[1] > 1.3


def test_the_web_is_stationary_down_and_across():
    lines = web(Fabric(1, 1024, PITCH), range(16))
    tiles = lines.reshape(8, 128, 8, 128)
    means, deviations = tiles.mean(axis=(1, 3)), tiles.std(axis=(1, 3))

    assert np.abs(means / means.mean() - 1).max() < 0.05
    assert np.abs(deviations / deviations.mean() - 1).max() < 0.15


def test_the_web_does_not_repeat():
    fabric = Fabric(1, 200, PITCH)
    first = fabric.reflectance(0)

    for chunk in (9, 72, 1_000_000):  # 72 * 64 lines are 1024 threads
        later = fabric.reflectance(chunk)
        assert np.abs(first - later).mean() > 0.02


def test_the_web_keeps_its_look_after_ten_thousand_kilometres():
    fabric = Fabric(1, 256, PITCH)
    start, far = web(fabric, range(4)), web(fabric, range(10**9, 10**9 + 4))

    assert far.mean() == pytest.approx(start.mean(), rel=0.03)
    assert far.std() == pytest.approx(start.std(), rel=0.1)
    assert period(far.T, 3) == pytest.approx(period(start.T, 3), rel=0.03)


def test_tables_show_either_warp_or_weft():
    fine = ThreadPitch(1000.0, 1000.0)  # no averaging
    warp, weft = weave_tables(PLAIN, fine)

    assert np.all((warp == 0) | (weft == 0))
    assert np.all(warp + weft > 0)
    assert (warp > 0).mean() == pytest.approx(0.5, abs=0.02)


def test_tables_follow_the_weave():
    over_all = np.ones((4, 4), bool)
    warp, weft = weave_tables(over_all, ThreadPitch(1000.0, 1000.0))

    assert (warp > 0).mean() > 0.8
    assert (weft > 0).mean() < 0.2


def test_a_coarse_camera_averages_the_threads_away():
    contrast = []
    for pixels in (16.0, 4.5, 2.0):
        warp, weft = weave_tables(PLAIN, ThreadPitch(pixels, pixels))
        contrast.append((warp + weft).std())

    assert contrast[0] > contrast[1] > contrast[2]
