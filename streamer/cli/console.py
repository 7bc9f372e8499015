"""Consoles whose reader may leave: rich would end the process with 1; knows no command."""

from __future__ import annotations

from rich.console import Console


class AnswerConsole(Console):
    """For what was asked for: a reader who leaves is a fault."""

    def on_broken_pipe(self) -> None:
        """Called by rich while it handles that fault.

        Raises:
            BrokenPipeError: always.
        """
        raise BrokenPipeError


class ProgressConsole(Console):
    """For what is nice to see: nobody has to."""

    def on_broken_pipe(self) -> None:
        """Say nothing more."""
        self.quiet = True
