"""The command line: every subcommand by name, and what its faults mean as exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from typing import Any

import typer

from streamer.backbones.faults import ParityError, ProviderError
from streamer.cli.exit_codes import (
    ENVIRONMENT,
    INTERNAL,
    INTERRUPTED,
    OK,
    PARITY,
    USAGE,
)
from streamer.cli.options import EnvironmentFault, UsageFault
from streamer.cli.scratch import scratch_folder
from streamer.config import ConfigError
from streamer.interrupts import interrupts_held
from streamer.scoring.faults import KernelError

# Typer brings click under its own name or not, depending on its version: take the base from it.
_COMMAND_LINE_FAULT: type[Any] = typer.BadParameter.__mro__[2]

# Command -> (module, function); a module is imported only when its command is called or listed.
COMMANDS = {
    "run": "run",
    "capture": "capture",
    "score": "score",
    "sink": "sink",
    "recorder": "recorder",
    "gateway": "gateway",
    "replay": "replay",
    "record": "record",
    "export-recording": "export_recording",
    "simulate": "simulate",
    "calibrate": "calibrate",
    "calibrate-light": "calibrate_light",
    "inspect": "inspect",
    "evaluate": "evaluate",
    "export": "export",
    "doctor": "doctor",
    "cameras": "cameras",
    "bench": "bench",
    "report": "report",
    "map": "map",
    "validate-config": "validate_config",
    "schema": "schema",
}


def run_command(arguments: list[str]) -> int:
    """Run one subcommand; returns the exit code of DESIGN: 0, 1, 2, 3, 4, 5 or 130."""
    try:
        with scratch_folder():
            result = _invoke(arguments)
    except _COMMAND_LINE_FAULT as error:
        error.show()
        return USAGE
    except (typer.Abort, KeyboardInterrupt):
        return _say("interrupted", INTERRUPTED)
    except (UsageFault, ConfigError) as error:
        return _say(str(error), USAGE)
    except ParityError as error:
        return _say(str(error), PARITY)
    except BrokenPipeError:
        _drop_output()
        return _say("stdout must be read to its end, got a reader that left", ENVIRONMENT)
    except (EnvironmentFault, ProviderError, KernelError, OSError, ModuleNotFoundError) as error:
        return _say(str(error), ENVIRONMENT)
    except Exception as error:  # noqa: BLE001 - the process entry: anything else is our defect
        with suppress(OSError):
            traceback.print_exc()
        return _say(f"{type(error).__name__}: {error} (this is a defect)", INTERNAL)
    return result if isinstance(result, int) else OK


def _invoke(arguments: list[str]) -> object:
    """The command's result once its whole output is out."""
    with interrupts_held():
        command = typer.main.get_command(build_app(arguments[:1]))
    try:
        with command.make_context("linescan", list(arguments)) as context:
            result = command.invoke(context)
    except typer.Exit as ended:
        result = ended.exit_code
    if sys.stdout is not None:  # None: it was closed from the start
        sys.stdout.flush()
    return result


def _drop_output() -> None:
    """What is left to print goes nowhere, or the interpreter would fail on it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def build_app(named: list[str]) -> typer.Typer:
    """The application with the named subcommand, or with all when that is not one of them."""
    app = typer.Typer(
        help="Zero-shot inspection of endless textured webs.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_group)
    wanted = {name: COMMANDS[name] for name in named if name in COMMANDS} or COMMANDS
    for name, module in wanted.items():
        function = getattr(import_module(f"streamer.cli.{module}"), module)
        app.command(name)(function)
    return app


def _group() -> None:
    """Zero-shot inspection of endless textured webs: one command, its parts as subcommands."""


def _say(fault: str, code: int) -> int:
    with suppress(OSError):  # stderr may be a log on the disk that is full
        for line in fault.splitlines() or [""]:
            print(f"error: {line}", file=sys.stderr)
    return code
