"""Joins the kept maps of `linescan evaluate` with the truth of their images; makes no map."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from streamer.cli.evaluate_maps import named_fault, read_pixels
from streamer.cli.options import EnvironmentFault
from streamer.evaluation.datasets import Truth
from streamer.evaluation.judging import ScoredImage
from streamer.evaluation.summary import RunResult, Seconds, evaluate_set
from streamer.evaluation.upsampling import judged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from streamer.cli.evaluate_jobs import Finished
    from streamer.cli.evaluate_maps import ImageMap
    from streamer.cli.evaluate_store import MapStore
    from streamer.evaluation.class_figures import Protocol
    from streamer.evaluation.datasets import ImageClass, Sample
    from streamer.evaluation.summary import Resampling, SetResult


@dataclass(frozen=True, slots=True)
class Exam:
    """What is judged and how; `protocols` by (set, class)."""

    classes: tuple[ImageClass, ...]
    protocols: dict[tuple[str, str], Protocol]
    resampling: Resampling

    def sets(self) -> dict[str, list[ImageClass]]:
        """The classes by set, in the order that they were given."""
        found: dict[str, list[ImageClass]] = {}
        for one in self.classes:
            found.setdefault(one.set_name, []).append(one)
        return found

    def crop_share(self, one: ImageClass) -> float:
        """What is left out of each side of an image of a class."""
        return self.protocols[one.set_name, one.name].crop_share


@dataclass(slots=True)
class MapShelf:
    """The maps of one run by image, loaded when asked for; `faults` are those of its images."""

    store: MapStore
    finished: Finished
    faults: list[str] = field(default_factory=list)
    seconds: dict[tuple[str, str], Seconds] = field(default_factory=dict)

    def load(self, one: ImageClass) -> dict[str, ImageMap]:
        """The maps of a class by path of the image.

        Raises:
            EnvironmentFault: a file that was written is gone or damaged.
        """
        found: dict[str, ImageMap] = {}
        for job in self.finished.jobs[one.set_name, one.name]:
            maps = self.store.load(job.file)
            if maps is None:
                msg = f"{job.file}: maps must stay where they are, got none; start again"
                raise EnvironmentFault(msg)
            found |= {entry.image: entry for entry in maps.maps}
            self.faults += maps.faults
        self.seconds[one.set_name, one.name] = _seconds(found.values())
        return found


@dataclass(frozen=True, slots=True)
class TruthReader:
    """Reads masks, and says what is wrong with them."""

    faults: list[str]

    def has_defect(self, sample: Sample, shape: tuple[int, int], crop_share: float) -> bool | None:
        """Whether the judged part of an image holds a defect; None when its truth is unknown."""
        if sample.truth is Truth.UNKNOWN:
            return None
        try:
            mask = read_mask(sample, shape)
        except (OSError, ValueError) as error:
            self.faults.append(named_fault(sample.mask or sample.image, error))
            return None
        return bool(mask[judged(shape, crop_share)].any())


def read_mask(sample: Sample, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """The truth of an image as (lines, columns) uint8, not 0 where defective.

    Raises:
        ValueError: the mask is damaged or of another size than the image.
        OSError: it cannot be read.
    """
    if sample.mask is None:
        return np.zeros(shape, np.uint8)
    pixels = read_pixels(sample.mask)
    if pixels.shape[:2] != shape:
        given = f"{pixels.shape[0]} x {pixels.shape[1]}"
        msg = f"{sample.mask}: mask must be {shape[0]} x {shape[1]} as its image, got {given}"
        raise ValueError(msg)
    plane = pixels if pixels.ndim == 2 else pixels.max(axis=2)
    return (plane > 0).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Judgement:
    """All runs on the same images and the same draws of them, and what could not be used."""

    runs: tuple[RunResult, ...]
    faults: tuple[str, ...]


def judge_runs(
    shelves: dict[str, MapShelf], exam: Exam, tell: Callable[[str], None] = lambda _: None
) -> Judgement:
    """The figures of all runs, by their names, on the images that each of them has a map of.

    `tell` hears which set is being judged.
    """
    reader = TruthReader([])
    sets: dict[str, dict[str, SetResult]] = {name: {} for name in shelves}
    for set_name, classes in exam.sets().items():
        tell(f"figures of {set_name}")
        scored = [known for one in classes for known in _known_images(shelves, one, exam, reader)]
        weights = exam.resampling.weights(set_name, [images[0] for images in scored])
        protocols = {one.name: exam.protocols[set_name, one.name] for one in classes}
        for number, name in enumerate(shelves):
            if scored:
                images = [of_runs[number] for of_runs in scored]
                sets[name][set_name] = evaluate_set(images, weights, protocols)
    runs = (RunResult.over(name, sets[name], shelf.seconds) for name, shelf in shelves.items())
    faults = [fault for shelf in shelves.values() for fault in shelf.faults]
    return Judgement(tuple(runs), tuple(dict.fromkeys(faults + reader.faults)))


def _known_images(
    shelves: dict[str, MapShelf], one: ImageClass, exam: Exam, reader: TruthReader
) -> Iterator[tuple[ScoredImage, ...]]:
    """Of each image of a class that has a truth and all maps, one entry per run."""
    loaded = [shelf.load(one) for shelf in shelves.values()]
    for sample in one.samples:
        maps = [found.get(str(sample.image)) for found in loaded]
        of_runs = [entry for entry in maps if entry is not None]
        if len(of_runs) < len(maps):
            continue
        has_defect = reader.has_defect(sample, of_runs[0].shape, exam.crop_share(one))
        if has_defect is not None:
            yield tuple(_scored_image(sample, one, entry, has_defect) for entry in of_runs)


def _scored_image(
    sample: Sample, one: ImageClass, entry: ImageMap, has_defect: bool
) -> ScoredImage:
    return ScoredImage(
        sample.name,
        one.name,
        entry.shape,
        has_defect,
        partial(read_mask, sample, entry.shape),
        entry.scores,
        entry.stride,
    )


def _seconds(maps: Iterable[ImageMap]) -> Seconds:
    total = Seconds()
    for entry in maps:
        megapixels = entry.shape[0] * entry.shape[1] / 1e6
        cpu = entry.backbone_cpu_s, entry.scoring_cpu_s
        total = total.plus(Seconds(entry.backbone_s, entry.scoring_s, megapixels, *cpu))
    return total
