"""How far `linescan evaluate` is: a bar on a terminal, plain lines elsewhere; knows no map."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streamer.cli.console import ProgressConsole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.progress import TaskID

PLAIN_EVERY_S = 5.0


@dataclass(slots=True)
class MapProgress:
    """Counts finished images of `total`; `bar` is None where there is no terminal."""

    total: int
    console: Console
    bar: Progress | None
    task: TaskID | None = None
    _done: int = 0
    _said_s: float = 0.0

    def advance(self, images: int, text: str) -> None:
        """So many more images are done; `text` says which."""
        self._done += images
        try:
            self._show(images, text)
        except OSError:
            self.console.quiet = True  # nobody sees it any more; the work goes on

    def _show(self, images: int, text: str) -> None:
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, advance=images, description=text)
            return
        now_s = time.monotonic()
        if now_s - self._said_s >= PLAIN_EVERY_S or (images and self._done == self.total):
            self._said_s = now_s
            line = f"{self._done} of {self.total} maps, {text}"
            self.console.print(line, highlight=False, soft_wrap=True, markup=False)


@contextmanager
def show_progress(total: int) -> Iterator[MapProgress]:
    """Progress of `total` images on stderr."""
    console = ProgressConsole(file=sys.stderr)
    if not console.is_terminal:
        yield MapProgress(total, console, None)
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield MapProgress(total, console, bar, bar.add_task("maps", total=total))
