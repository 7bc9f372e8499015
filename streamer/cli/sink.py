"""`linescan sink`: one sink stage, for a line on several hosts."""

from __future__ import annotations

from streamer.cli.options import ConfigOption, SetOption, read_config
from streamer.cli.stage_options import ParentOption, ProcessOption, run_stage


def sink(
    config: ConfigOption = None,
    settings: SetOption = None,
    process: ProcessOption = "sink",
    parent: ParentOption = None,
) -> None:
    """Run the sink alone: verdicts in, alarms and the roll folder out."""
    from streamer.compose.children import run_sink

    run_stage(run_sink, read_config(config, settings), process, parent)
