"""Live progress of a line on a terminal, plain lines elsewhere; knows beats, not stages."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.logging import RichHandler
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from streamer.cli.camera_text import camera_text
from streamer.cli.console import ProgressConsole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from streamer.compose.line import Progress
    from streamer.config import Config

PLAIN_EVERY_S = 5.0
LIVE_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Reading:
    """The figures of one moment, from the beats."""

    metres: float
    megapixels_per_s: float
    lag_ms: float
    lag_mm: float
    queue_depth: int
    open_alarms: int
    defects: int
    not_inspected_percent: float
    camera: str = ""


@dataclass(slots=True)
class Display:
    """Shows the progress of one run; `length_m` is 0 when the end is not known."""

    config: Config
    console: Console
    live: Live | None
    length_m: float
    log_handler: logging.Handler
    _shown_s: float = 0.0
    _rate: list[tuple[float, float]] = field(default_factory=list)

    def show(self, progress: Progress) -> None:
        """Refresh when it is time."""
        now_s = time.monotonic()
        every_s = LIVE_EVERY_S if self.live else PLAIN_EVERY_S
        if now_s - self._shown_s < every_s:
            return
        self._shown_s = now_s
        try:
            self._print(progress, self.read(progress, now_s))
        except OSError:
            self.console.quiet = True  # nobody sees it any more; the inspection goes on

    def _print(self, progress: Progress, reading: Reading) -> None:
        if self.live:
            self.live.update(self._render(progress, reading), refresh=True)
        elif not self.console.quiet:
            self.console.print(plain_line(progress.phase, reading), highlight=False, soft_wrap=True)

    def read(self, progress: Progress, now_s: float) -> Reading:
        """Figures from the latest beats; the rate is over the last ten seconds."""
        beats = {child.command.name: child.beat for child in progress.children if child.beat}
        sink = beats.get("sink")
        captures = [beat for name, beat in beats.items() if name.startswith("capture")]
        figures = sink.figures if sink else {}
        inspected = figures.get("inspected_px", 0.0)
        lost = figures.get("not_inspected_px", 0.0)
        self._rate = [(t, px) for t, px in self._rate if now_s - t < 10] + [(now_s, inspected)]
        elapsed_s = now_s - self._rate[0][0]
        rate = (inspected - self._rate[0][1]) / elapsed_s / 1e6 if elapsed_s else 0.0
        lag_s = figures.get("lag_ms", 0.0) / 1000
        web = self.config.web
        return Reading(
            metres=(sink.last_line if sink else 0) * web.down_mm / 1000,
            megapixels_per_s=rate,
            lag_ms=lag_s * 1000,
            lag_mm=lag_s * web.web_speed_m_min * 1000 / 60,
            queue_depth=sum(beat.queue_depth for beat in captures),
            open_alarms=int(figures.get("open_alarms", 0)),
            defects=int(figures.get("defects", 0)),
            not_inspected_percent=100 * lost / max(inspected + lost, 1.0),
            camera="; ".join(filter(None, (camera_text(beat.figures) for beat in captures))),
        )

    def _render(self, progress: Progress, reading: Reading) -> Group:
        stages = "  ".join(_stage(child.command.name, child) for child in progress.children)
        lines = [
            Text(f"{progress.phase}: roll {self.config.roll.name}", style="bold cyan"),
            Text(_progress_text(reading)),
            Text(_alarm_text(reading)),
            *([Text(reading.camera)] if reading.camera else []),
            Text(stages, style="dim"),
        ]
        if self.length_m:
            bar = Table.grid(expand=True)  # a bar alone would not end its line
            bar.add_row(ProgressBar(self.length_m, min(reading.metres, self.length_m)))
            return Group(lines[0], bar, *lines[1:])
        return Group(*lines)


def _progress_text(reading: Reading) -> str:
    return (
        f"{reading.metres:.2f} m, {reading.megapixels_per_s:.2f} Mpix/s, "
        f"lag {reading.lag_ms:.0f} ms = {reading.lag_mm:.0f} mm, queue {reading.queue_depth}"
    )


def _alarm_text(reading: Reading) -> str:
    return (
        f"open alarms {reading.open_alarms}, defects {reading.defects}, "
        f"not inspected {reading.not_inspected_percent:.2f} %"
    )


def _stage(name: str, child: object) -> str:
    beat = getattr(child, "beat", None)
    restarts = getattr(child, "restart_total", 0)
    state = beat.state if beat else "starting"
    return f"{name}: {state}" + (f" (restarted {restarts}x)" if restarts else "")


def plain_line(phase: str, reading: Reading) -> str:
    """One line for logs and pipes."""
    camera = f", {reading.camera}" if reading.camera else ""
    return f"{phase}: {_progress_text(reading)}, {_alarm_text(reading)}{camera}"


@contextmanager
def open_display(config: Config, *, quiet: bool) -> Iterator[Display]:
    """A display on stderr: live on a terminal, a line every few seconds elsewhere."""
    console = ProgressConsole(file=sys.stderr, quiet=quiet)
    handler = RichHandler(console=console, show_path=False, log_time_format="[%H:%M:%S]")
    length_m = getattr(config.source, "length_m", 0.0)
    if quiet or not console.is_terminal:
        yield Display(config, console, None, length_m, handler)
        return
    with Live(console=console, transient=True, auto_refresh=False) as live:
        yield Display(config, console, live, length_m, handler)
