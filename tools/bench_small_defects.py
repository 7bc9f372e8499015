"""Measures what could find smaller defects against the default, small regions counted apart.

    python tools/bench_small_defects.py [--data DIR] [--sets SET ...] [--variants NAME ...]
        [--limit N] [--small PIXELS] [--work DIR] [--json OUT]

Every image is scored as `linescan evaluate` does, then with each variant on the same features. A
table of paired differences with 95 % intervals goes to the output. A set that is finished is kept
in --work for the same variants. Exit code 2: wrong use, or the images are not there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from small_regions import Peaks, SizeLimit, paired_hits
from small_variants import BASE, VARIANTS, RememberingBackbone, Scored, Subject

from streamer.backbones import open_backbone
from streamer.cli.stills import still_lesson, still_of
from streamer.config import Config
from streamer.evaluation.class_figures import Protocol
from streamer.evaluation.datasets import Truth, find_classes
from streamer.evaluation.judging import ScoredImage
from streamer.evaluation.paired_bootstrap import Paired, average
from streamer.evaluation.summary import Resampling, evaluate_set, pair_figures
from streamer.evaluation.upsampling import judged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from streamer.evaluation.datasets import ImageClass, Sample

HEADLINE = ("leather_custom", "mvtec_aug", "crackforest", "magnetic_tile", "aitex")
FIGURES = ("auroc", "ap", "pro30", "image_mean_auroc", "image_mean_pro30", "region_hits")
FALSE_AREAS = (0.005, 0.0005)
IN_ORDER = "less its columns' history"  # a variant of whole sets: earlier images of the web
HISTORY_IMAGES = 4
NAMES = (*VARIANTS, IN_ORDER)


@dataclass(slots=True)
class Maps:
    """What a variant made of the images of a set, in order, and its CPU seconds."""

    images: list[ScoredImage] = field(default_factory=list)
    seconds: float = 0.0


def score_set(
    classes: Sequence[ImageClass], backbone: RememberingBackbone, names: Sequence[str]
) -> dict[str, Maps]:
    """The maps of all variants on the images of a set."""
    config = Config.model_validate({"backbone": {"threads": 1}})
    found = {name: Maps() for name in names}
    for one in classes:
        for sample in one.samples:
            pixels = _read(sample.image)
            still = still_of(pixels, config, has_profile=False)
            subject = Subject(still, backbone, still_lesson(still, config, backbone.spec))
            if not any(maps.images for maps in found.values()):
                timed(BASE, subject, backbone)  # what is slow the first time is not a variant's
            backbone.forget()
            for name, maps in found.items():
                scored, seconds = timed(name, subject, backbone)
                maps.images.append(_scored_image(one.name, sample, pixels.shape[:2], scored))
                maps.seconds += seconds
            say(f"  {one.name}/{sample.image.name}")
    return found


def timed(name: str, subject: Subject, backbone: RememberingBackbone) -> tuple[Scored, float]:
    """The map of a variant and its CPU seconds, those of remembered features included."""
    started, saved = time.process_time(), backbone.saved_s
    scored = VARIANTS[name](subject)
    return scored, time.process_time() - started + backbone.saved_s - saved


def _read(path: Path) -> NDArray[np.uint8]:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        msg = f"{path}: image must be readable, got something else"
        raise ValueError(msg)
    if pixels.ndim == 3:
        pixels = np.ascontiguousarray(pixels[:, :, 2::-1])
    return pixels.astype(np.uint8, copy=False)


def _scored_image(
    class_name: str, sample: Sample, shape: tuple[int, ...], scored: Scored
) -> ScoredImage:
    lines, columns = shape
    read = partial(_read_mask, sample.mask, (lines, columns))
    has_defect = bool(read()[judged((lines, columns), 0.1)].any())
    named = sample.name, class_name
    return ScoredImage(*named, (lines, columns), has_defect, read, scored.scores, scored.stride)


def _read_mask(path: Path | None, shape: tuple[int, int]) -> NDArray[np.uint8]:
    if path is None:
        return np.zeros(shape, np.uint8)
    mask = _read(path)
    return mask if mask.ndim == 2 else mask.max(axis=2)


def less_history(images: Sequence[ScoredImage]) -> list[ScoredImage]:
    """Each map less the typical score of its columns in it and the few images before it.

    Images of a class are one web in order; those of another width start anew.
    """
    found: list[ScoredImage] = []
    for number, image in enumerate(images):
        before = [
            one.scores
            for one in images[max(number - HISTORY_IMAGES, 0) : number]
            if one.class_name == image.class_name and one.shape[1] == image.shape[1]
        ]
        rows = np.concatenate([*before, image.scores])
        masked = np.isnan(rows).all(axis=0)
        typical = np.nanmedian(np.where(masked, 0, rows), axis=0)
        found.append(
            ScoredImage(
                image.name, image.class_name, image.shape, image.has_defect, image.read_mask,
                (image.scores - typical).astype(np.float32), image.stride,
            )
        )  # fmt: skip
    return found


@dataclass(frozen=True, slots=True, eq=False)
class SetTable:
    """Of a set, each variant's figures against the base by name, and CPU seconds per Mpixel."""

    pairs: dict[str, dict[str, Paired]]
    seconds: dict[str, float]

    def save(self, file: Path) -> None:
        """As numbers alone: (2 + resamples,) for each variant and figure."""
        flat = {
            f"{name}|{figure}": np.r_[pair.base, pair.form, pair.resampled]
            for name, by in self.pairs.items()
            for figure, pair in by.items()
        }
        seconds = np.array(list(self.seconds.values()))
        partial_file = file.with_suffix(".partial.npz")
        np.savez(partial_file, names=np.array(list(self.seconds)), seconds=seconds, **flat)
        partial_file.replace(file)

    @classmethod
    def load(cls, file: Path) -> SetTable:
        """What `save` wrote."""
        with np.load(file) as stored:
            names = [str(name) for name in stored["names"]]
            pairs: dict[str, dict[str, Paired]] = {name: {} for name in names}
            for key in stored.files:
                name, _, figure = key.partition("|")
                if figure:
                    values = stored[key]
                    pairs[name][figure] = Paired(float(values[0]), float(values[1]), values[2:])
            seconds = stored["seconds"].tolist()
        return cls(pairs, dict(zip(names, seconds, strict=True)))


def judge_set(
    classes: Sequence[ImageClass], found: Mapping[str, Maps], options: argparse.Namespace
) -> SetTable:
    """All figures of all variants on a set; of classes with boxes those of regions alone."""
    base = found[BASE].images
    weights = Resampling(options.seed, options.resamples).weights(classes[0].set_name, base)
    protocols = {one.name: Protocol(boxes=one.boxes) for one in classes}
    mpix = sum(image.shape[0] * image.shape[1] for image in base) / 1e6
    own = evaluate_set(base, weights, protocols).mean
    pools = list(_pools(base))
    draws = [np.vstack([np.ones(len(pool)), weights[:, pool]]) for pool in pools]
    own_peaks = [Peaks.of([base[i] for i in pool]) for pool in pools]
    pairs: dict[str, dict[str, Paired]] = {}
    for name, maps in found.items():
        means = pair_figures(own, evaluate_set(maps.images, weights, protocols).mean)
        peaks = [Peaks.of([maps.images[i] for i in pool]) for pool in pools]
        hits = {
            title: paired_hits(own_peaks, peaks, limit, draws)
            for title, limit in size_limits(options.small).items()
        }
        pairs[name] = {figure: means[figure] for figure in FIGURES if figure in means} | hits
    return SetTable(pairs, {name: maps.seconds / mpix for name, maps in found.items()})


def size_limits(small: int) -> dict[str, SizeLimit]:
    """Small and large regions at each share of false area, by title."""
    kinds = {f"regions to {small} px": (1, small + 1), "larger regions": (small + 1, 1 << 40)}
    return {
        f"{kind} at {area:.2%}": SizeLimit(*ends, area)
        for kind, ends in kinds.items()
        for area in FALSE_AREAS
    }


def _pools(images: Sequence[ScoredImage]) -> Iterator[list[int]]:
    """Images of each class with defects, together with those of the classes without."""
    classes = list(dict.fromkeys(image.class_name for image in images))
    defective = {image.class_name for image in images if image.has_defect}
    for name in classes:
        if name in defective:
            yield [
                number
                for number, image in enumerate(images)
                if image.class_name == name or image.class_name not in defective
            ]


def measure(options: argparse.Namespace) -> Iterator[tuple[str, SetTable]]:
    """Set by set its table.

    Raises:
        ValueError: a set or variant that there is not.
    """
    names = choose_variants(options.variants)
    config = Config.model_validate({"backbone": {"threads": 1}})
    with closing(RememberingBackbone(open_backbone(config.backbone))) as backbone:
        for set_name in options.sets:
            found = find_classes([options.data / set_name])
            classes = [one.limited(options.limit) for one in found]
            if any(s.truth is not Truth.MASK for one in classes for s in one.samples):
                msg = f"{set_name}: every image must have a mask"
                raise ValueError(msg)
            file = _kept_file(set_name, names, options)
            if not file.is_file():
                say(f"{set_name}: {sum(len(one.samples) for one in classes)} images")
                maps = score_set(classes, backbone, [name for name in names if name != IN_ORDER])
                if IN_ORDER in names:
                    before = maps[BASE]
                    maps[IN_ORDER] = Maps(less_history(before.images), before.seconds)
                judge_set(classes, maps, options).save(file)
            yield set_name, SetTable.load(file)


def _kept_file(set_name: str, names: Sequence[str], options: argparse.Namespace) -> Path:
    here = Path(__file__).parent
    code = [(here / f"{name}.py").read_text() for name in ("small_variants", "window_errors")]
    asked = [set_name, *names, options.limit, options.small, options.seed, options.resamples]
    key = hashlib.sha256(json.dumps([asked, code]).encode()).hexdigest()[:16]
    folder: Path = options.work
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{set_name}-{key}.npz"


def choose_variants(wanted: Sequence[str]) -> tuple[str, ...]:
    """The named variants and always the base, first; no name: all.

    Raises:
        ValueError: a name that there is not.
    """
    for name in wanted:
        if name not in NAMES:
            msg = f"--variants must be of {', '.join(NAMES)}, got {name}"
            raise ValueError(msg)
    return tuple(name for name in NAMES if not wanted or name in {BASE, *wanted})


def tables(results: Mapping[str, SetTable]) -> str:
    """Markdown: the mean of the sets, then each set; the base's own figures first."""
    names = list(next(iter(results.values())).pairs)
    parts = ["### Mean of the sets", _table([(n, _mean_pairs(results, n)) for n in names], results)]
    for set_name, one in results.items():
        parts += [f"### {set_name}", _table(list(one.pairs.items()), {set_name: one})]
    return "\n\n".join(parts)


def _mean_pairs(results: Mapping[str, SetTable], name: str) -> dict[str, Paired]:
    titles = dict.fromkeys(t for one in results.values() for t in one.pairs[name])
    found = {}
    for title in titles:
        pairs = [one.pairs[name][title] for one in results.values() if title in one.pairs[name]]
        if any(not np.isnan(pair.base) for pair in pairs):
            found[title] = average(pairs)
    return found


def _table(
    rows: Sequence[tuple[str, Mapping[str, Paired]]], results: Mapping[str, SetTable]
) -> str:
    titles = list(dict.fromkeys(title for _, by in rows for title in by))
    head = ["variant", *titles, "CPU s/Mpix"]
    lines = [head, ["---"] * len(head)]
    for name, by in rows:
        seconds = np.mean([one.seconds[name] for one in results.values()])
        cells = [_cell(by.get(title), is_base=name == BASE) for title in titles]
        lines.append([name, *cells, f"{seconds:.2f}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(pair: Paired | None, *, is_base: bool) -> str:
    """The base's figure, or a difference with its interval, bold where that excludes 0."""
    if pair is None or np.isnan(pair.form):
        return "-"
    if is_base:
        return f"{pair.form:.4f}"
    low, high = pair.interval
    text = f"{pair.difference:+.4f} ({low:+.3f}, {high:+.3f})"
    return f"**{text}**" if low > 0 or high < 0 else text


def as_json(results: Mapping[str, SetTable]) -> dict[str, Any]:
    """All figures by set and variant."""
    return {
        name: {
            variant: {title: pair.as_dict() for title, pair in by.items()}
            | {"seconds_per_mpix": one.seconds[variant]}
            for variant, by in one.pairs.items()
        }
        for name, one in results.items()
    }


def say(line: str) -> None:
    """Progress, beside the output."""
    print(line, file=sys.stderr, flush=True)


def run(options: argparse.Namespace) -> int:
    """Measure, print the tables, write the JSON; returns the exit code."""
    torch.set_num_threads(1)
    results: dict[str, SetTable] = {}
    try:
        for set_name, one in measure(options):
            results[set_name] = one
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(results), indent=1) + "\n", encoding="utf-8")
    print(tables(results))
    return 0


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Variants that might find smaller defects.")
    default = Path(os.environ.get("LINESCAN_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=default, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", default=list(HEADLINE))
    parser.add_argument("--variants", nargs="+", default=[], help="these and the default")
    parser.add_argument("--limit", type=int, help="images of each class, spread evenly")
    parser.add_argument("--small", type=int, default=256, help="pixels of the largest small region")
    parser.add_argument("--work", type=Path, default=Path("build/small_defects"))
    parser.add_argument("--seed", type=int, default=0, help="of the redrawn images")
    parser.add_argument("--resamples", type=int, default=400, help="draws for the intervals")
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for all figures")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run(parse_options()))
