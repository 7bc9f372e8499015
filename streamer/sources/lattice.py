"""Noise that is a function of a key and a position alone; knows nothing of webs and surfaces."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable

Floats: TypeAlias = npt.NDArray[np.float32]
Places: TypeAlias = npt.NDArray[np.int64]

CHUNK_LINES = 64
"""Lines are always computed in chunks of this many, so that block sizes cannot change a bit."""

_POOL_SIZE = 1 << 18


def noise_key(seed: int, purpose: str) -> int:
    """64-bit key of an independent stream of noise."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest())


def generator(seed: int, purpose: str) -> np.random.Generator:
    """A counter-based generator that starts at the key of `purpose`."""
    return np.random.Generator(np.random.Philox(key=noise_key(seed, purpose)))


def hashed_bits(key: int, *indices: Places) -> npt.NDArray[np.uint64]:
    """64 random bits per element of the broadcast `indices` (splitmix64, Steele et al. 2014)."""
    bits = np.full(1, key, np.uint64)
    for index in indices:
        bits = bits ^ (index.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        bits = bits ^ (bits >> np.uint64(31))
    return bits


def hashed(key: int, *indices: Places) -> Floats:
    """Uniform numbers in [-1, 1) per element of the broadcast `indices`."""
    bits = hashed_bits(key, *indices) >> np.uint64(40)  # as many as a float32 holds exactly
    return bits.astype(np.float32) / np.float32(1 << 23) - np.float32(1)


def smooth_weights(fraction: npt.NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Weights of both neighbours; their squares sum to 1, so noise keeps its variance between."""
    second = fraction * fraction * (3 - 2 * fraction)
    scale = np.sqrt((1 - second) ** 2 + second**2)
    return ((1 - second) / scale).astype(np.float32), (second / scale).astype(np.float32)


def value_noise(key: int, row: int, positions: npt.NDArray[np.float64]) -> Floats:
    """Smooth noise at `positions`, standard deviation 1, correlated over about one unit."""
    node = np.floor(positions)
    first, second = smooth_weights(positions - node)
    places, rows = node.astype(np.int64), np.full(1, row, np.int64)
    left, right = hashed(key, rows, places), hashed(key, rows, places + 1)
    return (first * left + second * right) * np.float32(np.sqrt(3))


def chunk_lines(chunk: int) -> Places:
    """(CHUNK_LINES,) line numbers of a chunk."""
    return np.arange(CHUNK_LINES, dtype=np.int64) + chunk * CHUNK_LINES


def blend_rows(chunk: int, row: Callable[[int], Floats]) -> Floats:
    """(CHUNK_LINES, columns) noise between lattice rows `chunk` and `chunk + 1`, same variance."""
    first, second = smooth_weights(np.arange(CHUNK_LINES) / CHUNK_LINES)
    field = first[:, None] * row(chunk)
    field += second[:, None] * row(chunk + 1)
    return field


def slide_rows(chunk: int, row: Callable[[int], Floats]) -> Floats:
    """(CHUNK_LINES, columns) positions that move smoothly from row `chunk` to `chunk + 1`."""
    fraction = np.arange(CHUNK_LINES, dtype=np.float32) / CHUNK_LINES
    weight = fraction * fraction * (3 - 2 * fraction)
    start = row(chunk)
    field = weight[:, None] * (row(chunk + 1) - start)
    field += start
    return field


class NoisePool:
    """Endless rows of noise: each line reads a finite pool from a place of its own."""

    def __init__(self, key: int, samples: Floats, columns: int) -> None:
        """`samples` must be stationary and long against `columns` for rows to look independent."""
        self._key = key
        self._size = len(samples)
        repeated = np.resize(samples, self._size + columns - 1)
        self._windows = np.lib.stride_tricks.sliding_window_view(repeated, columns)

    def lines(self, lines: Places) -> Floats:
        """(len(lines), columns) noise of these line numbers."""
        start = hashed_bits(self._key, lines) % np.uint64(self._size)
        return self._windows[start.astype(np.int64)]


def white_pool(seed: int, purpose: str, columns: int) -> NoisePool:
    """Gaussian noise, standard deviation 1, no correlation."""
    samples = generator(seed, purpose).standard_normal(_POOL_SIZE, np.float32)
    return NoisePool(noise_key(seed, purpose + " place"), samples, columns)


def streaky_pool(seed: int, purpose: str, columns: int, length_px: float) -> NoisePool:
    """Noise along the line that is correlated over `length_px`, standard deviation 1."""
    samples = generator(seed, purpose).standard_normal(_POOL_SIZE, np.float32)
    frequency = np.fft.rfftfreq(_POOL_SIZE)
    smoothed = np.fft.irfft(np.fft.rfft(samples) * np.exp(-((frequency * length_px) ** 2) * 4))
    smoothed /= smoothed.std()
    return NoisePool(noise_key(seed, purpose + " place"), smoothed.astype(np.float32), columns)
