"""`linescan export`: a feature extractor of the catalogue as ONNX; runs no inspection."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from streamer.backbones.faults import ProviderError
from streamer.cli.console import AnswerConsole
from streamer.cli.options import (
    ConfigOption,
    EnvironmentFault,
    JsonOption,
    SetOption,
    UsageFault,
    read_config,
)

if TYPE_CHECKING:
    from streamer import config as configuration
    from streamer.backbones.catalogue import Entry
    from streamer.backbones.exported import ExportedModel, ModelCard
    from streamer.config import Config


NameArgument = Annotated[
    str | None, typer.Argument(help="Name in the catalogue [default: backbone.name].")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="ONNX file [default: the cache's own].")
]
Int8Option = Annotated[
    bool, typer.Option("--int8", help="Write the static int8 form, for backbone.int8_file.")
]
CalibrateOption = Annotated[
    str | None,
    typer.Option(
        "--calibrate-on",
        metavar="FOLDER|simulator",
        help="Images of normal web for --int8 [default: simulator].",
    ),
]
VerifyOption = Annotated[
    str | None,
    typer.Option(
        "--verify",
        metavar="FOLDER|simulator",
        help="Compare all forms on these images; exit 4 when one is beyond its tolerance.",
    ),
]
ScoreToleranceOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="--verify: largest difference of a score, of the map's maximum [default: fp32 0.02, "
        "bf16 0.15, int8 0.25, with a subset of the channels 0.8 more].",
    ),
]
FlipToleranceOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="--verify: share of the map whose verdict differs [default: fp32 0.001, bf16 0.01, "
        "int8 0.03, with a subset of the channels 0.05 more].",
    ),
]


def export(
    name: NameArgument = None,
    out: OutOption = None,
    int8: Int8Option = False,
    calibrate_on: CalibrateOption = None,
    verify: VerifyOption = None,
    score_tolerance: ScoreToleranceOption = None,
    flip_tolerance: FlipToleranceOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a feature extractor as ONNX with dynamic shapes, checked against torch.

    A sidecar beside it (.json) says stride, receptive field, channels, normalisation and digests.
    backbone.channels applies. --verify writes nothing: it compares torch with every form (engines,
    precisions, channels) on features, scores and decisions. Exits with 3 if the weights cannot be
    had or the configured form does not run, and with 4 if a form disagrees with torch.
    """
    chosen = read_config(config, settings)
    if name is not None:
        update = {"backbone": chosen.backbone.model_copy(update={"name": name})}
        chosen = chosen.model_copy(update=update)
    _refuse_unfit(int8, calibrate_on, out, verify)
    if verify is not None:
        from streamer.cli.verify_report import report_agreement

        report_agreement(chosen, verify, (score_tolerance, flip_tolerance), as_json=as_json)
        return
    made, file = _make(chosen, calibrate_on) if int8 else _fetch(chosen.backbone)
    if out is not None:
        file = _write(made, out)
    if as_json:
        typer.echo(json.dumps({"file": str(file), **asdict(made.card)}, indent=2))
    else:
        _show(file, made.card)


def _refuse_unfit(
    int8: bool,  # noqa: FBT001
    calibrate_on: str | None,
    out: Path | None,
    verify: str | None,
) -> None:
    if calibrate_on is not None and not int8:
        msg = f"--calibrate-on needs --int8, got {calibrate_on!r} alone"
        raise UsageFault(msg)
    if verify is not None and (int8 or out is not None):
        msg = "--verify compares and writes nothing, got --int8 or --out with it; call it apart"
        raise UsageFault(msg)


def _find(settings: configuration.Backbone) -> Entry:
    from streamer.backbones.catalogue import find_entry

    try:
        return find_entry(settings.name)
    except ValueError as error:
        raise UsageFault(str(error)) from None


def _fetch(backbone: configuration.Backbone) -> tuple[ExportedModel, Path]:
    from streamer.backbones.cache import cache_folder, fetch_exported

    entry = _find(backbone)
    try:
        made, file = fetch_exported(entry, cache_folder(backbone.cache))
    except (ProviderError, OSError, ValueError) as error:
        raise EnvironmentFault(str(error)) from None
    return (made, file) if backbone.channels is None else _subset(made, file, backbone.channels)


def _subset(made: ExportedModel, file: Path, channels: int) -> tuple[ExportedModel, Path]:
    """The export with some of its channels, beside the whole one."""
    from streamer.backbones.channel_subset import subset_digest
    from streamer.backbones.exported import ExportedModel, sha256
    from streamer.backbones.onnx_subset import keep_channels

    try:
        onnx = keep_channels(made.onnx, channels)
    except ValueError as error:
        raise UsageFault(str(error)) from None
    digest = sha256(subset_digest(made.card.weights_digest, channels).encode())
    card = replace(made.card, channels=channels, weights_digest=digest, onnx_digest=sha256(onnx))
    subset = ExportedModel(onnx, card)
    return subset, _write(subset, file.with_name(f"{file.stem}-{channels}.onnx"))


def _make(chosen: Config, calibrate_on: str | None) -> tuple[ExportedModel, Path]:
    """The int8 form, from the cache or calibrated now."""
    from streamer.backbones.cache import cache_folder
    from streamer.backbones.int8 import fetch_int8, int8_file
    from streamer.backbones.model import load_float_model
    from streamer.cli.material import calibration_material
    from streamer.compose.calibration_web import SIMULATOR

    backbone = chosen.backbone
    if backbone.onnx_file is None:
        _find(backbone)
    material = calibration_material(calibrate_on or SIMULATOR)
    try:
        model = load_float_model(backbone)
        folder = cache_folder(backbone.cache)
        return fetch_int8(model, material, folder), int8_file(model, material, folder)
    except (ProviderError, OSError) as error:
        raise EnvironmentFault(str(error)) from None
    except ValueError as error:
        raise UsageFault(str(error)) from None


def _write(made: ExportedModel, out: Path) -> Path:
    if out.suffix != ".onnx":
        msg = f"--out must end in .onnx, got {out}"
        raise UsageFault(msg)
    try:
        made.write(out)
    except OSError as error:
        msg = f"--out must be a file that can be written, got {out} ({error.strerror})"
        raise EnvironmentFault(msg) from None
    return out


def _show(file: Path, card: ModelCard) -> None:
    table = Table(title=card.name, show_header=False)
    rows = {
        "file": str(file),
        "stride": f"{card.stride} px",
        "receptive field": f"{card.radius} px beyond a feature's own {card.stride} px",
        "channels": str(card.channels),
        "value range": "open" if card.value_range is None else str(card.value_range),
        "input": card.input,
        "weights": card.weights_digest,
        **_parity_rows(card),
    }
    for key, value in rows.items():
        table.add_row(key, value, style=None)
    AnswerConsole().print(table)


def _parity_rows(card: ModelCard) -> dict[str, str]:
    if card.precision == "fp32":
        return {"parity with torch": f"{card.parity:.1e} of the largest feature"}
    return {
        "precision": card.precision,
        "calibrated on": f"{card.calibrated_on}, {card.calibration_images} images",
        "difference to float": f"mean {card.mean_error:.4f}, largest {card.parity:.3f} of the "
        "largest feature",
    }
