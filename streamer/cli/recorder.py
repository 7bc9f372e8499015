"""`linescan recorder`: the recorder of one camera, for a line on several hosts."""

from __future__ import annotations

from typing import Annotated

import typer

from streamer.cli.options import ConfigOption, SetOption, UsageFault, read_config
from streamer.cli.stage_options import ParentOption, ProcessOption, run_stage


def recorder(
    config: ConfigOption = None,
    settings: SetOption = None,
    process: ProcessOption = "recorder",
    parent: ParentOption = None,
    camera: Annotated[
        str, typer.Option(help="Name of the camera when there are several; default: the first.")
    ] = "",
) -> None:
    """Run a recorder alone: lines from capture in, a recording out."""
    from streamer.compose.children import run_recorder

    effective = read_config(config, settings)
    if effective.recorder.mode == "off" or not effective.recorder.endpoint:
        given = (effective.recorder.mode, effective.recorder.endpoint)
        msg = f"recorder.mode and recorder.endpoint must be set to start a recorder, got {given}"
        raise UsageFault(msg)
    run_stage(run_recorder, effective, process, parent, camera)
