"""`linescan export`: a feature extractor of the catalogue as ONNX; runs no inspection."""

from __future__ import annotations

import json
from dataclasses import asdict
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


NameArgument = Annotated[
    str | None, typer.Argument(help="Name in the catalogue [default: backbone.name].")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="ONNX file [default: the cache's own].")
]


def export(
    name: NameArgument = None,
    out: OutOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a feature extractor as ONNX with dynamic shapes, checked against torch.

    A sidecar beside it (.json) says stride, receptive field, channels, normalisation and digests.
    Exits with 3 if the weights cannot be had and with 4 if ONNX Runtime disagrees with torch.
    """
    backbone = read_config(config, settings).backbone
    entry = _find(name or backbone.name)
    made, file = _fetch(entry, backbone)
    if out is not None:
        file = _write(made, out)
    if as_json:
        typer.echo(json.dumps({"file": str(file), **asdict(made.card)}, indent=2))
    else:
        _show(file, made.card)


def _find(name: str) -> Entry:
    from streamer.backbones.catalogue import find_entry

    try:
        return find_entry(name)
    except ValueError as error:
        raise UsageFault(str(error)) from None


def _fetch(entry: Entry, backbone: configuration.Backbone) -> tuple[ExportedModel, Path]:
    from streamer.backbones.cache import cache_folder, fetch_exported

    try:
        return fetch_exported(entry, cache_folder(backbone.cache))
    except (ProviderError, OSError, ValueError) as error:
        raise EnvironmentFault(str(error)) from None


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
        "parity with torch": f"{card.parity:.1e} of the largest feature",
    }
    for key, value in rows.items():
        table.add_row(key, value, style=None)
    AnswerConsole().print(table)
