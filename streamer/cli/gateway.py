"""`linescan gateway`: one gateway, that goes on whether or not a roll runs."""

from __future__ import annotations

from typing import Annotated

import typer

from streamer.cli.options import ConfigOption, SetOption, UsageFault, read_config
from streamer.cli.stage_options import ParentOption, ProcessOption, run_peer


def gateway(
    name: Annotated[str, typer.Argument(help="A section of `gateways`, as alarm_log.")],
    config: ConfigOption = None,
    settings: SetOption = None,
    process: ProcessOption = "gateway",
    parent: ParentOption = None,
) -> None:
    """Pass the verdict on in one way; follows `alarms` of the configuration.

    `linescan run` starts those that `gateways` of the configuration turns on. One that is started
    alone goes on from roll to roll and says that data is not valid while none runs.
    """
    from streamer.compose.gateways import run_gateway

    loaded = read_config(config, settings)
    known = type(loaded.gateways).model_fields
    if name not in known:
        msg = f"gateway must be one of {', '.join(known)}, got {name}"
        raise UsageFault(msg)
    run_peer(lambda setting: run_gateway(setting, name), loaded, process, parent)
