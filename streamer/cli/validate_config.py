"""`linescan validate-config`: say whether a configuration can be used; starts nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from streamer.cli.options import (
    ConfigOption,
    JsonOption,
    SetOption,
    UsageFault,
    placed_faults,
    read_config,
)
from streamer.compose.geometry import tile_grid


def validate_config(
    file: Annotated[Path | None, typer.Argument(help="Configuration file.")] = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a configuration: keys, types, units, ranges, and that tiles fit the backbone."""
    if file is not None and config is not None and file != config:
        msg = f"FILE and --config must be the same file, got {file} and {config}"
        raise UsageFault(msg)
    loaded = read_config(file or config, settings)
    columns = loaded.web.columns or getattr(loaded.source, "shown_columns", None)
    with placed_faults(file or config, settings):
        grid = tile_grid(loaded, columns or max(loaded.tiles.columns, 1024))
    if loaded.profile.file is not None and not loaded.profile.file.is_file():
        msg = f"profile.file must be there, got {loaded.profile.file}"
        raise UsageFault(msg)
    for light in (loaded.light, *(side.light for side in loaded.cameras if side.light)):
        if light.file is not None and light.digest is None:
            msg = f"light.file must be a file of `linescan calibrate-light`, got {light.file}"
            raise UsageFault(msg)
    if as_json:
        print(
            json.dumps(
                {
                    "valid": True,
                    "digest": loaded.digest,
                    "preset": loaded.preset,
                    "beyond_preset": loaded.beyond_preset,
                }
            )
        )
        return
    lanes = f"{len(grid.lanes)} lanes" if columns else "width known when the source opens"
    tiles = f"tiles of {grid.tile_lines} x {grid.tile_columns} px, halo {grid.halo} px"
    print(f"valid: {tiles}, {lanes}")
    if loaded.preset is not None:
        print(f"preset {loaded.preset}{_beyond(loaded.beyond_preset)}")
    print(f"digest {loaded.digest}")


def _beyond(keys: list[str]) -> str:
    return f", but the file or --set decides {', '.join(keys)}" if keys else ""
