from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.calibration import Calibration, CalibrationTarget
from streamer.config import SimulatorSource, Web
from streamer.scoring.line_contrast import (
    CHANNELS,
    LINE_REACH,
    LINES,
    log_contrast,
    strips_per_cell,
    turned_contrast,
)
from streamer.scoring.line_profile import (
    LEAST_LEVEL,
    LineProfile,
    LineStrip,
    learn_lines,
)
from streamer.scoring.line_spread import LEAST_NOISE, LineSpread
from streamer.sections import LINE_HALO
from streamer.sources import open_source
from streamer.sources.line_buffer import new_buffer
from streamer.web import WebGeometry

GEOMETRY = WebGeometry(256, 0.2, 0.2, 60.0)
TARGET = CalibrationTarget(GEOMETRY, 8, 9, 1.0)
STRIPED = np.linspace(-0.3, 0.3, 64, dtype=np.float32)  # what each strip always is


def uneven(rows: int, seed: int = 0, spread: float = 0.02) -> np.ndarray:
    """Contrast (CHANNELS, rows, 64) of stripes that are always there, and noise."""
    noise = np.random.default_rng(seed).normal(0, spread, (CHANNELS, rows, 64))
    return (STRIPED + noise).astype(np.float32)


def even_turned(rows: int, seed: int = 50) -> np.ndarray:
    """What 32 cells show of lines across the web: each always the same, and noise."""
    noise = np.random.default_rng(seed).normal(0, 0.02, (32, 2 * rows))
    return (STRIPED[::2, None] + noise).astype(np.float32)


def strip_of(contrast: np.ndarray, turned: np.ndarray | None = None, **changes: object):
    """All of it is to be learnt from; two strips a cell."""
    rows, cells = slice(0, contrast.shape[1]), slice(0, contrast.shape[2] // 2)
    if turned is None:
        turned = even_turned(contrast.shape[1])[: cells.stop]
    return replace(LineStrip(contrast, turned, rows, cells, 5, 2), **changes)


def seen_of(pixels: np.ndarray, stride: int, first_column: int = 0) -> LineStrip:
    """What a web shows, all of it to be learnt from."""
    contrast, turned = log_contrast(pixels, stride), turned_contrast(pixels, stride)
    rows, cells = slice(0, contrast.shape[1]), slice(0, len(turned))
    return LineStrip(contrast, turned, rows, cells, first_column, strips_per_cell(stride))


def tile_of(web: np.ndarray, top: int, left: int) -> LineStrip:
    """200 rows and 16 cells of it, with as much halo as there is."""
    above, before = max(top - LINE_REACH, 0), max(left - LINE_REACH, 0)
    columns = slice(2 * before, 2 * (left + 16 + LINE_REACH))
    seen = web[:, above : top + 200 + LINE_REACH, columns]
    turned = even_turned(web.shape[1])[before : left + 16 + LINE_REACH]
    turned = turned[:, 2 * above : 2 * (top + 200 + LINE_REACH)]
    rows, cells = slice(top - above, top - above + 200), slice(left - before, left - before + 16)
    return LineStrip(seen, turned, rows, cells, 5 + before, 2)


@pytest.fixture(scope="module")
def learnt() -> LineProfile:
    profile = learn_lines([strip_of(uneven(600))], TARGET)
    assert profile is not None
    return profile


def test_stripes_that_are_always_there_are_normal(learnt) -> None:
    np.testing.assert_allclose(learnt.median, np.stack([STRIPED] * 2), atol=0.005)
    np.testing.assert_allclose(learnt.turned, STRIPED[::2], atol=0.005)
    assert learnt.first_strip == 10
    scores = learnt.normalise(strip_of(uneven(300, 1), even_turned(300, 51)))
    assert scores.shape == (300, 32)
    assert scores.max() < 1
    assert np.median(scores) == pytest.approx(0, abs=0.05)


def test_noise_is_that_of_a_mean(learnt) -> None:
    expected = np.array([0.02 / np.sqrt(length) for _, length in LINES])
    along = [one.noises for one in learnt.spreads]
    np.testing.assert_allclose(along, np.stack([expected] * CHANNELS, axis=1), rtol=0.1)
    across = [one.noises for one in learnt.turned_spreads]
    # Less at the sides of so narrow a web, where a line is cut short.
    np.testing.assert_allclose(across, 0.94 * expected[:, None], rtol=0.1)
    assert max(abs(one.correlation) for one in learnt.spreads) < 0.1


@pytest.mark.parametrize("channel", range(CHANNELS))
@pytest.mark.parametrize("step", [-0.03, 0.03])
def test_a_line_too_faint_for_any_one_cell_is_an_alarm(learnt, channel, step) -> None:
    contrast = uneven(120, 2)
    contrast[channel, 30:90, 20] += np.float32(step)  # 1.5 times the noise of a cell
    scores = learnt.normalise(strip_of(contrast))
    assert scores[40:80, 10].max() > 1
    assert np.delete(scores, range(8, 13), axis=1).max() < 1


@pytest.mark.parametrize("step", [-0.03, 0.03])
def test_a_line_across_the_web_is_an_alarm_too(learnt, step) -> None:
    turned = even_turned(120, 52)
    turned[4:28, 101] += np.float32(step)
    scores = learnt.normalise(strip_of(uneven(120, 2), turned))
    assert scores[50, 8:24].max() > 1
    assert np.delete(scores, range(48, 53), axis=0).max() < 1


def test_the_strip_of_the_web_decides(learnt) -> None:
    web, turned = uneven(80, 3), even_turned(80)
    whole = learnt.deviation(strip_of(web, turned))
    part = strip_of(web[:, :, 4:60], turned[2:30], first_column=7)
    inner = slice(LINE_REACH, -LINE_REACH)
    np.testing.assert_array_equal(learnt.deviation(part)[:, inner], whole[:, 2:30][:, inner])
    flat = np.zeros_like(turned)  # no line across: what is judged is the other way
    for seen in ((web[:, :, 4:60], flat[2:30]), (web[:, :, :56] * 0, turned[2:30])):
        assert learnt.normalise(strip_of(*seen)).max() > 1  # taken for other strips


def test_beyond_what_was_learnt_the_nearest_strip_counts(learnt) -> None:
    ends = np.broadcast_to(learnt.median[:, [0]].numpy()[:, None, :], (CHANNELS, 3, 8))
    turned = np.broadcast_to(learnt.turned[0].numpy(), (4, 6))
    assert learnt.deviation(strip_of(ends, turned, first_column=0)).max() < 1e-3


def test_masked_strips_teach_nothing_and_raise_nothing(learnt) -> None:
    contrast = uneven(600)
    contrast[:, :, 16:24] = np.nan
    turned = even_turned(600)
    turned[8:12] = np.nan
    holed = learn_lines([strip_of(contrast, turned)], TARGET)
    assert torch.equal(holed.median[:, :16], learnt.median[:, :16])
    borrowed = learnt.median[:, [15] * 4 + [24] * 4]
    assert torch.equal(holed.median[:, 16:24], borrowed)
    assert torch.equal(holed.turned[8:12], learnt.turned[[7, 7, 12, 12]])
    turned[7, 300] = 9.0  # a line ends at the mask, and shows there by half of its mean
    seen = holed.deviation(strip_of(contrast, turned))
    assert (np.delete(seen, range(147, 154), axis=0)[:, 9:11] < LEAST_LEVEL).all()


def test_nothing_but_mask_teaches_nothing() -> None:
    assert learn_lines([strip_of(np.full((CHANNELS, 20, 8), np.nan, np.float32))], TARGET) is None
    assert learn_lines([], TARGET) is None


def test_only_the_core_teaches_and_lines_run_on_beyond_it(learnt) -> None:
    """Cut in tiles with a halo of rows and cells, whatever their order, it is the same profile."""
    contrast = uneven(600)
    tiles = [tile_of(contrast, top, left) for top in (0, 200, 400) for left in (16, 0)]
    cut = learn_lines(tiles, TARGET)
    assert torch.equal(cut.median, learnt.median)
    assert torch.equal(cut.turned, learnt.turned)
    assert cut.first_strip == learnt.first_strip
    for ours, theirs in zip(cut.spreads, learnt.spreads, strict=True):
        assert ours.noises == theirs.noises
        assert ours.correlation == pytest.approx(theirs.correlation, abs=1e-6)
    assert cut.turned_spreads == learnt.turned_spreads
    # Blocks of the calibration begin with each tile.
    assert cut.calibration.alarm_level == pytest.approx(learnt.calibration.alarm_level, rel=0.1)


def test_a_few_lines_in_what_is_learnt_hardly_move_it(learnt) -> None:
    contrast = uneven(600)
    contrast[0, 100:160, 20:22] += 0.3
    turned = even_turned(600)
    turned[10:30, 700:702] += 0.3
    spoiled = learn_lines([strip_of(contrast, turned)], TARGET)
    for ours, theirs in (
        (spoiled.spreads, learnt.spreads),
        (spoiled.turned_spreads, learnt.turned_spreads),
    ):
        noises = [[one.noises for one in spreads] for spreads in (ours, theirs)]
        np.testing.assert_allclose(*noises, rtol=0.1)
    scores = spoiled.normalise(strip_of(contrast, turned))
    assert scores[110:150, 10].min() > 1
    assert scores[350, 14:26].min() > 1


@pytest.mark.parametrize("stride", [4, 8, 16])
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 9), st.integers(0, 9))
def test_lines_are_the_same_to_the_bit_however_the_web_is_cut(
    stride, top, left, size, seed
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (30 * stride, 28 * stride)).astype("u1")
    strips = strips_per_cell(stride)
    median = torch.linspace(-0.2, 0.2, 2 * 28 * strips).reshape(2, -1)
    spreads = (LineSpread((0.01, 0.02), 0.4),) * len(LINES), (LineSpread((0.01,)),) * len(LINES)
    medians = median, torch.linspace(-0.1, 0.1, 28)
    profile = LineProfile(*medians, 0, strips, *spreads, Calibration(1.0, 6.0, 99, 1.0))
    above, before = max(top - LINE_HALO, 0), max(left - LINE_HALO, 0)
    below, beyond = top + size + LINE_HALO, left + size + LINE_HALO
    piece = pixels[above * stride : below * stride, before * stride : beyond * stride]
    found = profile.normalise(seen_of(piece, stride, before))
    core = found[top - above :, left - before :][:size, :size]
    whole = profile.normalise(seen_of(pixels, stride))[top:, left:][:size, :size]
    np.testing.assert_array_equal(core, whole)


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, 19), min_size=1))
def test_a_strip_that_was_never_seen_borrows_from_the_nearest(seen) -> None:
    contrast = np.full((CHANNELS, 9, 20), np.nan, np.float32)
    contrast[:, :, sorted(seen)] = np.array(sorted(seen), np.float32)
    found = learn_lines([strip_of(contrast)], TARGET)
    expected = [min(seen, key=lambda k: (abs(k - place), k)) for place in range(20)]
    assert found.median[0].tolist() == expected


@pytest.mark.parametrize("spread", [0.0, 1e-5])
def test_an_even_web_does_not_alarm_at_less_than_a_camera_wanders(spread) -> None:
    turned = np.random.default_rng(3).normal(0, spread, (32, 800)).astype(np.float32)
    even = learn_lines([strip_of(uneven(400, 0, spread), turned)], TARGET)
    assert {one.noises for one in even.spreads} == {(LEAST_NOISE,) * 2}
    assert {one.noises for one in even.turned_spreads} == {(LEAST_NOISE,)}
    assert even.alarm_percent == pytest.approx(100 * LEAST_LEVEL * LEAST_NOISE, rel=0.01)
    assert even.normalise(strip_of(uneven(50, 1, spread), turned[:, :100])).max() < 0.1


def test_alarm_percent_is_what_raises_the_alarm(learnt) -> None:
    contrast = np.repeat(learnt.median.numpy()[:, None], 80, axis=1)
    contrast[0, :, 30] += np.float32(np.log(1 - learnt.alarm_percent / 100))
    turned = np.repeat(learnt.turned.numpy()[:, None], 160, axis=1)
    assert learnt.normalise(strip_of(contrast, turned))[40, 15] == pytest.approx(1, abs=0.01)


def test_what_is_no_profile_of_lines_is_refused(learnt) -> None:
    again = LineProfile.of(learnt.description, learnt.median, learnt.turned)
    assert again.description == learnt.description
    for changes, rule in (
        ({"median": learnt.median[0]}, r"median of lines must be \(2, strips\)"),
        ({"median": learnt.median * float("nan")}, "median of lines must be finite"),
        ({"turned": learnt.turned[1:]}, r"median of turned lines must be \(32,\)"),
        ({"turned": learnt.turned * float("nan")}, "median of lines must be finite"),
        ({"spreads": learnt.spreads[1:]}, "spreads of lines must be 10 of 2 noises"),
        ({"turned_spreads": learnt.spreads}, "spreads of lines must be 10 of 1 noises"),
        ({"strips": 0}, "strips of a cell must be > 0"),
        ({"lines": LINES[1:]}, r"lines must be .*learn the profile again"),
    ):
        with pytest.raises(ValueError, match=rule):
            replace(learnt, **changes)


def simulated(seed: int) -> np.ndarray:
    """1.4 m of clean web, 256 pixels of 0.2 mm wide."""
    chosen = SimulatorSource(seed=seed, columns=256, clean_m=1.5, defects_per_m=0)
    source = open_source(chosen, Web(pixel_mm=0.2))
    pixels = new_buffer(source.format, 7000)
    source.read_into(pixels)
    source.close()
    return pixels


@pytest.mark.parametrize("seed", [8, 9])
def test_simulated_scratches_and_threads_stand_out_and_clean_web_does_not(seed) -> None:
    """Faint ones, planted in the pixels of 0.2 mm: 2 or 4 wide, half or a seventh brighter."""
    pixels = simulated(seed)
    learnt = learn_lines([seen_of(pixels[:4480], 8)], TARGET)
    clean = pixels[4480:]
    assert learnt.normalise(seen_of(clean, 8)).max() < 1
    spoiled = clean.astype(np.float32)
    spoiled[800:1400, 120:122] *= 1.5
    spoiled[2000:2004, 40:240] *= 1.3
    found = learnt.normalise(seen_of(spoiled.clip(0, 255).astype(np.uint8), 8))
    assert found[105:170, 15].max() > 1
    assert found[249:251, 8:27].max() > 1
    plain = learnt.normalise(seen_of(clean, 8))
    assert plain[249:251, 8:27].max() < 0.8


def flickering(pixels: np.ndarray, share: float) -> np.ndarray:
    """By `share` up and down, every 20 lines: 100 Hz at 2000 lines a second; dithered."""
    wave = 1 + share * np.sin(2 * np.pi * np.arange(len(pixels)) / 20)
    dither = np.random.default_rng(1).random(pixels.shape)
    return np.floor(pixels * wave[:, None] + dither).clip(0, 255).astype(np.uint8)


def test_a_lamp_that_begins_to_flicker_a_little_is_no_thread_across_the_web() -> None:
    pixels = simulated(8)
    learnt = learn_lines([seen_of(pixels[:4480], 8)], TARGET)
    little, much = (
        learnt.normalise(seen_of(flickering(pixels[4480:], share), 8)).max()
        for share in (0.01, 0.1)
    )
    assert little < 1 < much
