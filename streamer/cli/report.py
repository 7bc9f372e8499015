"""`linescan report`: render the report of a roll again from its folder, and export its defects."""

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
from streamer.config import Grading

RollArgument = Annotated[Path, typer.Argument(help="Roll folder, or its name under roll.folder.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="File for the report [default: report.html in ROLL].")
]
CsvOption = Annotated[
    Path | None, typer.Option("--csv", help="Also write the defects to this CSV file.")
]
ParquetOption = Annotated[
    Path | None, typer.Option("--parquet", help="Also write the defects to this Parquet file.")
]


def report(
    roll: RollArgument,
    out: OutOption = None,
    csv: CsvOption = None,
    parquet: ParquetOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Render the report of a finished roll from what its folder holds.

    It is graded as it was inspected with; --config or --set grading.KEY=VALUE grade it anew.
    """
    folder = roll if roll.is_dir() else read_config(config, settings).roll.folder / roll
    exports = {"csv": csv, "parquet": parquet}
    written = {"report": _render(folder, out, _grading(config, settings))}
    written |= {kind: _export(kind, folder, path) for kind, path in exports.items() if path}
    if as_json:
        typer.echo(json.dumps({"roll": str(folder)} | {k: str(p) for k, p in written.items()}))
    else:
        typer.echo("\n".join(str(path) for path in written.values()))


def _grading(config: Path | None, settings: list[str] | None) -> Grading | None:
    """The grading that was asked for; None: that of the roll."""
    is_set = any(setting.startswith("grading.") for setting in settings or ())
    return read_config(config, settings).grading if config or is_set else None


def _render(folder: Path, out: Path | None, grading: Grading | None) -> Path:
    from streamer.outputs.report import render_report
    from streamer.outputs.storage import StorageError

    try:
        return render_report(folder, out, grading)
    except StorageError as error:
        raise EnvironmentFault(str(error)) from None
    except (FileNotFoundError, ValueError) as error:
        raise UsageFault(str(error)) from None


def _export(kind: str, folder: Path, path: Path) -> Path:
    from streamer.outputs.defect_export import MissingPyarrow, export_csv, export_parquet
    from streamer.outputs.storage import StorageError

    try:
        {"csv": export_csv, "parquet": export_parquet}[kind](folder, path)
    except (StorageError, MissingPyarrow) as error:
        raise EnvironmentFault(str(error)) from None
    return path
