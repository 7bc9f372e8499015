"""Measures what masking the off-web area and evening the light of stills change on real images.

    python tools/compare_masks.py [--data DIR] [--sets SET ...] [--variants NAME ...] [--json OUT]

Without --data the images are those of LINESCAN_DATA, else of ../shared/data. Every image is judged
by itself with the default method, uncropped. A table in Markdown goes to the output, progress to
stderr. Exit code 2: wrong use, or the images are not there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from labelled_images import BOX_SETS, choose_sets, list_images
from real_truth import read_grey

from streamer import config
from streamer.backbones import open_backbone
from streamer.cli.image_report import scores_of_pixels
from streamer.compose.geometry import web_geometry
from streamer.correction.off_web import find_off_web
from streamer.correction.still import prepare_still
from streamer.evaluation.paired_bootstrap import draw_weights, pair_means
from streamer.evaluation.pixel_metrics import (
    auroc,
    average_precision,
    count_exactly,
    label_regions,
    pro,
    region_shares,
)
from streamer.scoring.image_scorer import fitting_patch_size, score_image
from streamer.scoring.lesson import Lesson
from streamer.sources.decode import decode, read_header

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from streamer.message import PixelArray
    from streamer.ports import Backbone

    Flags = NDArray[np.bool_]
    Floats = NDArray[np.float32]

Summary = dict[str, Any]  # what is known of a set, as it stands in the JSON

BASE = "off"
VARIANTS = {  # by name: edges.mode, correction.light and correction.background
    BASE: ("off", "off", "off"),
    "masked": ("auto", "off", "off"),
    "light": ("off", "slow", "off"),
    "masked_light": ("auto", "slow", "off"),
    "default": ("auto", "slow", "slow"),
}
METRICS = {"auroc": auroc, "ap": average_precision, "pro": pro}
POPULATIONS = ("all", "web")


@dataclass(frozen=True, slots=True)
class Judged:
    """One image under all variants.

    Attributes:
        masked: share of the pixels that the search for margins masks.
        regions: labelled regions of the image.
        hidden: of them those that the mask covers wholly, which nobody can find any more.
        figures: by variant, population and metric; NaN where a figure is undefined. "all": every
            pixel, masked ones as the lowest scores. "web": for every variant, also an unmasked one,
            without the normal pixels that the search masks.
        peak_hits: by variant, whether the highest score lies in a labelled region.
    """

    class_name: str
    masked: float
    regions: int
    hidden: int
    figures: dict[str, dict[str, dict[str, float]]]
    peak_hits: dict[str, bool]


def judge_image(path: Path, backbone: Backbone, variants: Sequence[str]) -> Judged:
    """Score an image `.../CLASS/images/NAME.png` and compare with `.../CLASS/masks/NAME.png`.

    Raises:
        FileNotFoundError: its mask is missing.
        ValueError: the image cannot be scored.
    """
    pixels = decode(path, read_header(path))
    regions = label_regions(read_grey(path.parent.parent / "masks" / path.name))
    off_web = find_off_web(pixels)
    numbers = np.unique(regions[~off_web & (regions > 0)])
    kept = {"all": np.ones(regions.shape, bool), "web": ~off_web | (regions > 0)}
    maps = {name: score_variant(pixels, backbone, name) for name in variants}
    return Judged(
        path.parent.parent.name,
        float(off_web.mean()),
        int(regions.max()),
        int(regions.max()) - numbers.size,
        {
            name: {kind: measure(scores, regions, kept[kind]) for kind in POPULATIONS}
            for name, scores in maps.items()
        },
        {name: bool(regions.flat[np.nanargmax(scores)]) for name, scores in maps.items()},
    )


def score_variant(pixels: PixelArray, backbone: Backbone, variant: str) -> Floats:
    """(lines, columns) raw scores, NaN where masked, by the image's own texture."""
    mode, light, background = VARIANTS[variant]
    size = fitting_patch_size(pixels, backbone.spec.stride, config.Scoring().patch_size)
    settings = config.Config.model_validate(
        {
            "edges": {"mode": mode},
            "correction": {"light": light, "background": background},
            "scoring": {"patch_size": size},
        }
    )
    lesson = Lesson.of(settings, web_geometry(settings, pixels.shape[1]), backbone.spec)
    verdict = score_image(prepare_still(pixels, settings), backbone, lesson)
    return scores_of_pixels(verdict, pixels)


def measure(scores: Floats, regions: NDArray[np.int32], kept: Flags) -> dict[str, float]:
    """Each metric over the kept pixels, (lines, columns) each; NaN scores are the lowest."""
    lowest = np.nanmin(scores) - 1
    judged = np.where(np.isnan(scores), lowest, scores)[kept].astype(np.float32)
    labels = regions[kept]
    counts = count_exactly(judged, labels, region_shares(labels))
    if not counts.has_both:
        return dict.fromkeys(METRICS, float("nan"))
    return {name: metric(counts) for name, metric in METRICS.items()}


def summarise(
    judged: Sequence[Judged], metrics: Sequence[str], weights: NDArray[np.float64]
) -> Summary:
    """Means over the images of a set with the differences to `BASE`, and what was masked."""
    names = list(judged[0].figures)
    figures = {
        name: {
            kind: {
                metric: pair_means(
                    column(judged, BASE, kind, metric), column(judged, name, kind, metric), weights
                ).as_dict()
                for metric in metrics
            }
            for kind in POPULATIONS
        }
        for name in names
    }
    defective = [one for one in judged if one.regions]
    return {
        "images": len(judged),
        "masked_images": sum(one.masked > 0 for one in judged),
        "masked_percent": 100 * float(np.mean([one.masked for one in judged])),
        "regions": sum(one.regions for one in judged),
        "hidden_regions": sum(one.hidden for one in judged),
        "defective_images": len(defective),
        "peak_hits": {name: sum(one.peak_hits[name] for one in defective) for name in names},
        "figures": figures,
    }


def column(judged: Sequence[Judged], variant: str, kind: str, metric: str) -> NDArray[np.float64]:
    """One figure of each image, (images,)."""
    return np.array([one.figures[variant][kind][metric] for one in judged])


def compare(options: argparse.Namespace, backbone: Backbone) -> Iterator[tuple[str, Summary]]:
    """Set by set its name and its summary.

    Raises:
        FileNotFoundError: a set, or the mask of an image, is not there.
        ValueError: sets that there are not.
    """
    variants = (BASE, *(name for name in VARIANTS if name in options.variants and name != BASE))
    for name in choose_sets(options.sets):
        paths = [
            p for some in list_images(options.data, name, options.limit).values() for p in some
        ]
        judged = []
        for number, path in enumerate(paths, 1):
            judged.append(judge_image(path, backbone, variants))
            print(f"{name} {number} of {len(paths)}: {path.name}", file=sys.stderr, flush=True)
        generator = np.random.default_rng([options.seed, *name.encode()])
        weights = draw_weights([one.class_name for one in judged], options.resamples, generator)
        metrics = ("pro",) if name in BOX_SETS else tuple(METRICS)
        yield name, {**summarise(judged, metrics, weights), "each": [asdict(j) for j in judged]}


def tables(results: Mapping[str, Summary]) -> str:
    """What was masked, then a table for each metric, in Markdown."""
    rows = [["set", "images masked", "area masked", "regions hidden", "highest score in a defect"]]
    for name, found in results.items():
        hits = ", ".join(f"{variant} {hit}" for variant, hit in found["peak_hits"].items())
        rows.append(
            [
                name,
                f"{found['masked_images']} of {found['images']}",
                f"{found['masked_percent']:.2f} %",
                f"{found['hidden_regions']} of {found['regions']}",
                f"{hits} of {found['defective_images']}",
            ]
        )
    return "\n\n".join([_markdown(rows), *(_figures(results, metric) for metric in METRICS)])


def _figures(results: Mapping[str, Summary], metric: str) -> str:
    variants = list(next(iter(results.values()))["figures"])
    rows = [[f"{metric} per image", "off, all pixels", *(f"{name}, web" for name in variants)]]
    for name, found in results.items():
        figures = found["figures"]
        if metric not in figures[BASE]["all"]:
            continue
        pairs = [figures[variant]["web"][metric] for variant in variants]
        base = f"{figures[BASE]['all'][metric]['form']:.3f}"
        rows.append([name, base, *map(_cell, pairs)])
    return _markdown(rows)


def _cell(pair: Mapping[str, float]) -> str:
    """The figure, and the difference to the base with its 95 % interval where there is one."""
    if pair["difference"] == 0:
        return f"{pair['form']:.3f}"
    interval = f"{pair['low']:+.3f} to {pair['high']:+.3f}"
    return f"{pair['form']:.3f} ({pair['difference']:+.3f}, {interval})"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *body))


def run(options: argparse.Namespace) -> int:
    """Measure, print the tables, write the JSON; returns the exit code."""
    torch.set_num_threads(1)
    results: dict[str, Summary] = {}
    try:
        with closing(open_backbone(config.Backbone(threads=1))) as backbone:
            for name, summary in compare(options, backbone):
                results[name] = summary
                if options.json is not None:  # what is measured outlives an interruption
                    options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    except (FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(tables(results))
    return 0


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Compare stills with and without their margins.")
    default = Path(os.environ.get("LINESCAN_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=default, help="folder of the real images")
    parser.add_argument("--sets", nargs="+", default=[], help="these sets alone")
    parser.add_argument(
        "--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS), help="these alone"
    )
    parser.add_argument("--limit", type=int, help="images of each class, spread evenly")
    parser.add_argument("--seed", type=int, default=0, help="of the redrawn images")
    parser.add_argument("--resamples", type=int, default=200, help="draws for the intervals")
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for all figures")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run(parse_options()))
