"""Arguments to a command and its faults to an exit code; no logic."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

from streamer.interrupts import interrupts_held

INTERRUPTED = 130


def main() -> None:
    """Run `linescan`; see `linescan --help`."""
    try:
        with interrupts_held():
            from streamer.cli import run_command
        code = run_command(sys.argv[1:])
    except KeyboardInterrupt:
        _end_interrupted()
    if code == INTERRUPTED:
        _end_interrupted()
    # All is done: a request to stop that comes while Python ends must not replace the exit code.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


def _end_interrupted() -> NoReturn:
    """End with 130 whatever Ctrl-C broke into.

    Where it ended code that was compiled from text (a dataclass in the making), Python takes note
    and replaces every later exit code by death from the signal, handled or not.
    """
    with suppress(OSError, AttributeError):  # A stream is closed, or was from the start.
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
