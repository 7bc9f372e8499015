"""`linescan capture`: one capture stage, for a line on several hosts."""

from __future__ import annotations

from typing import Annotated

import typer

from streamer.cli.exit_codes import INTERNAL
from streamer.cli.options import ConfigOption, SetOption, read_config
from streamer.cli.stage_options import ParentOption, ProcessOption, run_stage


def capture(
    config: ConfigOption = None,
    settings: SetOption = None,
    process: ProcessOption = "capture",
    parent: ParentOption = None,
    camera: Annotated[
        str, typer.Option(help="Name of the camera when there are several; default: the first.")
    ] = "",
) -> int:
    """Run the capture stage alone: source in, tiles and ledger out."""
    from streamer.compose.children import run_capture
    from streamer.stages.capture import STOPPED_ON_REQUEST

    fault = run_stage(run_capture, read_config(config, settings), process, parent, camera)
    failed = fault not in ("", STOPPED_ON_REQUEST)
    return INTERNAL if failed and parent is None else 0  # a parent judges by the manifest
