"""`linescan sink`: one sink stage, for a line on several hosts."""

from __future__ import annotations

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
    from streamer.compose.outcome import RollEnd

    loaded = read_config(config, settings)
    summary = run_stage(run_sink, loaded, process, parent)
    if parent is not None:
        return 0  # a parent judges by the manifest
    return RollEnd.of_summary(summary).exit_code(loaded.limits.not_inspected_percent)
