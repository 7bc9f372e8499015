"""Options and faults that every subcommand shares; knows no subcommand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.config import ConfigError
from streamer.config_file import load_config, place_fault

if TYPE_CHECKING:
    from streamer.config import Config

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Configuration file [default: config.yaml if there is one]."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override one key, e.g. web.pixel_mm=0.2, or preset=fast (balanced, fine).",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


class UsageFault(Exception):
    """The user asked for something that cannot be done: exit code 2, no traceback."""


class EnvironmentFault(Exception):
    """The machine lacks what was asked for: exit code 3, no traceback."""


def read_config(path: Path | None, settings: list[str] | None = None) -> Config:
    """Load the configuration named on the command line.

    Raises:
        UsageFault: the file or a setting cannot be used.
    """
    try:
        return load_config(_chosen(path), tuple(settings or ()))
    except ConfigError as error:
        raise UsageFault(str(error)) from None


def _chosen(path: Path | None) -> Path | None:
    default = Path("config.yaml")
    return path or (default if default.is_file() else None)


@contextmanager
def placed_faults(path: Path | None, settings: list[str] | None) -> Iterator[None]:
    """Name file and line of the key that a fault found after loading begins with."""
    try:
        yield
    except ConfigError as error:
        raise UsageFault(place_fault(_chosen(path), tuple(settings or ()), str(error))) from None
