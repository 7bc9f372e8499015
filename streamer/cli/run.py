"""`linescan run`: the whole line, from source to roll folder."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING

from streamer.cli.options import (
    ConfigOption,
    JsonOption,
    SetOption,
    UsageFault,
    placed_faults,
    read_config,
)
from streamer.config import ConfigError
from streamer.sources.camera_port import CameraFault

if TYPE_CHECKING:
    from streamer.compose.line import RunResult
    from streamer.config import Config


def run(
    config: ConfigOption = None, settings: SetOption = None, as_json: JsonOption = False
) -> int:
    """Inspect a web: capture, score and sink as processes, alarms, and a roll folder at the end."""
    loaded = read_config(config, settings)
    with placed_faults(config, settings):
        return run_configured(loaded, as_json=as_json)


def run_configured(config: Config, *, as_json: bool) -> int:
    """Run the line; returns the exit code.

    Raises:
        UsageFault: the source cannot be read or does not fit the tiles.
        SegmentError: there is too little shared memory for the tiles.
        CameraFault: the camera is away, or held by another program.
        KernelError: the workers would score on what `kernels.require` rules out.
    """
    from streamer.cli.display import open_display
    from streamer.cli.summary import print_summary
    from streamer.compose.line import LineRun, prepare_roll
    from streamer.compose.signals import StopRequest
    from streamer.scoring.kernel_gate import require_kernels
    from streamer.transport.segment import SegmentError

    try:
        effective = prepare_roll(config)
    except (ConfigError, SegmentError, CameraFault):
        raise
    except (ValueError, OSError) as error:
        raise UsageFault(str(error)) from None
    require_kernels(effective)
    stop = StopRequest().install()
    with open_display(effective, quiet=as_json) as display:
        logging.basicConfig(
            level=logging.WARNING, format="%(message)s", handlers=[display.log_handler]
        )
        result = LineRun(effective, display.show, stop).run()
    if as_json:
        print(json.dumps(_as_json(result)))
    else:
        print_summary(result, effective)
    for fault in result.faults:
        print(f"error: {fault}", file=sys.stderr)
    return result.exit_code


def _as_json(result: RunResult) -> dict[str, object]:
    return {
        "roll_folder": str(result.roll_folder),
        "exit_code": result.exit_code,
        "faults": list(result.faults),
        "restarts": result.restarts,
        "manifest": result.manifest,
    }
