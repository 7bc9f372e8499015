"""Noise by key and position: repeatable, independent, of even strength; knows no surface."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.sources.lattice import (
    CHUNK_LINES,
    NoisePool,
    blend_rows,
    chunk_lines,
    generator,
    hashed,
    hashed_bits,
    noise_key,
    slide_rows,
    smooth_weights,
    streaky_pool,
    value_noise,
    white_pool,
)

PLACES = np.arange(20_000, dtype=np.int64)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_a_key_depends_on_seed_and_purpose():
    keys = {noise_key(seed, purpose) for seed in (0, 1, 2**80) for purpose in ("a", "b")}

    assert len(keys) == 6


@pytest.mark.parametrize("seed", [0, 1, 2**64, 2**200])
def test_a_key_fits_64_bits_for_any_seed(seed: int):
    assert 0 <= noise_key(seed, "anything") < 2**64


def test_a_generator_starts_over_at_its_purpose():
    first, again = generator(3, "x"), generator(3, "x")

    assert first.integers(1 << 60) == again.integers(1 << 60)
    assert generator(3, "x").integers(1 << 60) != generator(3, "y").integers(1 << 60)


def test_hash_of_an_element_does_not_depend_on_its_neighbours():
    whole = hashed_bits(7, PLACES)

    assert np.array_equal(hashed_bits(7, PLACES[123:130]), whole[123:130])


def test_hash_broadcasts_its_indices():
    rows, columns = np.arange(3)[:, None], np.arange(5)[None, :]
    grid = hashed(9, rows, columns)

    assert grid.shape == (3, 5)
    assert grid[2, 4] == hashed(9, np.array([2]), np.array([4]))[0]


def test_hash_tells_the_order_of_indices():
    one, two = np.array([1]), np.array([2])

    assert hashed(9, one, two)[0] != hashed(9, two, one)[0]


def test_hashed_numbers_are_uniform_between_minus_one_and_one():
    numbers = hashed(1, PLACES)

    assert numbers.dtype == np.float32
    assert numbers.min() >= -1
    assert numbers.max() < 1
    counts, _ = np.histogram(numbers, bins=10, range=(-1, 1))
    assert counts.min() > 0.9 * counts.mean()
    assert counts.max() < 1.1 * counts.mean()


def test_hashed_numbers_of_neighbours_and_keys_are_uncorrelated():
    numbers = hashed(1, PLACES)

    assert abs(correlation(numbers[1:], numbers[:-1])) < 0.03
    assert abs(correlation(numbers, hashed(2, PLACES))) < 0.03


@given(st.floats(0, 1, exclude_max=True))
def test_smooth_weights_keep_the_variance(fraction: float):
    first, second = smooth_weights(np.array([fraction]))

    assert first[0] ** 2 + second[0] ** 2 == pytest.approx(1, abs=1e-6)


def test_value_noise_has_unit_deviation_everywhere_between_its_nodes():
    for offset in (0.0, 0.25, 0.5, 0.9):
        noise = value_noise(5, 0, PLACES + offset)
        assert noise.std() == pytest.approx(1, abs=0.03)
        assert abs(noise.mean()) < 0.03


def test_value_noise_is_continuous_across_nodes():
    before, after = value_noise(5, 0, PLACES - 1e-7), value_noise(5, 0, PLACES + 0.0)

    assert np.abs(before - after).max() < 1e-4


def test_value_noise_rows_are_independent():
    positions = PLACES.astype(np.float64)

    assert abs(correlation(value_noise(5, 0, positions), value_noise(5, 1, positions))) < 0.03


def test_chunk_lines_follow_each_other():
    assert chunk_lines(0)[0] == 0
    assert chunk_lines(3)[-1] + 1 == chunk_lines(4)[0]


@pytest.mark.parametrize("between", [blend_rows, slide_rows])
def test_rows_meet_at_chunk_borders(between):
    def row(number: int) -> np.ndarray:
        return value_noise(8, number, np.arange(50) / 3)

    upper, lower = between(4, row), between(5, row)

    assert upper.shape == (CHUNK_LINES, 50)
    assert np.array_equal(upper[0], row(4))
    assert np.array_equal(lower[0], row(5))
    assert np.abs(lower[0] - upper[-1]).max() < 0.01


def test_blended_rows_keep_their_strength_in_the_middle_of_a_chunk():
    field = blend_rows(0, lambda number: value_noise(8, number, np.arange(5000.0)))

    assert field[CHUNK_LINES // 2].std() == pytest.approx(field[0].std(), rel=0.05)


def test_slid_rows_do_not_leave_their_ends():
    field = slide_rows(0, lambda number: np.full(3, 10.0 * number, np.float32))

    assert field.min() == 0
    assert 9.9 < field.max() <= 10


@settings(max_examples=30, deadline=None)
@given(first=st.integers(0, 10**12), count=st.integers(1, 40))
def test_pool_lines_depend_on_their_number_alone(first: int, count: int):
    pool = NoisePool(11, generator(0, "pool").standard_normal(997, np.float32), 64)
    lines = np.arange(first, first + count, dtype=np.int64)

    whole = pool.lines(lines)

    assert whole.shape == (count, 64)
    assert np.array_equal(pool.lines(lines[count // 2 :]), whole[count // 2 :])


def test_pool_may_be_shorter_than_the_web_is_wide():
    samples = np.arange(10, dtype=np.float32)
    lines = NoisePool(1, samples, 25).lines(np.arange(30))

    assert np.array_equal(np.diff(lines, axis=1) % 10, np.ones((30, 24)))


def test_white_pool_is_gaussian_and_uncorrelated_along_and_across_lines():
    noise = white_pool(1, "white", 600).lines(np.arange(500))

    assert noise.std() == pytest.approx(1, abs=0.02)
    assert (np.abs(noise) > 3).mean() == pytest.approx(0.0027, abs=0.001)
    assert abs(correlation(noise[:, 1:], noise[:, :-1])) < 0.02
    assert abs(correlation(noise[1:], noise[:-1])) < 0.02


def test_streaky_pool_is_correlated_along_the_line_only():
    noise = streaky_pool(1, "streaks", 600, 6.0).lines(np.arange(500))

    assert noise.std() == pytest.approx(1, abs=0.05)
    assert correlation(noise[:, 2:], noise[:, :-2]) > 0.5
    assert abs(correlation(noise[:, 60:], noise[:, :-60])) < 0.05
    assert abs(correlation(noise[1:], noise[:-1])) < 0.05
