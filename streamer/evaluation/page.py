"""The evaluation as one HTML file that loads nothing; measures and reads nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from streamer.evaluation.curves import HEIGHT, PLOTS, WIDTH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamer.evaluation.gallery import Case

COLOURS = ("#0b7285", "#d9610a", "#6741d9", "#2f9e6e", "#c92a2a", "#8a6d00", "#1c62c4", "#b0307d")
TITLES = {
    "auroc": "AUROC",
    "ap": "AP",
    "f1": "max F1",
    "pro30": "PRO(0.3)",
    "pro05": "PRO(0.05)",
    "image_auroc": "image AUROC",
    "aupimo": "AUPIMO",
    "region_hits": "region hits",
}
IMAGE_TITLES = {
    "image_mean_auroc": "AUROC per image",
    "image_mean_ap": "AP per image",
    "image_mean_pro30": "PRO(0.3) per image",
}


@dataclass(frozen=True, slots=True)
class Stroke:
    """How the curves of a run are drawn; `dashes` as SVG has them, "none": a solid line."""

    colour: str
    dashes: str


def stroke_of(number: int) -> Stroke:
    """That of a run, counted from 0: no two are alike, the dashes tell apart what has a colour."""
    rounds, colour = divmod(number, len(COLOURS))
    return Stroke(COLOURS[colour], f"{3 * rounds} 3" if rounds else "none")


@dataclass(frozen=True, slots=True)
class ClassCurves:
    """The curves of a class: path by plot, by run."""

    set_name: str
    class_name: str
    paths: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A case with its pictures as data URIs; `maps` by run. `is_wide`: one below the other."""

    case: Case
    picture: str
    maps: Mapping[str, str]
    is_wide: bool


@dataclass(frozen=True, slots=True)
class PageContent:
    """What the page shows; `document` is that of `--json`, `gallery` has titled groups."""

    document: Mapping[str, Any]
    curves: Sequence[ClassCurves]
    gallery: Sequence[tuple[str, Sequence[Exhibit]]]


def render_page(content: PageContent) -> str:
    """The whole page as text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = figure_text
    environment.filters["short"] = short_text
    environment.filters["signed_short"] = signed_short_text
    environment.filters["signed"] = signed_text
    return environment.get_template("evaluation.html.j2").render(_context(content))


def figure_text(value: float | None) -> str:
    """Four decimals, a dash for what is undefined."""
    return "–" if value is None else f"{value:.4f}"


def short_text(value: float | None) -> str:
    """Three decimals without the zero before the point, for the ends of an interval."""
    return "–" if value is None else f"{value:.3f}".replace("0.", ".", 1)


def signed_short_text(value: float | None) -> str:
    """As `short_text`, with the sign."""
    return "–" if value is None else f"{value:+.3f}".replace("0.", ".", 1)


def signed_text(value: float | None) -> str:
    """Four decimals with their sign."""
    return "–" if value is None else f"{value:+.4f}"


def _context(content: PageContent) -> dict[str, Any]:
    runs = content.document["runs"]
    names = [run["name"] for run in runs]
    strokes = {name: stroke_of(number) for number, name in enumerate(names)}
    configs = {
        run["name"]: yaml.safe_dump(run["config"], sort_keys=False, allow_unicode=True)
        for run in runs
    }
    return {
        "document": content.document,
        "runs": runs,
        "curves": content.curves,
        "gallery": content.gallery,
        "plots": PLOTS,
        "plot_width": WIDTH,
        "plot_height": HEIGHT,
        "strokes": strokes,
        "titles": TITLES,
        "image_titles": IMAGE_TITLES,
        "configs": configs,
    }
