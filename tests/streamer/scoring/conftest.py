"""A backbone that is quick, local and pads like a convolution, and webs to show it."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch.nn import functional

from streamer.config import Config
from streamer.message import Halo, Interval, Tile
from streamer.ports import BackboneSpec
from streamer.scoring.features import ChannelScale
from streamer.scoring.lesson import Lesson
from streamer.web import WebGeometry

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

STRIDE = 8


class BlockBackbone:
    """Mean, spread and slopes of 8 x 8 blocks, summed over 3 x 3 blocks; 0..6 like a ReLU6."""

    def __init__(self, value_range: tuple[float, float] | None = (0.0, 6.0)) -> None:
        self.spec = BackboneSpec("blocks", STRIDE, 12, 4, "b10c", "torch:cpu", value_range)
        self.calls = 0
        self.broken = False

    def embed(self, pixels: np.ndarray) -> torch.Tensor:
        self.calls += 1
        grey = pixels.astype(np.float32) / (255 if pixels.dtype == np.uint8 else 65535)
        grey = grey.mean(2) if grey.ndim == 3 else grey
        rows, columns = (size // STRIDE for size in grey.shape)
        blocks = grey.reshape(rows, STRIDE, columns, STRIDE).transpose(0, 2, 1, 3)
        down = np.abs(np.diff(blocks, axis=2)).mean((2, 3))
        across = np.abs(np.diff(blocks, axis=3)).mean((2, 3))
        planes = np.stack([blocks.mean((2, 3)), 3 * blocks.std((2, 3)), 3 * down, 3 * across])
        summed = functional.avg_pool2d(torch.from_numpy(planes)[None], 3, 1, 1)[0]
        features = 6 * summed.clamp(0, 1)
        return features * torch.nan if self.broken else features

    def close(self) -> None:
        pass


@pytest.fixture
def backbone() -> BlockBackbone:
    return BlockBackbone()


@pytest.fixture
def unbounded_backbone() -> BlockBackbone:
    return BlockBackbone(value_range=None)


@pytest.fixture
def geometry() -> WebGeometry:
    return WebGeometry(256, 0.5, 0.5, 60.0)


@pytest.fixture
def settings() -> Config:
    small = {"lines": 128, "columns": 256}
    # Four channels need more levels than the 240 of a real backbone.
    scoring = {"levels": 16, "sigma_blur": 1.0}
    return Config.model_validate(
        {"tiles": small, "profile": {"bootstrap_m": 0.15}, "scoring": scoring}
    )


@pytest.fixture
def lesson(settings: Config, geometry: WebGeometry, backbone: BlockBackbone) -> Lesson:
    return Lesson.of(settings, geometry, backbone.spec)


@pytest.fixture
def web() -> Callable[..., np.ndarray]:
    """Woven, uneven texture with noise, (lines, columns) uint8, the same for the same seed."""

    def weave(lines: int, columns: int, seed: int = 0) -> np.ndarray:
        y, x = np.mgrid[0:lines, 0:columns]
        rng = np.random.default_rng(seed)
        coarse = rng.normal(0, 40, (-(-lines // 8), -(-columns // 8)))
        uneven = np.kron(coarse, np.ones((8, 8)))[:lines, :columns]
        pattern = 110 + 40 * np.sin(y * 0.9) * np.sin(x * 0.7) + uneven
        return np.clip(pattern + rng.normal(0, 12, pattern.shape), 0, 255).astype(np.uint8)

    return weave


@pytest.fixture
def tile_of() -> Callable[..., Tile]:
    """A tile whose core is all of `pixels`, 128 lines after the one before it."""

    def make(pixels: np.ndarray, sequence: int = 0, **changes: object) -> Tile:
        lines, columns = pixels.shape[:2]
        tile = Tile(
            "roll",
            "cam0",
            0,
            sequence,
            sequence * 128,
            lines,
            0,
            columns,
            Halo(),
            pixels,
            1000 + sequence,
            "c0ffee",
        )
        return replace(tile, **changes)

    return make


@pytest.fixture
def masked() -> tuple[Interval, ...]:
    return (Interval(100, 117),)


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, np.ndarray]]:
    """Reads a stored vector by its stem; features come as (C, H, W) tensors."""
    folder = Path(__file__).parents[2] / "golden"

    def read(stem: str) -> dict[str, np.ndarray]:
        with np.load(folder / f"{stem}.npz") as stored:
            vector = dict(stored)
        if "features" in vector:
            vector["features"] = torch.from_numpy(vector["features"]).permute(2, 0, 1).contiguous()
        return vector

    return read


@pytest.fixture
def unscaled() -> Callable[[int], ChannelScale]:
    """A scale that leaves features in 0..1 as they are."""

    def make(channels: int) -> ChannelScale:
        return ChannelScale(torch.zeros(channels), torch.ones(channels))

    return make


@pytest.fixture
def rectified() -> Callable[..., torch.Tensor]:
    """Features (C, H, W) in 0..1 of which half are zero, neighbours alike."""

    def make(shape: tuple[int, int, int], seed: int = 0) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        values = torch.randn(shape, generator=generator).clamp_(min=0)
        smooth = functional.avg_pool2d(values[None], 3, 1, 1)[0]
        return ((values + smooth) / 4).clamp(0, 1) * (values > 0)

    return make


@pytest.fixture(scope="session")
def rolling() -> ModuleType:
    """What the tests of rolling profiles share."""
    name = "linescan_rolling_line"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("rolling_line.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def line(backbone, tile_of, rolling):
    """A lane that knows nothing yet."""
    return rolling.Line(rolling.scorer_of(backbone), tile_of)


@pytest.fixture
def clean(web, rolling) -> Callable[[int], np.ndarray]:
    """A tile's worth of web, another one for each seed."""
    return lambda seed: web(rolling.LINES, rolling.COLUMNS, seed)
