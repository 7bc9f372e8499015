"""Measures how accurate the forms of FCA are on real images, against the published one.

    python tools/compare_forms.py [--data DIR] [--sets SET ...] [--forms FORM ...] [--json OUT]

Without --data the images are those of LINESCAN_DATA, else of ../shared/data. A table in Markdown
goes to the output, progress to stderr. Exit code 2: wrong use, or the images are not there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from fca_forms import choose_forms, score_form
from form_evaluation import BOX_METRICS, METRICS, ScoredImage, evaluate_set
from form_tables import tables
from labelled_images import BOX_SETS, choose_sets, list_images, read_image

from streamer import config
from streamer.backbones import open_backbone
from streamer.evaluation.paired_bootstrap import draw_weights
from streamer.scoring.features import Edges, embed_web, fixed_scale

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fca_forms import Form
    from form_evaluation import FormResult
    from numpy.typing import NDArray

    from streamer.ports import Backbone

# Receptive field of a network given as a file, in pixels; whole images are embedded at once, so it
# only has to be large enough for the checks at opening.
FILE_STRIDE, FILE_RADIUS = 8, 64

SetResult = dict[str, "FormResult"]  # by form


def score_set(
    paths: dict[str, tuple[Path, ...]], backbone: Backbone, forms: Sequence[Form]
) -> Iterator[ScoredImage]:
    """The images of a set, each with the maps of all forms on the same features."""
    scale = fixed_scale(backbone.spec)
    for class_name, files in paths.items():
        for number, path in enumerate(files, 1):
            image = read_image(path)
            features = embed_web(backbone, extend(image.pixels, backbone.spec.stride), Edges())
            maps = {form.name: score_form(form, features, scale) for form in forms}
            _say(f"  {class_name} {number} of {len(files)}: {path.name}")
            lines, columns = image.pixels.shape[:2]
            yield ScoredImage(class_name, image.regions, (lines, columns), maps)


def extend(pixels: NDArray[np.uint8], stride: int) -> NDArray[np.uint8]:
    """An image whose last line and column are repeated up to a multiple of the stride."""
    down, across = (-size % stride for size in pixels.shape[:2])
    return np.pad(pixels, ((0, down), (0, across), (0, 0)), mode="edge")


def compare(options: argparse.Namespace, backbone: Backbone) -> Iterator[tuple[str, SetResult]]:
    """Set by set its name and the result of each form.

    Raises:
        FileNotFoundError: a set, or the mask of an image, is not there.
        ValueError: sets or forms that there are not.
    """
    forms = choose_forms(options.forms)
    paths = {
        name: list_images(options.data, name, options.limit) for name in choose_sets(options.sets)
    }
    for name, classes in paths.items():
        started = time.perf_counter()
        _say(f"{name}: {sum(map(len, classes.values()))} images, {len(forms)} forms")
        images = list(score_set(classes, backbone, forms))
        scored = time.perf_counter()
        generator = np.random.default_rng([options.seed, *name.encode()])
        weights = draw_weights([i.class_name for i in images], options.resamples, generator)
        metrics = BOX_METRICS if name in BOX_SETS else tuple(METRICS)
        yield name, dict(evaluate_set(images, metrics, weights))
        spent = f"{scored - started:.1f} s maps, {time.perf_counter() - scored:.1f} s figures"
        _say(f"{name}: {spent}")


def backbone_settings(onnx: Path | None) -> config.Backbone:
    """The default extractor of the product on one thread, or a file with its own."""
    if onnx is None:
        return config.Backbone(threads=1)
    return config.Backbone(
        threads=1, onnx_file=onnx, onnx_stride=FILE_STRIDE, onnx_radius=FILE_RADIUS
    )


def as_json(results: Mapping[str, SetResult], options: argparse.Namespace) -> str:
    """The results by set and form, and what they depend on."""
    document = {
        "backbone": str(options.onnx or "efficientnet_lite0"),
        "seed": options.seed,
        "resamples": options.resamples,
        "limit": options.limit,
        "sets": {
            name: {form: result.as_dict() for form, result in forms.items()}
            for name, forms in results.items()
        },
    }
    return json.dumps(document, indent=1) + "\n"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def run(options: argparse.Namespace) -> int:
    """Compare, print the tables, write the JSON; returns the exit code."""
    torch.set_num_threads(1)
    results: dict[str, SetResult] = {}
    try:
        with closing(open_backbone(backbone_settings(options.onnx))) as backbone:
            for name, of_forms in compare(options, backbone):
                results[name] = of_forms
                if options.json is not None:  # what is measured outlives an interruption
                    options.json.write_text(as_json(results, options), encoding="utf-8")
    except (FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(tables(results))
    return 0


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Compare the forms of FCA on real images.")
    default = Path(os.environ.get("LINESCAN_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=default, help="folder of the real images")
    parser.add_argument("--sets", nargs="+", default=[], help="these sets alone")
    parser.add_argument("--forms", nargs="+", default=[], help="these forms and the published one")
    parser.add_argument("--limit", type=int, help="images of each class, spread evenly")
    parser.add_argument("--onnx", type=Path, help="another extractor, up to stride 8")
    parser.add_argument("--seed", type=int, default=0, help="of the redrawn images")
    parser.add_argument("--resamples", type=int, default=200, help="draws for the intervals")
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for all figures")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run(parse_options()))
