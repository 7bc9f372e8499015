"""`linescan replay`: the line on recorded webs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from streamer.cli.options import (
    ConfigOption,
    JsonOption,
    SetOption,
    UsageFault,
    placed_faults,
    read_config,
)
from streamer.cli.run import run_configured
from streamer.config import Config, ReplaySource


def replay(
    recording: Annotated[
        Path, typer.Argument(help="Folder of images, image, video, .npy file or recording.")
    ],
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
    glob: Annotated[str | None, typer.Option(help="Which files of a folder.")] = None,
    transpose: Annotated[bool, typer.Option(help="Columns of the files run down-web.")] = False,
    seams: Annotated[bool, typer.Option(help="Every piece is a web of its own.")] = False,
    width: Annotated[str | None, typer.Option(help="Unequal widths: error or pad.")] = None,
    allow_lossy: Annotated[bool, typer.Option(help="Accept lossy video.")] = False,
) -> int:
    """Inspect a recorded web, as fast as possible unless `source.pace` says otherwise."""
    base = read_config(config, settings)
    if base.cameras:
        named = ", ".join(side.source.camera for side in base.cameras)
        msg = (
            f"cameras must be empty to replay one recording, got {named}; use --set cameras=[], or "
            "`linescan run` with a source of kind replay for each camera"
        )
        raise UsageFault(msg)
    options = {
        "glob": glob,
        "transpose": transpose or None,
        "seams": seams or None,
        "width": width,
        "allow_lossy": allow_lossy or None,
    }
    given = {key: value for key, value in options.items() if value is not None}
    with placed_faults(config, settings):
        return run_configured(with_replay(base, recording, given), as_json=as_json)


def with_replay(config: Config, path: Path, given: Mapping[str, object]) -> Config:
    """`config` with a replay of `path` as its source; `given` overrides its replay section.

    Raises:
        UsageFault: an option has a value that the section does not allow.
    """
    section = config.source.model_dump() if isinstance(config.source, ReplaySource) else {}
    section |= {"kind": "replay", "camera": config.source.camera, "path": path, **given}
    try:
        source = ReplaySource.model_validate(section)
    except ValidationError as error:
        fault = error.errors()[0]
        msg = f"--{'.'.join(map(str, fault['loc']))}: {fault['msg']}, got {fault['input']!r}"
        raise UsageFault(msg) from None
    return config.model_copy(update={"source": source})
