"""Ground truth of real images in web coordinates, and what a roll found of it; runs nothing."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from scipy import ndimage

from streamer.message import Interval, RegionMm
from streamer.outputs.truth import TruthDefect, match_truth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from streamer.outputs.defect_log import LoggedDefect
    from streamer.outputs.truth import TruthMatch
    from streamer.web import WebGeometry

EIGHT_NEIGHBOURS = np.ones((3, 3), np.int8)
FLOODED_SHARE = 0.2  # of a piece inside alarms: its labels are hit by chance then


@dataclass(frozen=True, slots=True)
class Label:
    """A defect that the source of the images declares; pixels of its piece, half-open."""

    kind: str
    lines: Interval
    columns: Interval


@dataclass(frozen=True, slots=True)
class LabelledPiece:
    """An image as a piece of web; no label: declared free of defects."""

    name: str
    lines: int
    columns: int
    labels: tuple[Label, ...]

    def transposed(self) -> LabelledPiece:
        """The piece whose lines are the columns of the image."""
        turned = tuple(Label(label.kind, label.columns, label.lines) for label in self.labels)
        return LabelledPiece(self.name, self.columns, self.lines, turned)


def mask_labels(mask: NDArray[np.uint8], kind: str) -> tuple[Label, ...]:
    """The 8-connected components of a mask (lines, columns) that is not 0 where a defect is."""
    components, _ = ndimage.label(mask > 0, structure=EIGHT_NEIGHBOURS)
    return tuple(
        Label(kind, Interval(lines.start, lines.stop), Interval(columns.start, columns.stop))
        for lines, columns in ndimage.find_objects(components)
    )


def box_labels(
    boxes: Sequence[tuple[str, int, int, int, int]], lines: int, columns: int
) -> tuple[Label, ...]:
    """Boxes (kind, x0, y0, x1, y1) cut to the image; those that lie outside are left out."""
    labels = []
    for kind, x0, y0, x1, y1 in boxes:
        down = (min(max(y0, 0), lines), min(max(y1, 0), lines))
        across = (min(max(x0, 0), columns), min(max(x1, 0), columns))
        if down[0] < down[1] and across[0] < across[1]:
            labels.append(Label(kind, Interval(*down), Interval(*across)))
    return tuple(labels)


def read_masked_pieces(images: Sequence[Path]) -> tuple[LabelledPiece, ...]:
    """Images (`.../images/NAME.png`) with the masks beside them (`.../masks/NAME.png`).

    Raises:
        FileNotFoundError: an image has no mask, so nobody knows what is on it.
        ValueError: a mask has another size than its image.
    """
    return tuple(_masked_piece(path) for path in images)


def _masked_piece(path: Path) -> LabelledPiece:
    lines, columns = read_grey(path).shape
    mask = read_grey(path.parent.parent / "masks" / path.name)
    if mask.shape != (lines, columns):
        msg = f"{path.name}: mask must be {lines} x {columns} as its image, got {mask.shape}"
        raise ValueError(msg)
    return LabelledPiece(path.name, lines, columns, mask_labels(mask, "defect"))


def read_boxed_pieces(images: Sequence[Path]) -> tuple[LabelledPiece, ...]:
    """Images (`.../images/NAME.png`) with the boxes of all of them in `.../boxes.json`.

    Raises:
        FileNotFoundError: the boxes, or those of an image, are missing.
    """
    file = images[0].parent.parent / "boxes.json"
    boxes = json.loads(file.read_text(encoding="utf-8"))
    return tuple(_boxed_piece(path, boxes) for path in images)


def _boxed_piece(path: Path, boxes: Mapping[str, Any]) -> LabelledPiece:
    if path.stem not in boxes:
        msg = f"boxes.json must name every image, got none of {path.stem}"
        raise FileNotFoundError(msg)
    lines, columns = read_grey(path).shape
    labels = box_labels(boxes[path.stem]["boxes_in_strip"], lines, columns)
    return LabelledPiece(path.name, lines, columns, labels)


def read_grey(path: Path) -> NDArray[np.uint8]:
    """An 8-bit image as (lines, columns).

    Raises:
        FileNotFoundError: there is none that can be read.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        msg = f"image must exist and be readable, got {path}"
        raise FileNotFoundError(msg)
    return pixels.astype(np.uint8, copy=False)


@dataclass(frozen=True, slots=True)
class PieceMatch:
    """What a roll found on one piece; `alarm_share` is the share of its area inside alarms."""

    piece: LabelledPiece
    match: TruthMatch
    alarm_share: float = 0.0

    @property
    def is_flooded(self) -> bool:
        """Whether the alarms cover so much that a label is hit by chance."""
        return self.alarm_share > FLOODED_SHARE


def match_pieces(
    pieces: Sequence[LabelledPiece],
    defects: Sequence[LoggedDefect],
    geometry: WebGeometry,
    tolerance_mm: float,
) -> tuple[PieceMatch, ...]:
    """Labels against the defects of a roll that is made of `pieces` in this order.

    A defect never crosses a seam, and finds nothing beyond one, however near.
    """
    matches = []
    first_line = 0
    for piece in pieces:
        inside = [d for d in defects if first_line <= d.first_line < first_line + piece.lines]
        truths = [_on_web(label, first_line, geometry) for label in piece.labels]
        found = match_truth(truths, {d.id: _region(d) for d in inside}, tolerance_mm)
        piece_mm2 = piece.lines * geometry.line_mm * piece.columns * geometry.pixel_mm
        alarm_share = sum(d.area_mm2 for d in inside) / piece_mm2
        matches.append(PieceMatch(piece, found, alarm_share))
        first_line += piece.lines
    return tuple(matches)


def _on_web(label: Label, first_line: int, geometry: WebGeometry) -> TruthDefect:
    lines = Interval(first_line + label.lines.first, first_line + label.lines.end)
    name = f"{label.lines.first}:{label.columns.first}"
    return TruthDefect(name, label.kind, geometry.region(lines, label.columns))


def _region(defect: LoggedDefect) -> RegionMm:
    down = (defect.down_first_mm, defect.down_end_mm)
    return RegionMm(*down, defect.cross_first_mm, defect.cross_end_mm)


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts over the pieces of a web; what is outside the labels counts as a false alarm.

    `regions_placed` are the regions hit on pieces that are not flooded with alarms, `kinds` is
    (hit, labelled) by kind of defect.
    """

    pieces: int
    lines: int
    columns: int
    regions: int
    regions_hit: int
    regions_placed: int
    flooded_pieces: int
    defective_pieces: int
    defective_pieces_hit: int
    alarms: int
    alarms_outside: int
    clean_pieces: int
    clean_pieces_alarmed: int
    alarms_on_clean: int
    kinds: dict[str, tuple[int, int]]

    def as_dict(self) -> dict[str, Any]:
        """All counts by name."""
        return asdict(self)


def count_figures(matches: Sequence[PieceMatch]) -> Figures:
    """Add up what was found on the pieces of a web."""
    defective = [m.match for m in matches if m.piece.labels]
    clean = [m.match for m in matches if not m.piece.labels]
    every = [m.match for m in matches]
    return Figures(
        pieces=len(matches),
        lines=sum(m.piece.lines for m in matches),
        columns=max(m.piece.columns for m in matches),
        regions=sum(len(m.truths) for m in every),
        regions_hit=sum(len(m.found) for m in every),
        regions_placed=sum(len(m.match.found) for m in matches if not m.is_flooded),
        flooded_pieces=sum(m.is_flooded for m in matches),
        defective_pieces=len(defective),
        defective_pieces_hit=sum(bool(m.found) for m in defective),
        alarms=sum(_alarm_count(m) for m in every),
        alarms_outside=sum(len(m.false_alarms) for m in every),
        clean_pieces=len(clean),
        clean_pieces_alarmed=sum(bool(m.false_alarms) for m in clean),
        alarms_on_clean=sum(len(m.false_alarms) for m in clean),
        kinds=_by_kind(every),
    )


def _alarm_count(match: TruthMatch) -> int:
    return len({key for ids in match.hits for key in ids} | set(match.false_alarms))


def _by_kind(matches: Sequence[TruthMatch]) -> dict[str, tuple[int, int]]:
    labelled = Counter(truth.kind for match in matches for truth in match.truths)
    hit = Counter(truth.kind for match in matches for truth in match.found)
    return {kind: (hit[kind], labelled[kind]) for kind in sorted(labelled)}
