import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from streamer.calibration import Calibration, CalibrationTarget
from streamer.config import Method, Scoring, SimulatorSource, Web
from streamer.scoring.brightness import (
    BOX,
    BOX_RADIUS,
    LEAST_ALARM,
    BrightnessProfile,
    LightStrip,
    brighter_or_darker,
    learn_brightness,
    log_brightness,
)
from streamer.sources import open_source
from streamer.sources.line_buffer import new_buffer
from streamer.web import WebGeometry

GEOMETRY = WebGeometry(256, 0.2, 0.2, 60.0)
TARGET = CalibrationTarget(GEOMETRY, 8, 9, 1.0)


def lit(rows: int, columns: int = 32, seed: int = 0) -> np.ndarray:
    """Log brightness of an even web under light that falls off to the right; 1 % noise."""
    falloff = np.log(np.linspace(0.8, 0.4, columns))
    noise = np.random.default_rng(seed).normal(0, 0.01, (rows, columns))
    return (falloff + noise).astype(np.float32)


@pytest.fixture(scope="module")
def learnt() -> BrightnessProfile:
    profile = learn_brightness([LightStrip(lit(400), 5)], TARGET)
    assert profile is not None
    return profile


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)])
@pytest.mark.parametrize("colours", [(), (3,)])
def test_brightness_of_a_plain_web_is_its_share_of_full_scale(dtype, top, colours) -> None:
    plain = np.full((48, 64, *colours), top // 5, dtype)
    light = log_brightness(plain, 8)
    assert light.shape == (6, 8)
    assert light.dtype == np.float32
    np.testing.assert_allclose(light, np.log((top // 5 + 1) / (top + 1)), rtol=1e-6)


def test_black_is_finite() -> None:
    assert np.isfinite(log_brightness(np.zeros((40, 40), np.uint8), 8)).all()


@pytest.mark.parametrize("stride", [1, 4, 8, 16])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_brightness_is_the_mean_of_mirrored_boxes(stride, dtype) -> None:
    """Against a loop over cells, on noise of the full range and sizes that hold no whole cells."""
    rng = np.random.default_rng(stride)
    shape = (7 * stride + stride // 2, 9 * stride + stride // 2)
    pixels = rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    whole = pixels[: 7 * stride, : 9 * stride].astype(np.float64)
    padded = np.pad(whole, BOX_RADIUS * stride, mode="symmetric")
    if stride > 1:  # mirrored are cells, not pixels: their means are the same
        cells = whole.reshape(7, stride, 9, stride).mean(axis=(1, 3))
        padded = np.kron(np.pad(cells, BOX_RADIUS, mode="symmetric"), np.ones((stride, stride)))
    side, top = BOX * stride, np.iinfo(dtype).max
    expected = [
        [
            np.log((padded[r : r + side, c : c + side].mean() + 1) / (top + 1))
            for c in range(0, 9 * stride, stride)
        ]
        for r in range(0, 7 * stride, stride)
    ]
    np.testing.assert_allclose(log_brightness(pixels, stride), expected, rtol=1e-5)


def test_colours_count_alike() -> None:
    rng = np.random.default_rng(3)
    rgb = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    np.testing.assert_array_equal(log_brightness(rgb, 8), log_brightness(rgb[:, :, ::-1], 8))


@given(st.integers(2, 20), st.integers(2, 20), st.integers(0, 9))
def test_a_piece_with_its_halo_equals_the_whole_to_the_bit(row, column, seed) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (192, 200)).astype(np.uint8)
    whole = log_brightness(pixels, 8)
    below = log_brightness(pixels[8 * (row - BOX_RADIUS) :, 8 * (column - BOX_RADIUS) :], 8)
    np.testing.assert_array_equal(below[BOX_RADIUS:, BOX_RADIUS:], whole[row:, column:])
    above = log_brightness(pixels[: 8 * (row + BOX_RADIUS), : 8 * (column + BOX_RADIUS)], 8)
    np.testing.assert_array_equal(above[:row, :column], whole[:row, :column])


@pytest.mark.parametrize("method", Method.__args__)
def test_every_halo_holds_the_box(method) -> None:
    assert Scoring(method=method, patch_size=5).halo_features >= BOX_RADIUS


def test_light_that_falls_off_across_the_web_is_normal(learnt) -> None:
    scores = learnt.normalise(lit(200, seed=1), 5)
    assert scores.max() < 1
    assert np.median(scores) == pytest.approx(0, abs=0.05)
    np.testing.assert_allclose(learnt.median, np.log(np.linspace(0.8, 0.4, 32)), atol=0.003)
    assert learnt.noise == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("gain", [0.85, 1.15])
def test_a_bar_of_another_density_is_an_alarm_in_both_directions(learnt, gain) -> None:
    light = lit(60, seed=2)
    light[20:30] += np.float32(np.log(gain))
    scores = learnt.normalise(light, 5)
    assert scores[20:30].min() > 1
    assert np.delete(scores, slice(20, 30), axis=0).max() < 1


def test_the_column_of_the_web_decides(learnt) -> None:
    part = learnt.deviation(lit(50, seed=4)[:, 10:20], 15)
    np.testing.assert_array_equal(part, learnt.deviation(lit(50, seed=4), 5)[:, 10:20])
    assert learnt.normalise(lit(50)[:, 10:20], 5).min() > 1  # taken for other columns


def test_beyond_what_was_learnt_the_nearest_column_counts(learnt) -> None:
    light = np.full((1, 40), learnt.median[0])
    scores = learnt.deviation(light, 0)
    assert (scores[0, :6] == 0).all()
    ends = np.full((1, 9), learnt.median[-1])
    assert (learnt.deviation(ends, 36) == 0).all()


def test_masked_cells_teach_nothing_and_stay_masked(learnt) -> None:
    light = lit(400)
    light[:, 8:12] = np.nan
    holed = learn_brightness([LightStrip(light, 5)], TARGET)
    assert torch.equal(holed.median[:8], learnt.median[:8])
    assert torch.equal(holed.median[12:], learnt.median[12:])
    borrowed = learnt.median[[7, 7, 12, 12]]
    assert torch.equal(holed.median[8:12], borrowed)
    assert np.isnan(holed.normalise(light, 5)[:, 8:12]).all()
    assert np.isfinite(holed.normalise(light, 5)[:, :8]).all()


@given(st.sets(st.integers(0, 19), min_size=1))
def test_a_column_that_was_never_seen_borrows_from_the_nearest(seen) -> None:
    light = np.full((9, 20), np.nan, np.float32)
    light[:, sorted(seen)] = np.array(sorted(seen), np.float32)  # each tells its own place
    learnt = learn_brightness([LightStrip(light, 3)], TARGET)
    assert learnt.first_column == 3
    expected = [min(seen, key=lambda k: (abs(k - place), k)) for place in range(20)]
    assert learnt.median.tolist() == expected


def test_nothing_but_mask_teaches_nothing() -> None:
    hidden = np.full((20, 9), np.nan, np.float32)
    assert learn_brightness([LightStrip(hidden, 0)], TARGET) is None
    assert learn_brightness([], TARGET) is None


def test_lanes_are_joined_and_their_order_does_not_matter(learnt) -> None:
    light = lit(400)
    left, right = LightStrip(light[:, :16], 5), LightStrip(light[:, 16:], 21)
    for strips in ([left, right], [right, left]):
        joined = learn_brightness(strips, TARGET)
        assert joined.first_column == 5
        assert torch.equal(joined.median, learnt.median)
        assert joined.noise == learnt.noise


def test_a_tenth_of_dark_web_hardly_moves_what_is_normal(learnt) -> None:
    light = lit(400)
    light[100:140] -= 0.3
    spoiled = learn_brightness([LightStrip(light, 5)], TARGET)
    assert float((spoiled.median - learnt.median).abs().max()) < 0.3 * learnt.noise
    assert spoiled.normalise(light, 5)[100:140].min() > 1


@pytest.mark.parametrize("spread", [0.0, 1e-5])
def test_an_even_web_does_not_alarm_at_what_a_lamp_wanders(spread) -> None:
    light = np.random.default_rng(0).normal(-1, spread, (400, 32)).astype(np.float32)
    even = learn_brightness([LightStrip(light, 0)], TARGET)
    assert even.alarm_percent == pytest.approx(100 * (1 - np.exp(-LEAST_ALARM)), rel=0.01)
    assert even.normalise(light - np.float32(0.015), 0).max() < 1
    assert even.normalise(light - np.float32(0.03), 0).min() > 1


def test_alarm_percent_is_what_raises_the_alarm(learnt) -> None:
    dark = learnt.median.numpy()[None] + np.float32(np.log(1 - learnt.alarm_percent / 100))
    assert learnt.normalise(dark, 5) == pytest.approx(1, abs=1e-4)


@given(st.integers(0, 50))
def test_the_larger_of_both_counts_and_texture_stays_to_the_bit(seed) -> None:
    rng = np.random.default_rng(seed)
    texture = Calibration(0.3, 0.9, 0, 1.0)
    scores = rng.random((6, 7)).astype(np.float32) * 2
    brightness = rng.normal(0, 1, (6, 7)).astype(np.float32)
    raised = brighter_or_darker(scores, texture, brightness)
    expected = np.maximum(texture.normalise(scores), brightness)
    np.testing.assert_allclose(texture.normalise(raised), expected, atol=1e-5)
    kept = brightness <= texture.normalise(scores)
    np.testing.assert_array_equal(raised[kept], scores[kept])
    assert raised.dtype == np.float32


def test_masked_brightness_leaves_the_texture() -> None:
    scores = np.ones((2, 2), np.float32)
    hidden = np.full((2, 2), np.nan, np.float32)
    found = brighter_or_darker(scores, Calibration(0.0, 2.0, 0, 1.0), hidden)
    np.testing.assert_array_equal(found, scores)


@pytest.mark.parametrize(("seed", "bars", "stains"), [(8, 1, 3), (9, 0, 6), (11, 1, 2)])
def test_simulated_bars_and_stains_stand_out_and_clean_web_does_not(seed, bars, stains) -> None:
    """All that are 10 mm long or more; the simulated light falls off by 15 %."""
    made = SimulatorSource(columns=512, length_m=8, clean_m=3, defects_per_m=4, seed=seed)
    source = open_source(made, Web(pixel_mm=0.2))
    block = source.read_into(new_buffer(source.format, 40_000))
    light = log_brightness(block.pixels, 8)
    target = CalibrationTarget(replace(GEOMETRY, columns=512), 8, 9, 1.0)
    profile = learn_brightness([LightStrip(light[:937], 0)], target)  # 1.5 m
    scores = profile.normalise(light, 0)
    assert scores[: 15_000 // 8 - BOX_RADIUS].max() < 1
    planted = {"density_bar": 0, "stain": 0}
    for defect in json.loads(source.truth)["defects"]:
        if defect["kind"] in planted and defect["down_end_mm"] - defect["down_first_mm"] >= 10:
            lines = slice(defect["first_line"] // 8, -(-defect["end_line"] // 8))
            columns = slice(defect["first_column"] // 8, -(-defect["end_column"] // 8))
            assert scores[lines, columns].max() > 1, defect
            planted[defect["kind"]] += 1
    assert planted == {"density_bar": bars, "stain": stains}


def test_description_and_median_give_it_again(learnt) -> None:
    again = BrightnessProfile.of(json.loads(json.dumps(learnt.description)), learnt.median)
    assert again.description == learnt.description
    assert again.calibration == learnt.calibration


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"median": torch.zeros(0)}, r"median of brightness must be \(columns,\), got \(0,\)"),
        ({"median": torch.tensor([1.0, torch.nan])}, "median of brightness must be finite"),
        ({"noise": 0.0}, "noise of brightness must be > 0, got 0.0"),
        ({"box": 3}, "box of brightness must be 5 cells .*linescan calibrate.*, got 3"),
    ],
)
def test_what_cannot_be_a_profile_is_refused(learnt, change, text) -> None:
    with pytest.raises(ValueError, match=text):
        replace(learnt, **change)
