"""Textures of many kinds, and what lies beside them; numbers follow from the seed alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Callable

    Texture = Callable[[int, int, int], np.ndarray]


def _weave(lines: int, columns: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:lines, 0:columns]
    down, across = rng.uniform(0.5, 1.5, 2)
    return 120 + 35 * np.sin(y * down) * np.sin(x * across) + rng.normal(0, 8, y.shape)


def _leather(lines: int, columns: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, (lines, columns))
    grain = ndimage.gaussian_filter(noise, 3)
    return 110 + 25 * grain / grain.std() + 6 * noise


def _stripes(lines: int, columns: int, seed: int) -> np.ndarray:
    """Coloured stripes of random width along the lines' ends, as of a curtain fabric."""
    rng = np.random.default_rng(seed)
    levels = np.repeat(rng.uniform(50, 200, columns // 6 + 1), rng.integers(6, 30))[:columns]
    return levels[None] + rng.normal(0, 12, (lines, columns))


def _noise(lines: int, columns: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(rng.uniform(60, 180), rng.uniform(4, 25), (lines, columns))


def _shaded(lines: int, columns: int, seed: int) -> np.ndarray:
    """A weave in light that falls off to all sides, to two thirds at the corners."""
    y, x = np.mgrid[-1 : 1 : lines * 1j, -1 : 1 : columns * 1j]
    return _weave(lines, columns, seed) * (1 - 0.2 * x**2 - 0.13 * y**2)


TEXTURES: dict[str, Texture] = {
    "weave": _weave,
    "leather": _leather,
    "stripes": _stripes,
    "noise": _noise,
    "shaded": _shaded,
}


def to_bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


@pytest.fixture(params=sorted(TEXTURES))
def texture(request: pytest.FixtureRequest) -> Texture:
    """(lines, columns, seed) to uint8, one kind after the other."""
    kind = TEXTURES[request.param]
    return lambda lines, columns, seed: to_bytes(kind(lines, columns, seed))


@pytest.fixture
def weave() -> Texture:
    return lambda lines, columns, seed: to_bytes(_weave(lines, columns, seed))
