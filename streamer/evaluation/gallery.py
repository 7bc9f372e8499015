"""Which images to show, worst and best first, and their pictures; knows no file and no page."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamer.evaluation.upsampling import judged, upsample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8] | NDArray[np.uint16]

AREA = 400 * 300  # of a picture in pixels
LONGEST_SIDE = 1100
LARGEST_ENLARGEMENT = 4
QUALITY = 80
OUTLINE = (60, 220, 255)  # BGR
FRAME = (190, 190, 190)
HOTTEST_SHARE = 0.999  # of a class's scores; what is above has the hottest colour
MASKED_SHADE = 110  # of grey, where nothing is judged
WORST, CLEAN = 0.5, 0.25  # shares of the gallery; the rest are the best


@dataclass(frozen=True, slots=True)
class Case:
    """An image that may be shown.

    `figure` ranks images with defects, 1 is perfect, NaN: it has none; `figure_title` says which
    figure it is. `peak` is the highest score in units of the median peak of its class.
    `is_defective` (within the crop) is None when the truth is unknown.
    """

    set_name: str
    class_name: str
    name: str
    is_defective: bool | None
    figure: float
    figure_title: str
    peak: float

    @property
    def remark(self) -> str:
        """What ranks it, for people."""
        if self.is_defective and not math.isnan(self.figure):
            return f"{self.figure_title} {self.figure:.3f}"
        return f"peak {self.peak:.2f} x median of its class"


def choose_cases(cases: Sequence[Case], count: int) -> list[tuple[str, list[Case]]]:
    """At most `count` cases in groups with a title, the worst of each group first.

    Half are defects that were found worst, a quarter clean images with the highest peaks, the rest
    defects that were found best; images of unknown truth, highest peak first, fill what is left.
    Within a group the classes take turns, so that none fills it alone.
    """
    defective = [c for c in cases if c.is_defective and not math.isnan(c.figure)]
    clean = [case for case in cases if case.is_defective is False]
    unknown = [case for case in cases if case.is_defective is None]
    loudest = _in_turns(clean, _loudness, math.ceil(CLEAN * count))
    room = count - len(loudest)
    worst = _in_turns(defective, _badness, min(math.ceil(WORST * count), room))
    others = [case for case in defective if case not in worst]
    best = _in_turns(others, _goodness, room - len(worst))
    left = count - len(worst) - len(loudest) - len(best)
    groups = [
        ("Defects found worst", worst),
        ("Clean within the crop, highest scores", loudest),
        ("Defects found best", best),
        ("Truth unknown, highest scores", _in_turns(unknown, _loudness, left)),
    ]
    return [(title, chosen) for title, chosen in groups if chosen]


def relative_peaks(peaks: Sequence[float]) -> list[float]:
    """Peaks of a class in units of their median, so that classes compare; NaN stays NaN."""
    seen = [abs(peak) for peak in peaks if not math.isnan(peak)]
    middle = float(np.median(seen)) if seen else 0.0
    return [peak / (middle or 1.0) for peak in peaks]


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """The colours of the maps of a class: scores up to `low` are coldest, from `high` hottest."""

    low: float
    high: float

    @classmethod
    def over(cls, maps: Sequence[NDArray[np.float32]], crop_share: float) -> Heat:
        """From the median of what is judged to what `HOTTEST_SHARE` of it stays below."""
        inner = [scores[judged(scores.shape, crop_share)] for scores in maps]
        seen = [scores[~np.isnan(scores)] for scores in inner]
        joined = np.concatenate(seen) if seen else np.zeros(0, np.float32)
        if not joined.size:
            return cls(0.0, 1.0)
        low, high = np.quantile(joined, [0.5, HOTTEST_SHARE])
        return cls(float(low), float(max(high, low + 1e-12)))

    def draw(self, scores: NDArray[np.float32], shape: tuple[int, int], stride: int) -> str:
        """A map as a picture of its image's size, as a data URI."""
        full = _resized(upsample(scores, shape, stride))
        shade = np.clip((full - self.low) / (self.high - self.low), 0, 1)
        masked = np.isnan(full)
        colours = cv2.applyColorMap(
            (np.where(masked, 0, shade) * 255).astype(np.uint8), cv2.COLORMAP_INFERNO
        )
        colours[masked] = MASKED_SHADE
        return _as_uri(np.asarray(colours, np.uint8))


def draw_image(pixels: Pixels, mask: NDArray[np.uint8] | None, crop_share: float) -> str:
    """An image (lines, columns[, 3]) with the outline of its defects, as a data URI.

    A thin frame parts what is judged from what `crop_share` of each side leaves out.
    """
    picture = np.ascontiguousarray(_resized(_to_bgr(pixels)))
    rows, columns = judged(picture.shape, crop_share)
    if crop_share:
        corner = (columns.stop - 1, rows.stop - 1)
        cv2.rectangle(picture, (columns.start, rows.start), corner, FRAME)
    if mask is not None:
        small = _resized(mask.astype(np.float32))
        inside = (small > 0).astype(np.uint8)
        # The outline lies beside the defect, so that small ones are not painted over.
        around = cv2.dilate(inside, np.ones((5, 5), np.uint8)) - cv2.dilate(
            inside, np.ones((3, 3), np.uint8)
        )
        picture[around > 0] = OUTLINE
    return _as_uri(np.asarray(picture, np.uint8))


def draw_maps(
    maps: Mapping[str, tuple[NDArray[np.float32], int]],
    heats: Mapping[str, Heat],
    shape: tuple[int, int],
) -> dict[str, str]:
    """Data URI by run of its map (scores, stride) of an image of `shape`."""
    return {run: heats[run].draw(scores, shape, stride) for run, (scores, stride) in maps.items()}


def _in_turns(cases: Sequence[Case], rank: Callable[[Case], float], count: int) -> list[Case]:
    """At most `count` of the cases that rank lowest, the classes in turns, lowest first."""
    ordered = sorted(cases, key=rank)
    rounds: dict[tuple[str, str], int] = {}
    turns = []
    for case in ordered:
        turn = rounds.setdefault((case.set_name, case.class_name), 0)
        rounds[case.set_name, case.class_name] += 1
        turns.append((turn, case))
    chosen = [case for _, case in sorted(turns, key=lambda entry: entry[0])[:count]]
    return sorted(chosen, key=rank)


def _badness(case: Case) -> float:
    return case.figure


def _goodness(case: Case) -> float:
    return -case.figure


def _loudness(case: Case) -> float:
    return math.inf if math.isnan(case.peak) else -case.peak


def _resized(picture: NDArray[np.float32] | Pixels) -> NDArray[np.float32]:
    """To about `AREA`, within `LONGEST_SIDE`; shrunk by areas, enlarged by whole pixels."""
    lines, columns = picture.shape[:2]
    wanted = math.sqrt(AREA / (lines * columns))
    factor = min(wanted, LONGEST_SIDE / max(lines, columns), LARGEST_ENLARGEMENT)
    size = tuple(max(1, round(side * factor)) for side in picture.shape[1::-1])
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(picture, size, interpolation=how))


def _to_bgr(pixels: Pixels) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint16:
        low, high = np.percentile(pixels[::4, ::4], [0.5, 99.5])
        scale = 255 / max(float(high - low), 1.0)
        pixels = cv2.convertScaleAbs(np.maximum(pixels, low) - low, alpha=scale)
    code = cv2.COLOR_GRAY2BGR if pixels.ndim == 2 else cv2.COLOR_RGB2BGR
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), code), np.uint8)


def _as_uri(picture: NDArray[np.uint8]) -> str:
    encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
