"""OME-NGFF 0.5 metadata of a roll map (ngff.openmicroscopy.org/0.5); pure, knows no file."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from streamer.outputs.roll_map_coverage import COVERAGE_CODES, UNWRITTEN
from streamer.outputs.roll_map_format import COVERAGE, DEFECTS, MAP_SCHEMA, map_levels
from streamer.web import INSPECTED, MASKED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.outputs.roll_map_format import Level, MapFormat

NGFF_VERSION = "0.5"
AXES = ("y", "x")
# Okabe and Ito's colours, told apart with every kind of colour vision.
GAP_COLOURS = ((86, 180, 233), (0, 158, 115), (0, 114, 178), (204, 121, 167), (213, 94, 0))


def map_attributes(form: MapFormat) -> dict[str, Any]:
    """Attributes of the root group, the image of the scores."""
    metadata = {"unit": "alarm level", "not_inspected": "NaN"}
    return {
        "schema": MAP_SCHEMA,
        **asdict(form),
        "ome": {
            "version": NGFF_VERSION,
            "multiscales": [_multiscale("scores", form, metadata)],
        },
    }


def labels_attributes(names: Sequence[str]) -> dict[str, Any]:
    """Attributes of the group `labels`."""
    return {"ome": {"version": NGFF_VERSION, "labels": list(names)}}


def coverage_attributes(form: MapFormat) -> dict[str, Any]:
    """Attributes of `labels/coverage`, with the table of its codes."""
    label = {
        "colors": [{"label-value": code, "rgba": _rgba(code)} for code in COVERAGE_CODES.values()],
        "properties": [
            {"label-value": code, "status": status} for status, code in COVERAGE_CODES.items()
        ],
    }
    return {"codes": COVERAGE_CODES, **_label_attributes(COVERAGE, form, label)}


def defect_attributes(form: MapFormat, grow_level: float) -> dict[str, Any]:
    """Attributes of `labels/defects`; its values are the ids of defects.sqlite, 0 is none."""
    return {"grow_level": grow_level, **_label_attributes(DEFECTS, form, {})}


def _label_attributes(name: str, form: MapFormat, label: dict[str, Any]) -> dict[str, Any]:
    ome = {
        "version": NGFF_VERSION,
        "multiscales": [_multiscale(name, form, {})],
        "image-label": {**label, "source": {"image": "../../"}},
    }
    return {"ome": ome}


def _multiscale(name: str, form: MapFormat, metadata: dict[str, str]) -> dict[str, Any]:
    levels = map_levels(form.columns)
    return {
        "name": name,
        "type": "max",
        "metadata": {"pooling": "largest value of the cells, NaN aside", **metadata},
        "axes": [{"name": axis, "type": "space", "unit": "millimeter"} for axis in AXES],
        "datasets": [
            {"path": str(number), "coordinateTransformations": _transformations(form, level)}
            for number, level in enumerate(levels)
        ],
    }


def _transformations(form: MapFormat, level: Level) -> list[dict[str, Any]]:
    """From indices to mm of the centres of cells; 0 mm are the roll's start and the web's edge."""
    down, cross = form.cell_mm
    scale = [down * level.rows_per_cell, cross * level.columns_per_cell]
    return [
        {"type": "scale", "scale": scale},
        {"type": "translation", "translation": [size / 2 for size in scale]},
    ]


def _rgba(code: int) -> list[int]:
    """What was not written or was inspected is clear, so that the scores below show."""
    if code in (COVERAGE_CODES[UNWRITTEN], COVERAGE_CODES[INSPECTED]):
        return [255, 255, 255, 0]
    colour = (150, 150, 150) if code == COVERAGE_CODES[MASKED] else gap_colour(code)
    return [*colour, 160]


def gap_colour(code: int) -> tuple[int, int, int]:
    """RGB of the code of a gap."""
    return GAP_COLOURS[code % len(GAP_COLOURS)]
