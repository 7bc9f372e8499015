"""`linescan record`: any source into a recording; knows no source and no file of the format."""

from __future__ import annotations

import json
import signal
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from streamer.cli.console import ProgressConsole
from streamer.cli.options import (
    ConfigOption,
    EnvironmentFault,
    JsonOption,
    SetOption,
    UsageFault,
    read_config,
)
from streamer.config import SimulatorSource
from streamer.message import LineBlock, LineLoss
from streamer.sources import open_source
from streamer.sources.camera_port import CameraFault
from streamer.sources.line_buffer import new_buffer
from streamer.sources.recording import HEADER
from streamer.sources.recording_reader import Recording
from streamer.sources.recording_writer import RecordingWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from streamer.config import Config
    from streamer.ports import LineSource

OutOption = Annotated[Path, typer.Option("--out", help="Folder of the recording; made if absent.")]
AppendOption = Annotated[
    bool, typer.Option("--append", help="Continue the recording in the folder where it ends.")
]


def record(
    out: OutOption,
    config: ConfigOption = None,
    settings: SetOption = None,
    append: AppendOption = False,
    as_json: JsonOption = False,
) -> None:
    """Record the configured source: every pixel, seam, mask and loss, without compression.

    SIGINT and SIGTERM end the recording in order.
    """
    effective = read_config(config, settings)
    if append and isinstance(effective.source, SimulatorSource):
        msg = "--append must be used with a source without ground truth, got simulator"
        raise UsageFault(msg)
    report(write_recording(effective, out, append), as_json)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What went into a recording by this run; `lost_lines` by reason."""

    folder: Path
    metres: float
    lines: int = 0
    pixels: int = 0
    lost_lines: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    stopped: bool = False
    planted_defects: int | None = None

    def plus(self, item: LineBlock | LineLoss, metres: float) -> Recorded:
        """With one more block or loss; the recording is now `metres` long."""
        if isinstance(item, LineBlock):
            pixels = item.valid_lines * item.columns
            return replace(
                self,
                metres=metres,
                lines=self.lines + item.valid_lines,
                pixels=self.pixels + pixels,
            )
        lost = self.lost_lines.get(item.reason.value, 0) + item.line_count
        reasons = {**self.lost_lines, item.reason.value: lost}
        return replace(self, metres=metres, lost_lines=reasons)

    @property
    def mpix_per_s(self) -> float:
        """Recorded megapixels per second."""
        return self.pixels / 1e6 / self.seconds if self.seconds else 0.0


class StopRequest:
    """Whether a signal has asked to stop; a second SIGINT ends the process with 130."""

    __slots__ = ("requested",)

    def __init__(self) -> None:
        self.requested = False

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        if self.requested and number == signal.SIGINT:
            raise SystemExit(130)
        self.requested = True


def write_recording(config: Config, out: Path, append: bool = False) -> Recorded:
    """Copy the configured source into `out` until it ends or a signal asks to stop.

    Raises:
        UsageFault: the source cannot be opened, or `out` holds something.
        EnvironmentFault: `out` cannot be written, or its disk is full; what is there is readable.
    """
    if config.cameras:
        named = ", ".join(side.source.camera for side in config.cameras)
        msg = (
            f"cameras must be empty to record one camera, got {named}; use --set cameras=[], with "
            "each in turn as source, or recorder.mode: all beside the inspection"
        )
        raise UsageFault(msg)
    first_line = _first_free_line(out, append)
    try:
        source = open_source(config.source, config.web, first_line)
    except CameraFault:
        raise
    except (ValueError, OSError) as error:
        raise UsageFault(str(error)) from None
    with closing(source):
        try:
            with RecordingWriter(out, source.format, config.web) as writer:
                return _copy(source, writer, config)
        except ValueError as error:
            raise UsageFault(str(error)) from None
        except OSError as error:
            raise _refusal(out, error) from None


def _refusal(out: Path, error: OSError) -> Exception:
    """What is in the way of a recording: something in its place, or the machine."""
    text = str(error)
    if error.filename is not None:  # else these are the writer's own words
        text = f"{out}: --out must be a folder that can be written, got {error.strerror}"
    return UsageFault(text) if isinstance(error, FileExistsError) else EnvironmentFault(text)


def report(recorded: Recorded, as_json: bool) -> None:
    """Print the summary of a recording."""
    if as_json:
        typer.echo(json.dumps(_as_json(recorded)))
        return
    typer.echo(
        f"{recorded.folder}: {recorded.lines} lines recorded, now {recorded.metres:.3f} m, "
        f"{recorded.mpix_per_s:.1f} Mpix/s" + (", stopped by a signal" * recorded.stopped)
    )
    for reason, lines in recorded.lost_lines.items():
        typer.echo(f"{lines} lines lost: {reason}")
    if recorded.planted_defects is not None:
        typer.echo(f"{recorded.planted_defects} defects with their ground truth in truth.json")


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """SIGINT and SIGTERM set the request while the context lasts."""
    stop = StopRequest()
    previous = {n: signal.signal(n, stop.handle) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _first_free_line(out: Path, append: bool) -> int:
    if not (out / HEADER).is_file():
        return 0
    if not append:
        msg = f"--out must be an empty folder, got the recording {out}; --append continues it"
        raise UsageFault(msg)
    try:
        return Recording(out).tail().end_line
    except (ValueError, OSError) as error:
        raise UsageFault(str(error)) from None


def _copy(source: LineSource, writer: RecordingWriter, config: Config) -> Recorded:
    line_m = config.web.down_mm / 1000
    recorded = Recorded(writer.folder, writer.end_line * line_m)
    buffer = new_buffer(source.format, config.source.block_lines)
    started = time.monotonic()
    with stop_on_signals() as stop, _progress() as progress:
        task = progress.add_task("recording", total=_length_m(config), speed=0.0)
        while not stop.requested and (item := source.read_into(buffer)) is not None:
            if isinstance(item, LineBlock) and len(item.pixels) == 0:
                continue  # a camera that has nothing yet
            writer.append(item)
            recorded = replace(
                recorded.plus(item, writer.end_line * line_m), seconds=time.monotonic() - started
            )
            _show(progress, task, recorded)
        truth = source.truth
        writer.close(truth)
    return replace(recorded, stopped=stop.requested, planted_defects=_count_defects(truth))


def _progress() -> Progress:
    console = ProgressConsole(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.2f} m  {task.fields[speed]:.1f} Mpix/s"),
        TimeElapsedColumn(),
        console=console,
        disable=not sys.stderr.isatty(),
    )


def _show(progress: Progress, task: TaskID, recorded: Recorded) -> None:
    progress.update(task, completed=recorded.metres, speed=recorded.mpix_per_s)


def _length_m(config: Config) -> float | None:
    return config.source.length_m if isinstance(config.source, SimulatorSource) else None


def _count_defects(truth: bytes) -> int | None:
    return len(json.loads(truth).get("defects", ())) if truth else None


def _as_json(recorded: Recorded) -> dict[str, Any]:
    return {
        "folder": str(recorded.folder),
        "metres": round(recorded.metres, 6),
        "lines": recorded.lines,
        "lost_lines": recorded.lost_lines,
        "mpix_per_s": round(recorded.mpix_per_s, 3),
        "seconds": round(recorded.seconds, 3),
        "stopped": recorded.stopped,
        "planted_defects": recorded.planted_defects,
    }
