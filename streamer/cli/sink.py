"""`linescan sink`: one sink stage, for a line on several hosts."""

from __future__ import annotations

from streamer.cli.exit_codes import INSPECTION_LOSS
from streamer.cli.options import ConfigOption, SetOption, read_config
from streamer.cli.stage_options import ParentOption, ProcessOption, run_stage


def sink(
    config: ConfigOption = None,
    settings: SetOption = None,
    process: ProcessOption = "sink",
    parent: ParentOption = None,
) -> int:
    """Run the sink alone: verdicts in, alarms and the roll folder out."""
    from streamer.compose.children import run_sink

    loaded = read_config(config, settings)
    summary = run_stage(run_sink, loaded, process, parent)
    lost = summary.coverage.not_inspected_percent > loaded.limits.not_inspected_percent
    return INSPECTION_LOSS if lost and parent is None else 0  # a parent judges by the manifest
