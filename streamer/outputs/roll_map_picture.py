"""Draws a view of a roll map with axes, scales, defects and gaps; reads no file."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from streamer.outputs.roll_map_coverage import COVERAGE_CODES, UNWRITTEN
from streamer.outputs.roll_map_labelling import Rectangle, place_labels
from streamer.outputs.roll_map_metadata import gap_colour
from streamer.web import INSPECTED, MASKED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streamer.message import PixelArray, ScoreArray
    from streamer.outputs.roll_map_view import MapView, Span

LEFT, TOP, RIGHT, BOTTOM = 96, 104, 132, 122  # around the map
INK, SOFT, PAPER = (28, 32, 38), (98, 106, 116), (255, 255, 255)
MASKED_COLOUR, UNWRITTEN_COLOUR = (150, 154, 160), (236, 238, 241)
BOX_COLOUR, BOX_EDGE = (255, 255, 255), (0, 0, 0)
TOP_SCORE = 2.0  # the end of the colour bar; what is above it looks like it
HATCH_PX, HATCH_WIDTH_PX = 9, 3
LEAST_BOX_PX = 9
MOST_LABELS = 60
TITLE_PX, TEXT_PX = 21, 15
LEGEND_ROW_PX = 28


@dataclass(frozen=True, slots=True)
class Axis:
    """Where a stretch of the web lies in the picture."""

    span: Span
    first_px: int
    pixels: int

    def at(self, mm: float) -> float:
        """Pixel of a place on the web."""
        return self.first_px + (mm - self.span.first_mm) * self.pixels / self.span.size_mm

    @property
    def pixels_per_mm(self) -> float:
        """Its scale."""
        return self.pixels / self.span.size_mm


def draw_map(view: MapView) -> bytes:
    """PNG of the view: down-web to the right, cross-web downwards.

    Inferno (Smith and van der Walt 2015): perceptually even, read with every colour vision.
    """
    height, width = view.scores.shape
    legend = _legend(view)
    places = _legend_places(legend, LEFT + width + RIGHT)
    more = max((row for _, row in places), default=0) * LEGEND_ROW_PX
    size = LEFT + width + RIGHT, TOP + height + BOTTOM + more
    picture = Image.new("RGB", size, PAPER)
    picture.paste(Image.fromarray(colour_cells(view)), (LEFT, TOP))
    pen = ImageDraw.Draw(picture)
    down, cross = Axis(view.down, LEFT, width), Axis(view.cross, TOP, height)
    pen.rectangle((LEFT - 1, TOP - 1, LEFT + width, TOP + height), outline=SOFT)
    labelled = _draw_defects(pen, view, (down, cross))
    _draw_head(pen, view, labelled)
    _draw_down_axis(pen, down, TOP + height)
    _draw_cross_axis(picture, cross)
    _draw_colour_bar(picture, LEFT + width + 26, height)
    _draw_legend(picture, legend, places, TOP + height + 70)
    _draw_scale_bars(pen, down, cross, size[1] - 22)
    content = io.BytesIO()
    picture.save(content, "PNG", optimize=True)
    return content.getvalue()


def colour_cells(view: MapView) -> PixelArray:
    """RGB of the map alone: scores, masked margins grey, gaps hatched in the colour of a reason.

    Where a pixel holds both a score and a gap, the hatch lies over the score.
    """
    picture = colour_scores(view.scores)
    blind = np.isnan(view.scores)
    picture[blind] = MASKED_COLOUR
    picture[blind & (view.coverage == COVERAGE_CODES[UNWRITTEN])] = UNWRITTEN_COLOUR
    for code, status in view.codes.items():
        place = view.coverage == code
        if _is_gap(status) and place.any():
            picture[place & blind] = _tint(gap_colour(code))
            picture[place & _hatch(place.shape, code)] = gap_colour(code)
    return picture


def colour_scores(scores: ScoreArray) -> PixelArray:
    """RGB of scores from 0 (typical) to TOP_SCORE and beyond; NaN as 0."""
    shares = np.clip(np.nan_to_num(scores, nan=0.0) / TOP_SCORE, 0, 1)
    colours = cv2.applyColorMap((shares * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(colours[..., ::-1])


def nice_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 5 times a power of ten of which at most `most` fit into `span`."""
    power = 10.0 ** math.floor(math.log10(span / most))
    steps = [factor * power for factor in (1, 2, 5, 10)]
    return next(step for step in steps if step >= span / most * (1 - 1e-9))


def length_text(mm: float) -> str:
    """A length with the unit that reads best."""
    if mm >= 1000:
        return f"{mm / 1000:g} m"
    return f"{mm:g} mm"


def _is_gap(status: str) -> bool:
    return status not in (UNWRITTEN, MASKED, INSPECTED)


def _tint(colour: tuple[int, int, int]) -> tuple[int, ...]:
    return tuple(255 - (255 - channel) // 4 for channel in colour)


def _hatch(shape: tuple[int, ...], code: int) -> PixelArray:
    """Slanted lines, for every other round of colours in the other direction."""
    rows, columns = np.indices(shape)
    slant = 1 if code // 5 % 2 else -1
    lines: PixelArray = (columns + slant * rows) % HATCH_PX < HATCH_WIDTH_PX
    return lines


def _font(size: int = TEXT_PX) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _draw_head(pen: ImageDraw.ImageDraw, view: MapView, labelled: int) -> None:
    metres = f"{view.down.first_mm / 1000:.2f} m to {view.down.end_mm / 1000:.2f} m"
    cross = f"{view.cross.first_mm:g} mm to {view.cross.end_mm:g} mm"
    pen.text((LEFT, 16), f"Roll {view.roll}", INK, _font(TITLE_PX))
    count = len(view.defects)
    noun = "defect" if count == 1 else "defects"
    shown = f", {labelled} with their number" if labelled < count else ""
    cell = f"{view.cell_mm[0]:.4g} x {view.cell_mm[1]:.4g} mm"
    text = f"{metres}, cross-web {cross}. {count} {noun}{shown}. Largest score in {cell}."
    pen.text((LEFT, 48), text, SOFT, _font())


def _draw_down_axis(pen: ImageDraw.ImageDraw, axis: Axis, top: int) -> None:
    step = nice_step(axis.span.size_mm / 1000, max(axis.pixels // 110, 2))
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    for number in _ticks(axis.span.first_mm / 1000, axis.span.end_mm / 1000, step):
        x = axis.at(number * 1000)
        pen.line((x, top, x, top + 6), SOFT)
        pen.text((x, top + 9), f"{number:.{digits}f}", INK, _font(), anchor="ma")
    middle = axis.first_px + axis.pixels / 2
    pen.text((middle, top + 31), "down-web, m", SOFT, _font(), anchor="ma")


def _draw_cross_axis(picture: Image.Image, axis: Axis) -> None:
    pen = ImageDraw.Draw(picture)
    step = nice_step(axis.span.size_mm, max(axis.pixels // 40, 2))
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    for number in _ticks(axis.span.first_mm, axis.span.end_mm, step):
        y = axis.at(number)
        pen.line((LEFT - 7, y, LEFT - 1, y), SOFT)
        pen.text((LEFT - 11, y), f"{number:.{digits}f}", INK, _font(), anchor="rm")
    name = Image.new("RGB", (120, 22), PAPER)
    ImageDraw.Draw(name).text((60, 11), "cross-web, mm", SOFT, _font(), anchor="mm")
    picture.paste(name.rotate(90, expand=True), (8, axis.first_px + axis.pixels // 2 - 60))


def _ticks(first: float, end: float, step: float) -> list[float]:
    low, high = math.ceil(first / step - 1e-6), math.floor(end / step + 1e-6)
    return [number * step for number in range(low, high + 1)]


def _draw_colour_bar(picture: Image.Image, left: int, height: int) -> None:
    """Scores with the alarm level marked."""
    pen = ImageDraw.Draw(picture)
    ramp = np.linspace(TOP_SCORE, 0, height, dtype=np.float32)[:, None].repeat(18, axis=1)
    picture.paste(Image.fromarray(colour_scores(ramp)), (left, TOP))
    pen.rectangle((left - 1, TOP - 1, left + 18, TOP + height), outline=SOFT)
    for score in (0.0, 0.5, 1.0, 1.5, 2.0):
        y = TOP + height * (1 - score / TOP_SCORE)
        text = {1.0: "1 alarm", 2.0: "2 or more"}.get(score, f"{score:g}")
        pen.line((left + 18, y, left + 24, y), INK, 3 if score == 1.0 else 1)
        pen.text((left + 28, y), text, INK, _font(), anchor="lm")
    pen.text((left - 1, TOP - 22), "score", SOFT, _font(), anchor="lm")


def _legend(view: MapView) -> dict[str, PixelArray]:
    """What the colours without a score mean, as far as they occur, with a swatch of each."""
    plain = np.ones((18, 30, 1), np.uint8)
    entries: dict[str, PixelArray] = {}
    blind = np.isnan(view.scores)
    for code in sorted(set(np.unique(view.coverage).tolist())):
        status = view.codes.get(code, f"code {code}")
        if _is_gap(status):
            lines = _hatch((18, 30), code)[..., None]
            swatch = np.where(lines, gap_colour(code), _tint(gap_colour(code)))
            entries[f"not inspected: {status.replace('_', ' ')}"] = swatch
        elif blind[view.coverage == code].any():
            is_open = status == UNWRITTEN
            text = "not written" if is_open else "masked"
            entries[text] = plain * np.array(UNWRITTEN_COLOUR if is_open else MASKED_COLOUR)
    return entries


def _legend_places(texts: Iterable[str], width: int) -> list[tuple[int, int]]:
    """(x, row) of each entry, in as many rows as the width asks for."""
    places: list[tuple[int, int]] = []
    x, row = LEFT, 0
    for text in texts:
        needed = 38 + round(_font().getlength(text)) + 28
        if x > LEFT and x + needed > width:
            x, row = LEFT, row + 1
        places.append((x, row))
        x += needed
    return places


def _draw_legend(
    picture: Image.Image, legend: dict[str, PixelArray], places: Sequence[tuple[int, int]], y: int
) -> None:
    pen = ImageDraw.Draw(picture)
    for (text, colours), (x, row) in zip(legend.items(), places, strict=True):
        middle = y + row * LEGEND_ROW_PX
        picture.paste(Image.fromarray(colours.astype(np.uint8)), (x, middle - 9))
        pen.rectangle((x, middle - 9, x + 30, middle + 9), outline=SOFT)
        pen.text((x + 38, middle), text, INK, _font(), anchor="lm")


def _draw_scale_bars(pen: ImageDraw.ImageDraw, down: Axis, cross: Axis, y: int) -> None:
    """One bar where the map is true to scale, else one for each direction, side by side."""
    shown = [(down, "")]
    ratio = cross.pixels_per_mm / down.pixels_per_mm
    if not 0.98 < ratio < 1.02:
        shown = [(down, " down-web"), (cross, " cross-web")]
    x = float(LEFT)
    for axis, direction in shown:
        length = nice_step(200 / axis.pixels_per_mm, 2)
        end = x + length * axis.pixels_per_mm
        pen.rectangle((x, y - 3, end, y + 2), fill=INK)
        text = f"{length_text(length)}{direction}"
        pen.text((end + 10, y), text, INK, _font(), anchor="lm")
        x = end + 10 + pen.textlength(text, _font()) + 36


def _draw_defects(pen: ImageDraw.ImageDraw, view: MapView, axes: tuple[Axis, Axis]) -> int:
    """Outline all defects, number the strongest where there is room; how many got a number."""
    down, cross = axes
    boxes = [
        Rectangle(
            down.at(max(d.down_first_mm, view.down.first_mm)),
            cross.at(max(d.cross_first_mm, view.cross.first_mm)),
            down.at(min(d.down_end_mm, view.down.end_mm)),
            cross.at(min(d.cross_end_mm, view.cross.end_mm)),
        ).at_least(LEAST_BOX_PX)
        for d in view.defects
    ]
    for box in boxes:
        pen.rectangle(box.grown(3).corners, outline=BOX_EDGE)
        pen.rectangle(box.grown(2).corners, outline=BOX_COLOUR)
        pen.rectangle(box.grown(1).corners, outline=BOX_EDGE)
    texts = [f"{defect.id}" for defect in view.defects[:MOST_LABELS]]
    room = Rectangle(LEFT, TOP, LEFT + down.pixels, TOP + cross.pixels)
    sizes = [(pen.textlength(text, _font()) + 8, TEXT_PX + 4.0) for text in texts]
    places = place_labels(boxes, sizes, room)
    _write_numbers(pen, texts, places)
    return sum(place is not None for place in places)


def _write_numbers(
    pen: ImageDraw.ImageDraw, texts: Sequence[str], places: Sequence[Rectangle | None]
) -> None:
    for text, place in zip(texts, places, strict=True):
        if place is not None:
            pen.rounded_rectangle(place.corners, 3, fill=BOX_COLOUR, outline=BOX_EDGE)
            middle = (place.left + place.right) / 2, (place.top + place.bottom) / 2
            pen.text(middle, text, INK, _font(), anchor="mm")
