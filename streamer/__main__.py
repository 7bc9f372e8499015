"""Arguments to a command and its faults to an exit code; no logic."""

from __future__ import annotations

import signal
import sys

from streamer.interrupts import interrupts_held


def main() -> None:
    """Run `linescan`; see `linescan --help`."""
    try:
        with interrupts_held():
            from streamer.cli import run_command
    except KeyboardInterrupt:
        sys.exit(130)
    code = run_command(sys.argv[1:])
    # All is done: a request to stop that comes while Python ends must not replace the exit code.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


if __name__ == "__main__":
    main()
