"""`linescan export-recording`: a recording as pictures or lossless video for other programs."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from streamer.cli.options import EnvironmentFault, JsonOption, UsageFault
from streamer.message import Interval

if TYPE_CHECKING:
    from streamer.config import Web
    from streamer.sources.recording_export import Exported, Format

NO_END = 1 << 62


def export_recording(
    recording: Annotated[Path, typer.Argument(help="Folder of a recording.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the files; must be empty.")],
    form: Annotated[
        str, typer.Option("--format", help="png, tiff, or ffv1 (video; one channel only).")
    ] = "png",
    first_m: Annotated[float, typer.Option("--from", min=0, help="First metre.")] = 0.0,
    end_m: Annotated[float | None, typer.Option("--to", min=0, help="Last metre.")] = None,
    lines: Annotated[int, typer.Option(min=16, max=16384, help="Lines of a file.")] = 1000,
    as_json: JsonOption = False,
) -> None:
    """Write a recording, or metres of it, as files that hold every pixel as it is.

    Files are named after their first line; lines that the recording lacks end one, so files may be
    replayed as pieces with seams.
    """
    if form not in ("png", "tiff", "ffv1"):
        msg = f"--format must be png, tiff or ffv1, got {form}"
        raise UsageFault(msg)
    if not (recording / "recording.json").is_file():
        msg = f"RECORDING must be the folder of a recording, got {recording}"
        raise UsageFault(msg)
    exported = _export(recording, out, (form, lines), (first_m, end_m))
    if as_json:
        print(
            json.dumps(
                {
                    "files": [str(path) for path in exported.files],
                    "lines": exported.lines,
                    "lost_lines": exported.lost_lines,
                }
            )
        )
        return
    lost = f"; {exported.lost_lines} lines are not in it" if exported.lost_lines else ""
    typer.echo(f"{out}: {exported.lines} lines in {len(exported.files)} files{lost}")


def _export(
    recording: Path, out: Path, files: tuple[str, int], metres: tuple[float, float | None]
) -> Exported:
    from streamer.config import ReplaySource
    from streamer.sources import open_source
    from streamer.sources.recording_export import ExportPlan, export_lines

    form, piece_lines = files
    web = _web_of(recording)
    _make_folder(out)
    per_line = web.down_mm / 1000
    first, end = (None if m is None else round(m / per_line) for m in metres)
    wanted = Interval(first or 0, NO_END if end is None else max(end, first or 0))
    try:
        source = open_source(ReplaySource(path=recording), web, wanted.first)
        with closing(source):
            plan = ExportPlan(out, cast("Format", form), wanted, piece_lines)
            return export_lines(source, plan)
    except ValueError as error:
        raise UsageFault(str(error)) from None
    except OSError as error:
        raise EnvironmentFault(str(error)) from None


def _web_of(recording: Path) -> Web:
    """The scale that the recording was made at."""
    from streamer.config import Web

    try:
        content = json.loads((recording / "recording.json").read_text(encoding="utf-8"))
        return Web(pixel_mm=content["pixel_mm"], line_mm=content["line_mm"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"RECORDING must be a recording that reads, got {recording} ({error})"
        raise UsageFault(msg) from None


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        filled = any(out.iterdir())
    except OSError as error:
        msg = f"--out must be a folder that can be written, got {out} ({error.strerror})"
        raise EnvironmentFault(msg) from None
    if filled:
        msg = f"--out must be empty, got {out}"
        raise UsageFault(msg)
