"""Options of the commands that run one stage; knows no stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from streamer.cli.options import UsageFault
from streamer.cli.scratch import remove_orphaned

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.compose.children import Setting
    from streamer.config import Config

Result = TypeVar("Result")
ProcessOption = Annotated[str, typer.Option("--process", help="Name in heartbeats and logs.")]
ParentOption = Annotated[
    int | None,
    typer.Option("--parent", hidden=True, help="Process whose death ends this stage."),
]


def run_stage(
    run: Callable[[Setting], Result],
    config: Config,
    process: str,
    parent: int | None,
    camera: str = "",
) -> Result:
    """Run one stage in this process, with its log on stderr; returns what it returns.

    Raises:
        UsageFault: an endpoint that the stage needs is not configured.
    """
    from streamer.transport.segment import remove_stale_segments

    missing = [n for n in ("tiles", "results", "ledger") if not getattr(config.transport, n)]
    if missing:
        msg = f"transport.{missing[0]} must be set when a stage is started alone, got ''"
        raise UsageFault(msg)
    if config.roll.name is None:
        msg = "roll.name must be set when a stage is started alone, got null"
        raise UsageFault(msg)
    try:
        return run_peer(run, config, process, parent, camera)
    finally:
        remove_orphaned(parent)
        remove_stale_segments()  # of a capture that was killed, when nobody starts another


def run_peer(
    run: Callable[[Setting], Result],
    config: Config,
    process: str,
    parent: int | None,
    camera: str = "",
) -> Result:
    """Run what needs no endpoints between stages in this process, with its log on stderr."""
    import logging
    import time

    from streamer.compose.children import Setting
    from streamer.compose.signals import StopRequest

    formatter = logging.Formatter(f"%(asctime)sZ {process} %(levelname)s %(message)s")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    stop = StopRequest(parent).install()
    return run(Setting(config, process, stop, camera))
