"""The sensor: exact without noise, photon-like with it, and free of edge effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamer.config import SimulatorSource
from streamer.sources.lattice import CHUNK_LINES
from streamer.sources.sensor import Sensor

WIDTH = 500
EVERY = slice(None)


def sensor(**changes: Any) -> Sensor:
    return Sensor(SimulatorSource(**({"columns": WIDTH, "rolloff": 0.0} | changes)))


def grey(level: float, lines: int = CHUNK_LINES) -> np.ndarray:
    return np.full((lines, WIDTH), level, np.float32)


@pytest.mark.parametrize(("bits", "dtype", "full"), [(8, np.uint8, 255), (16, np.uint16, 65535)])
def test_without_noise_a_level_is_rounded_to_the_nearest_step(bits: int, dtype: type, full: int):
    exact = sensor(noise=0.0, bits=bits)

    for level in (0.0, 0.25, 0.5, 1.0):
        pixels = exact.expose(grey(level), exact.noise(0), EVERY)
        assert pixels.dtype == dtype
        assert np.all(pixels == int(level * full + 0.5))


def test_noise_zero_draws_nothing():
    assert sensor(noise=0.0).noise(5) == ()


def test_light_beyond_full_scale_saturates():
    exact = sensor(noise=0.0)

    assert np.all(exact.expose(grey(1.7), (), EVERY) == 255)
    assert np.all(exact.expose(grey(-0.2), (), EVERY) == 0)


@pytest.mark.parametrize("level", [0.05, 0.2, 0.8])
def test_the_variance_of_the_noise_is_that_of_the_photons_and_the_dark(level: float):
    noisy = sensor(bits=16)
    pixels = noisy.expose(grey(level), noisy.noise(0), EVERY) / 65535

    assert (pixels * 10_000).var() == pytest.approx(10_000 * level + 20**2, rel=0.05)


def test_the_multiplier_scales_the_noise():
    spread = [
        (lambda s: s.expose(grey(0.5), s.noise(0), EVERY).std())(sensor(bits=16, noise=noise))
        for noise in (1.0, 3.0)
    ]

    assert spread[1] == pytest.approx(3 * spread[0], rel=0.01)


def test_noise_has_no_bias():
    noisy = sensor(bits=16, noise=2.0)
    pixels = noisy.expose(grey(0.5), noisy.noise(0), EVERY)

    assert pixels.mean() == pytest.approx(0.5 * 65535, rel=0.001)


def test_noise_follows_seed_and_chunk():
    one, again, other = sensor(seed=1), sensor(seed=1), sensor(seed=2)

    assert np.array_equal(one.noise(3)[0], again.noise(3)[0])
    assert not np.array_equal(one.noise(3)[0], one.noise(4)[0])
    assert not np.array_equal(one.noise(3)[0], other.noise(3)[0])


def test_light_rolls_off_towards_both_edges():
    pixels = sensor(noise=0.0, rolloff=0.4, bits=16).expose(grey(1.0, 1), (), EVERY)[0] / 65535

    assert pixels[WIDTH // 2] == pytest.approx(1, abs=1e-3)
    assert pixels[0] == pytest.approx(0.6, abs=0.005)
    assert np.array_equal(pixels, pixels[::-1])
    assert np.all(np.diff(pixels[: WIDTH // 2]) >= 0)


def test_colour_is_slightly_warm_and_noisy_in_each_channel():
    colour = sensor(channels=3, bits=16)
    pixels = colour.expose(grey(0.5), colour.noise(0), EVERY).astype(float)

    assert pixels.shape == (CHUNK_LINES, WIDTH, 3)
    red, green, blue = pixels.mean(axis=(0, 1))
    assert red > green > blue > 0.7 * red
    correlation = np.corrcoef(pixels.reshape(-1, 3).T)
    assert np.abs(correlation - np.eye(3)).max() < 0.03


@pytest.mark.parametrize("channels", [1, 3])
def test_a_part_exposed_alone_equals_the_part_of_the_whole(channels: int):
    camera = sensor(channels=channels, rolloff=0.3)
    surface = np.random.default_rng(0).random((CHUNK_LINES, WIDTH), np.float32)
    noise = camera.noise(2)
    whole = camera.expose(surface, noise, EVERY)

    for rows, columns in ((slice(3, 4), slice(7, 90)), (slice(10, 61), slice(WIDTH - 5, WIDTH))):
        part = tuple(layer[rows, columns] for layer in noise)
        alone = camera.expose(surface[rows, columns], part, columns)
        assert np.array_equal(alone, whole[rows, columns])


def test_exposing_leaves_the_surface_as_it_was():
    camera, surface = sensor(), grey(0.5)
    camera.expose(surface, camera.noise(0), EVERY)

    assert np.all(surface == 0.5)
