"""Folders of labelled images as sets and classes; opens no image and knows no score."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

EXTENSIONS = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
BOXES_FILE, BOXES_MARK = "boxes.json", "BOXES"
CLEAN_FOLDER = "good"  # of MVTec AD


class Truth(StrEnum):
    """What is known of an image."""

    CLEAN = "clean"  # free of defects, without a mask that would say so
    MASK = "mask"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Sample:
    """An image and where its truth is; `mask` is a file when `truth` is MASK."""

    image: Path
    truth: Truth
    mask: Path | None = None

    @property
    def name(self) -> str:
        """Folder and file, as MVTec AD has equal file names in several folders."""
        return f"{self.image.parent.name}/{self.image.name}"


@dataclass(frozen=True, slots=True)
class ImageClass:
    """Images of one kind of web, in the order of their names; `boxes`: the masks are boxes."""

    set_name: str
    name: str
    samples: tuple[Sample, ...]
    boxes: bool = False

    def limited(self, count: int | None) -> ImageClass:
        """At most `count` of the images, spread evenly."""
        size = len(self.samples)
        if count is None or count >= size:
            return self
        chosen = tuple(self.samples[number * size // count] for number in range(count))
        return ImageClass(self.set_name, self.name, chosen, self.boxes)


def find_classes(folders: Sequence[Path], *, boxes: bool = False) -> tuple[ImageClass, ...]:
    """The classes in some data sets; each folder is a class, a set of classes or several sets.

    A class holds `images/` with `masks/` beside it, or MVTec AD's `test/DEFECT/` and
    `ground_truth/DEFECT/`, or images alone, whose truth is then unknown. Masks are boxes where
    `boxes` says so, the class folder holds `boxes.json`, or the set's folder a file `BOXES`.

    Raises:
        ValueError: a folder holds no images, or two classes have the same set and name.
    """
    classes = [one for folder in folders for one in _search(folder, boxes=boxes)]
    seen: set[tuple[str, str]] = set()
    for one in classes:
        if (one.set_name, one.name) in seen:
            msg = f"DATASET must hold each class once, got {one.set_name}/{one.name} again"
            raise ValueError(msg)
        seen.add((one.set_name, one.name))
    return tuple(classes)


def stray_masks(samples: Sequence[Sample]) -> tuple[Path, ...]:
    """Masks without an image, beside the masks that some images of `images/` have."""
    known = {sample.image.stem for sample in samples}
    folders = {s.image.parent.parent / "masks" for s in samples if s.image.parent.name == "images"}
    masks = (mask for folder in sorted(folders) for mask in _images(folder))
    return tuple(mask for mask in masks if mask.stem not in known)


def _search(folder: Path, *, boxes: bool) -> list[ImageClass]:
    found = list(_classes_of(folder, boxes=boxes))
    if not found:
        found = [c for inner in _folders(folder) for c in _classes_of(inner, boxes=boxes)]
    if not found:
        msg = (
            f"{folder}: DATASET must hold images ({' '.join(EXTENSIONS)}) in CLASS/images or "
            f"CLASS/test/DEFECT, got {'none' if folder.is_dir() else 'no folder'}"
        )
        raise ValueError(msg)
    return found


def _classes_of(folder: Path, *, boxes: bool) -> Iterator[ImageClass]:
    """The class that a folder is, or the classes of the set that it is; none: it is neither."""
    samples = _samples(folder)
    is_class = bool(samples) or any((folder / inner).is_dir() for inner in ("images", "test"))
    members = [(folder, samples)] if is_class else [(f, _samples(f)) for f in _folders(folder)]
    owner = folder.resolve().parent if is_class else folder
    for member, images in members:
        if images:
            marked = boxes or (member / BOXES_FILE).is_file() or (owner / BOXES_MARK).is_file()
            yield ImageClass(owner.resolve().name, member.resolve().name, images, marked)


def _samples(folder: Path) -> tuple[Sample, ...]:
    if (folder / "images").is_dir():
        return tuple(_beside(image) for image in _images(folder / "images"))
    if (folder / "test").is_dir():
        return tuple(
            _as_mvtec(image) for kind in _folders(folder / "test") for image in _images(kind)
        )
    return tuple(Sample(image, Truth.UNKNOWN) for image in _images(folder))


def _beside(image: Path) -> Sample:
    folder = image.parent.parent / "masks"
    names = (folder / image.name, *(folder / (image.stem + end) for end in EXTENSIONS))
    return _masked(image, next((name for name in names if name.is_file()), None))


def _as_mvtec(image: Path) -> Sample:
    if image.parent.name == CLEAN_FOLDER:
        return Sample(image, Truth.CLEAN)
    mask = image.parents[2] / "ground_truth" / image.parent.name / f"{image.stem}_mask.png"
    return _masked(image, mask if mask.is_file() else None)


def _masked(image: Path, mask: Path | None) -> Sample:
    return Sample(image, Truth.UNKNOWN if mask is None else Truth.MASK, mask)


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS)


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
