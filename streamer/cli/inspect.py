"""`linescan inspect`: images in, anomaly maps, overlays and JSON out; starts no process."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from streamer.backbones import open_backbone
from streamer.backbones.faults import ProviderError
from streamer.cli.image_report import Report, find_regions, masked_of, write_report
from streamer.cli.mask_file import read_mask
from streamer.cli.options import (
    ConfigOption,
    EnvironmentFault,
    JsonOption,
    SetOption,
    UsageFault,
    read_config,
)
from streamer.cli.stills import (
    FALSE_ALARMS_PER_IMAGE,
    require_whole_windows,
    still_lesson,
    still_of,
)
from streamer.compose.calibration_web import simulated_webs
from streamer.compose.decision import decision_settings
from streamer.compose.geometry import web_geometry
from streamer.outputs.storage import StorageError
from streamer.scoring import open_scorer
from streamer.scoring.fca import use_threads
from streamer.scoring.image_scorer import score_image
from streamer.scoring.kernel_gate import require_kernels
from streamer.scoring.profile import TextureProfile, require_fit
from streamer.sources.decode import decode, read_header

if TYPE_CHECKING:
    from streamer.config import Config
    from streamer.correction.side_cells import Flags
    from streamer.correction.still import Still
    from streamer.message import PixelArray
    from streamer.ports import Backbone
    from streamer.scoring.image_scorer import ImageVerdict
    from streamer.scoring.lesson import Lesson

ImagesArgument = Annotated[list[Path], typer.Argument(help="PNG, TIFF, BMP or JPEG images.")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder for maps, overlays and JSON.")]
ProfileOption = Annotated[
    Path | None,
    typer.Option(
        "--profile",
        help="File of `linescan calibrate` [default: profile.file, or each "
        "image is compared with itself].",
    ),
]
MaskOption = Annotated[
    Path | None,
    typer.Option(
        "--mask",
        help="Image of the size of all images, not 0 where they show no web [default: margins "
        "are found, see edges.mode].",
    ),
]
RateOption = Annotated[
    float,
    typer.Option(
        "--false-alarms-per-image",
        min=1e-6,
        help="How often a normal image may raise an alarm; a saved profile has its own level.",
    ),
]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What all images have in common."""

    config: Config
    backbone: Backbone
    saved: TextureProfile | None
    folder: Path
    false_alarms_per_image: float
    off_web: Flags | None = None


def inspect(
    images: ImagesArgument,
    out: OutOption,
    profile: ProfileOption = None,
    mask: MaskOption = None,
    rate: RateOption = FALSE_ALARMS_PER_IMAGE,
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Inspect images: write <stem>.map.npy, <stem>.overlay.png and <stem>.json into a folder.

    Every image is compared with its own typical texture, or with a saved profile. Regions are
    found as on the line. Margins beside the web are neither learnt from nor judged: NaN in the map.
    Exits with 2 if an image could not be used; the others are still done.
    """
    chosen = read_config(config, settings)
    _refuse_same_stems(images)
    saved, off_web = load_profile(profile or chosen.profile.file), read_mask(mask)
    require_kernels(chosen)
    make_folder(out)
    use_threads(chosen.scoring.threads)
    with closing(open_configured_backbone(chosen)) as backbone:
        inspection = Inspection(chosen, backbone, saved, out, rate, off_web)
        _refuse_unfit(inspection)
        outcomes = [_inspect_or_explain(path, inspection, quiet=as_json) for path in images]
    faults = [outcome for outcome in outcomes if isinstance(outcome, str)]
    if as_json:
        reports = [asdict(outcome) for outcome in outcomes if isinstance(outcome, Report)]
        typer.echo(json.dumps({"images": reports, "errors": faults}, indent=2))
    if faults:
        raise typer.Exit(2)


def open_configured_backbone(chosen: Config) -> Backbone:
    """The backbone of `chosen`.

    Raises:
        UsageFault: the settings name nothing that exists or fits.
        EnvironmentFault: this machine cannot run it as asked for.
    """
    try:
        return open_backbone(chosen.backbone, simulated_webs)
    except (ProviderError, OSError) as error:
        raise EnvironmentFault(str(error)) from None
    except ValueError as error:
        raise UsageFault(str(error)) from None


def load_profile(path: Path | None) -> TextureProfile | None:
    """The profile in `path`, if one is given.

    Raises:
        UsageFault: the file cannot be read or is no profile.
    """
    if path is None:
        return None
    try:
        return TextureProfile.load(path)
    except OSError as error:
        msg = f"{path}: profile must be readable, got {error.strerror}"
        raise UsageFault(msg) from None
    except ValueError as error:
        raise UsageFault(str(error)) from None


def make_folder(folder: Path) -> None:
    """Create the folder for results.

    Raises:
        UsageFault: it cannot be one.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: --out must be a folder that can be written, got {error.strerror}"
        raise UsageFault(msg) from None


def _inspect_or_explain(path: Path, inspection: Inspection, *, quiet: bool) -> Report | str:
    """The report, or why there is none: one bad image does not stop the others."""
    try:
        report = _inspect_image(path, _read(path), inspection)
    except ValueError as error:
        rule = str(error).removeprefix(f"{path.name}: ")
        fault = rule if str(path) in rule else f"{path}: {rule}"
        typer.echo(f"error: {fault}", err=True)
        return fault
    if not quiet:
        found, share = len(report.regions), report.masked.share
        masked = f", {100 * share:.1f} % masked as no web" if share else ""
        typer.echo(f"{path}: peak {report.peak:.2f} of the alarm level, {found} regions{masked}")
    return report


def _read(path: Path) -> PixelArray:
    try:
        return decode(path, read_header(path))
    except OSError as error:
        msg = f"{path}: image must be readable, got {error.strerror or error}"
        raise ValueError(msg) from None


def _inspect_image(path: Path, pixels: PixelArray, inspection: Inspection) -> Report:
    """Score one image (lines, columns[, 3]) and write its three files.

    Raises:
        ValueError: it or its web is too small, for any window or for those of the saved profile, or
            the mask has another size.
        EnvironmentFault: a file cannot be written.
    """
    saved = inspection.saved
    has_profile, off_web = saved is not None, inspection.off_web
    still = still_of(pixels, inspection.config, has_profile=has_profile, off_web=off_web)
    lesson = _lesson(path, still, inspection)
    verdict = score_image(still, inspection.backbone, lesson, saved)
    report = _report(path, pixels, verdict, inspection)
    try:
        write_report(report, pixels, verdict, inspection.folder / f"{path.stem}.json")
    except StorageError as error:
        raise EnvironmentFault(str(error)) from None
    return report


def _lesson(path: Path, still: Still, inspection: Inspection) -> Lesson:
    """As configured, or with the largest windows that a narrow web holds, and say so."""
    chosen = inspection.config
    lesson = still_lesson(
        still, chosen, inspection.backbone.spec, inspection.false_alarms_per_image
    )
    if inspection.saved is not None:
        require_whole_windows(still, chosen, lesson)
    size, wanted = lesson.method.patch_size, chosen.scoring.patch_size
    if size < wanted:
        typer.echo(
            f"{path}: windows of {size} features instead of {wanted}: it is narrow", err=True
        )
    return lesson


def _report(
    path: Path, pixels: PixelArray, verdict: ImageVerdict, inspection: Inspection
) -> Report:
    chosen, spec, profile = inspection.config, inspection.backbone.spec, verdict.profile
    geometry = web_geometry(chosen, pixels.shape[1])
    limits = decision_settings(chosen, geometry)
    calibration, highest = profile.calibration, np.nanmax(verdict.scores)
    return Report(
        image=str(path),
        lines=pixels.shape[0],
        columns=pixels.shape[1],
        image_score=float(highest),
        background=calibration.background,
        alarm_level=calibration.alarm_level,
        calibration_blocks=calibration.blocks,
        peak=float(calibration.normalise(highest)),
        regions=find_regions(verdict, pixels.shape[0], limits),
        method=profile.method,
        patch_size=verdict.patch_size,
        patch_size_configured=chosen.scoring.patch_size,
        backbone=spec.name,
        engine=spec.engine,
        model_digest=spec.digest,
        profile_digest=profile.digest,
        config_digest=chosen.digest,
        map=str(inspection.folder / f"{path.stem}.map.npy"),
        overlay=str(inspection.folder / f"{path.stem}.overlay.png"),
        masked=masked_of(verdict, pixels, geometry),
    )


def _refuse_same_stems(images: list[Path]) -> None:
    """Two images of one stem would overwrite each other's results."""
    by_stem: dict[str, Path] = {}
    for path in images:
        other = by_stem.setdefault(path.stem, path)
        if other is not path:
            msg = f"images must differ in their stem, got {other} and {path}; inspect them apart"
            raise UsageFault(msg)


def _refuse_unfit(inspection: Inspection) -> None:
    if inspection.saved is None:
        return
    try:
        method = open_scorer(inspection.config.scoring)
        require_fit(inspection.saved, method, inspection.backbone.spec)
    except ValueError as error:
        raise UsageFault(str(error)) from None
