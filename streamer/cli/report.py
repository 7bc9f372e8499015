"""`linescan report`: render the report of a roll again from its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from streamer.cli.options import (
    ConfigOption,
    EnvironmentFault,
    JsonOption,
    SetOption,
    UsageFault,
    read_config,
)

RollArgument = Annotated[Path, typer.Argument(help="Roll folder, or its name under roll.folder.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="File for the report [default: report.html in ROLL].")
]


def report(
    roll: RollArgument,
    out: OutOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Render the report of a finished roll from what its folder holds."""
    folder = roll if roll.is_dir() else read_config(config, settings).roll.folder / roll
    path = _render(folder, out)
    typer.echo(json.dumps({"roll": str(folder), "report": str(path)}) if as_json else path)


def _render(folder: Path, out: Path | None) -> Path:
    from streamer.outputs.report import render_report
    from streamer.outputs.storage import StorageError

    try:
        return render_report(folder, out)
    except StorageError as error:
        raise EnvironmentFault(str(error)) from None
    except (FileNotFoundError, ValueError) as error:
        raise UsageFault(str(error)) from None
