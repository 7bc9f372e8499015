"""`linescan score`: one score stage, for a line on several hosts."""

from __future__ import annotations

import sys

from streamer.cli.exit_codes import INTERNAL, OK
from streamer.cli.options import ConfigOption, SetOption, read_config
from streamer.cli.stage_options import ParentOption, ProcessOption, run_stage


def score(
    config: ConfigOption = None,
    settings: SetOption = None,
    process: ProcessOption = "score",
    parent: ParentOption = None,
) -> int:
    """Run one score worker alone: tiles in, score maps out."""
    from streamer.compose.children import run_score

    fault = run_stage(run_score, read_config(config, settings), process, parent)
    if fault:
        print(f"error: {fault}", file=sys.stderr)
    return INTERNAL if fault else OK
