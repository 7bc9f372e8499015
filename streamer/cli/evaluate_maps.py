"""Score maps of single images for `linescan evaluate`; knows no truth and no figure."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.cli.stills import require_whole_windows, still_lesson, still_of
from streamer.scoring import open_scorer
from streamer.scoring.image_scorer import score_image
from streamer.scoring.profile import TextureProfile, require_fit
from streamer.sources.decode import decode, read_header

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from streamer.config import Config
    from streamer.message import PixelArray, ScoreArray
    from streamer.ports import Backbone, BackboneSpec


@dataclass(frozen=True, slots=True, eq=False)
class ImageMap:
    """Scores (rows, columns) float32 of an image of (lines, columns), NaN where masked.

    Times are those that passed, and (`cpu`) those that the process computed.
    """

    image: str
    shape: tuple[int, int]
    scores: ScoreArray
    stride: int
    patch_size: int
    backbone_s: float
    scoring_s: float
    backbone_cpu_s: float = 0.0
    scoring_cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Maps:
    """What came of some images; a fault names its file."""

    maps: tuple[ImageMap, ...] = ()
    faults: tuple[str, ...] = ()


def clocks() -> NDArray[np.float64]:
    """Seconds that have passed and seconds that this process has computed, all threads."""
    return np.array([time.perf_counter(), time.process_time()])


class TimedBackbone:
    """A backbone that adds up what it took by `clocks`; see `ports.Backbone`."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self.seconds = np.zeros(2)

    @property
    def spec(self) -> BackboneSpec:
        """Of the backbone within."""
        return self._backbone.spec

    def embed(self, pixels: PixelArray) -> torch.Tensor:
        """Features of the backbone within."""
        started = clocks()
        features = self._backbone.embed(pixels)
        self.seconds = self.seconds + clocks() - started
        return features

    def close(self) -> None:
        """Close the backbone within."""
        self._backbone.close()


def score_stills(
    paths: Sequence[Path], config: Config, backbone: Backbone, *, normalised: bool
) -> Maps:
    """Each image by itself, or against `profile.file`, as `linescan inspect` does.

    An image that cannot be used becomes a fault.

    Raises:
        OSError, ValueError: the profile cannot be used.
    """
    saved = None if config.profile.file is None else TextureProfile.load(config.profile.file)
    if saved is not None:
        require_fit(saved, open_scorer(config.scoring), backbone.spec)
    maps, faults = [], []
    for path in paths:
        try:
            means = _Means(config, TimedBackbone(backbone), saved, normalised=normalised)
            maps.append(_score_still(path, means))
        except (OSError, RuntimeError, ValueError) as error:
            faults.append(named_fault(path, error))
    return Maps(tuple(maps), tuple(faults))


def warm_up(config: Config, backbone: Backbone) -> None:
    """Pay for everything that is slow the first time, on an image of noise."""
    side = config.scoring.patch_size * backbone.spec.stride * 2
    # A level by hand is for the user's images: noise may well score above it.
    unset = config.calibration.model_copy(update={"alarm_level": None})
    config = config.model_copy(update={"calibration": unset})
    noise = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
    _map_of("noise", noise, _Means(config, TimedBackbone(backbone), None, normalised=False))


def read_pixels(path: Path) -> PixelArray:
    """Pixels of an image file, (lines, columns[, 3]).

    Raises:
        ValueError, OSError: it cannot be read or is damaged.
    """
    return decode(path, read_header(path))


def named_fault(path: Path, error: Exception) -> str:
    """The fault with the path of its file in front."""
    rule = error.strerror or str(error) if isinstance(error, OSError) else str(error)
    rule = rule.removeprefix(f"{path.name}: ")
    return rule if str(path) in rule else f"{path}: {rule}"


@dataclass(frozen=True, slots=True)
class _Means:
    config: Config
    backbone: TimedBackbone
    saved: TextureProfile | None
    normalised: bool


def _score_still(path: Path, means: _Means) -> ImageMap:
    return _map_of(str(path), read_pixels(path), means)


def _map_of(name: str, pixels: PixelArray, means: _Means) -> ImageMap:
    config, saved = means.config, means.saved
    started = clocks()
    still = still_of(pixels, config, has_profile=saved is not None)
    lesson = still_lesson(still, config, means.backbone.spec)
    if saved is not None:
        require_whole_windows(still, config, lesson)
    verdict = score_image(still, means.backbone, lesson, saved)
    embedding = means.backbone.seconds
    scoring = clocks() - started - embedding
    calibration = verdict.profile.calibration
    scores = calibration.normalise(verdict.scores) if means.normalised else verdict.scores
    return ImageMap(
        name,
        (pixels.shape[0], pixels.shape[1]),
        np.asarray(scores, np.float32),
        verdict.stride,
        verdict.patch_size,
        *np.stack([embedding, scoring], axis=1).ravel().tolist(),
    )
