"""`linescan simulate`: the simulated web as a recording with ground truth; knows no pixel of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from streamer.cli.options import ConfigOption, JsonOption, SetOption, UsageFault, read_config
from streamer.cli.record import OutOption, report, write_recording

LengthOption = Annotated[
    float | None,
    typer.Option("--length-m", help="Metres of web [default: source.length_m].", min=1e-6),
]
FaultsOption = Annotated[
    Path | None,
    typer.Option("--faults", help="Fault script before the camera, as deploy/faults/tour.yaml."),
]


def simulate(
    out: OutOption,
    length_m: LengthOption = None,
    faults: FaultsOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a simulated roll with known defects, as fast as possible, and its truth.json.

    With faults, what they cost is lost in the recording, and the truth says which lines and why.

    SIGINT and SIGTERM end it in order; the truth then covers what was written.
    """
    effective = read_config(config, settings)
    if effective.source.kind != "simulator":
        msg = f"source.kind must be simulator, got {effective.source.kind}; see --config"
        raise UsageFault(msg)
    changes = ["source.kind=simulator", "source.pace=fast"]
    if length_m is not None:
        changes.append(f"source.length_m={length_m}")
    if faults is not None:
        changes.append(f"source.faults={json.dumps(str(faults))}")
    report(write_recording(read_config(config, [*(settings or []), *changes]), out), as_json)
