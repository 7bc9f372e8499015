import re

import numpy as np
import pytest

from streamer.correction.flat_field import LightReference, bad_columns
from streamer.correction.light_target import TargetMeter, reference_faults, target_faults

FULL_WELL, DARK_NOISE = 10_000, 20  # electrons


def exposed(reflectance: np.ndarray, bits: int = 8, seed: int = 0) -> np.ndarray:
    """(lines, columns) of light as a line camera with photon noise shows it."""
    full, random = (1 << bits) - 1, np.random.default_rng(seed)
    spread = np.sqrt(reflectance / FULL_WELL + (DARK_NOISE / FULL_WELL) ** 2)
    noisy = reflectance + random.normal(size=reflectance.shape) * spread
    return np.clip(noisy * full + 0.5, 0, full).astype(f"u{bits // 8}")


def lit(lines: int = 300, columns: int = 800) -> np.ndarray:
    pixels = np.random.default_rng(5).uniform(0.98, 1.02, columns)
    return np.tile((1 - 0.3 * np.linspace(-1, 1, columns) ** 2) * 0.75 * pixels, (lines, 1))


def metered(pixels: np.ndarray) -> TargetMeter:
    meter = TargetMeter(pixels.shape[1], 1 if pixels.ndim == 2 else pixels.shape[2])
    for first in range(0, len(pixels), 77):
        meter.add(pixels[first : first + 77])
    return meter


def faults(pixels: np.ndarray, role="white") -> str:
    return "; ".join(target_faults(metered(pixels), role))


def streaks(light: np.ndarray) -> str:
    white = metered(exposed(light)).mean().astype(np.float32)
    return "; ".join(reference_faults(LightReference(8, white)))


@pytest.mark.parametrize("bits", [8, 16])
def test_an_even_white_with_fall_off_and_unequal_pixels_is_accepted(bits):
    pixels = exposed(lit(), bits)
    assert faults(pixels) == ""
    assert reference_faults(LightReference(bits, metered(pixels).mean().astype(np.float32))) == ()


def test_three_colours_and_a_picture_without_noise_are_accepted():
    assert faults(np.repeat(exposed(lit())[:, :, None], 3, axis=2)) == ""
    assert faults(np.full((64, 50), 200, np.uint8)) == ""


def test_block_sizes_do_not_matter():
    pixels, whole = exposed(lit(columns=100)), TargetMeter(100, 1)
    whole.add(pixels)
    parts = metered(pixels)
    assert np.allclose(whole.variance, parts.variance)
    assert np.allclose(whole.step_variance, parts.step_variance)
    assert np.allclose(whole.mean(), pixels.mean(axis=0)[:, None])
    assert whole.likeness == pytest.approx(parts.likeness)


def test_noise_meets_its_definition():
    meter = metered(np.random.default_rng(1).integers(100, 150, (600, 300)).astype(np.uint8))
    assert np.median(meter.variance / meter.step_variance) == pytest.approx(1, abs=0.05)
    assert abs(meter.likeness) < 0.02


def test_streaks_are_named_with_columns_and_figures():
    light = lit()
    light[:, 300:320] *= 0.9
    light[:, 500:505] *= 1.06
    said = streaks(light)
    told = re.search(r"got columns 300-319 (.*) % darker, columns 500-504 (.*) % brighter", said)
    assert told is not None
    assert [float(share) for share in told.groups()] == pytest.approx([10, 6], abs=2.5)
    assert said.endswith("than beside them; clean target, lamp and lens")


def test_a_wide_smear_is_a_streak_too():
    light = lit(columns=2000)
    light[:, 800:920] *= 0.8
    assert re.search(r"got columns (79\d|80\d)-9\d\d (19|20)\.\d % darker than", streaks(light))


def test_many_streaks_are_not_all_named():
    light = lit(columns=2000)
    for first in range(100, 1900, 100):
        light[:, first : first + 10] *= 0.8
    said = streaks(light)
    assert said.count("columns") == 4
    assert "darker and others than beside them" in said


def test_streaks_near_the_ends_are_found():
    light = lit()
    light[:, 5:15] *= 0.7
    light[:, -15:-5] *= 0.7
    assert re.search(r"columns [45]-1[45] .*columns 78[45]-79[45]", streaks(light))


def test_dead_pixels_are_no_dirt():
    light = lit()
    light[:, [300, 301, 500]] = 0.001
    white = metered(exposed(light)).mean().astype(np.float32)
    reference = LightReference(8, white)
    assert reference_faults(reference) == ()
    assert bad_columns(reference) == (300, 301, 500)


def test_specks_that_pass_are_named():
    light = lit()
    light[100:150, 500:510] *= 0.7
    assert "still and plain, got columns 500-509 that change 9 times" in faults(exposed(light))


def test_a_texture_that_moves_is_refused():
    waves = 1 + 0.15 * np.sin(np.arange(300)[:, None] / 4 + np.arange(800) / 7)
    assert "still and plain, got a spread over lines of" in faults(exposed(lit() * waves))
    faint = 1 + 0.015 * np.sin(np.arange(300)[:, None] / 4 + np.arange(800) / 7)
    assert "times those from line to line" in faults(exposed(lit() * faint))


def test_fine_grain_that_moves_is_refused():
    grain = np.repeat(np.random.default_rng(3).normal(1, 0.02, (300, 400)), 2, axis=1)
    assert "neighbouring columns that change together" in faults(exposed(lit() * grain))


def test_light_that_flickers_is_refused():
    flicker = 1 + 0.06 * np.sin(np.arange(300) / 5)[:, None]
    assert "light must be steady within 2 %, got 4." in faults(exposed(lit() * flicker))


@pytest.mark.parametrize(
    ("scale", "text"),
    [
        (1.6, r"white target must stay below full scale, got columns \d+-\d+.* with up to 100.0 %"),
        (0.2, r"white target must reach 20 % of full scale, got 13.\d %; more exposure"),
    ],
)
def test_exposures_that_do_not_serve_are_refused(scale, text):
    with pytest.raises(AssertionError, match=text):
        assert faults(exposed(lit() * scale)) == ""


def test_a_dark_reference_must_be_dark():
    assert faults(exposed(np.full((100, 50), 0.02)), "dark") == ""
    assert "dark target must be below 20 % of full scale, got 74." in faults(
        exposed(np.full((100, 50), 0.745)), "dark"
    )
    even = np.full((50, 1), 40, np.float32)
    assert "white must be at least 10 % of full scale above dark, got 7.8 %" in "".join(
        reference_faults(LightReference(8, even, even / 2))
    )


def test_a_few_lines_prove_nothing():
    assert faults(exposed(lit(63))) == "white target must have >= 64 lines, got 63"


def test_another_width_is_refused():
    meter = TargetMeter(10, 1)
    with pytest.raises(ValueError, match=r"target must be \(10, 1\) columns and channels, got"):
        meter.add(np.zeros((5, 11), np.uint8))
