"""Arguments to a command and its faults to an exit code; no logic."""

from __future__ import annotations

import sys


def main() -> None:
    """Run `linescan`; see `linescan --help`."""
    try:
        from streamer.cli import run_command
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(run_command(sys.argv[1:]))


if __name__ == "__main__":
    main()
