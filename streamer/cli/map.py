"""`linescan map`: a picture of a piece of a roll's map, or the whole map as TIFF."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli.lengths import read_length_mm
from streamer.cli.options import (
    ConfigOption,
    EnvironmentFault,
    JsonOption,
    SetOption,
    UsageFault,
    read_config,
)

if TYPE_CHECKING:
    from streamer.outputs.roll_map_view import MapScene, Span

PICTURE_NAME = "map.png"

RollArgument = Annotated[Path, typer.Argument(help="Roll folder, or its name under roll.folder.")]
FromOption = Annotated[
    str | None,
    typer.Option("--from", metavar="LENGTH", help="Where the picture begins, such as 120m."),
]
ToOption = Annotated[
    str | None,
    typer.Option("--to", metavar="LENGTH", help="Where it ends, at most at the end of the roll."),
]
CrossFromOption = Annotated[
    str | None,
    typer.Option("--cross-from", metavar="LENGTH", help="Where it begins cross-web, as 200mm."),
]
CrossToOption = Annotated[
    str | None,
    typer.Option("--cross-to", metavar="LENGTH", help="Where it ends cross-web."),
]
PngOption = Annotated[
    Path | None,
    typer.Option("--png", help="File for the picture [default: map.png in ROLL, unless --tiff]."),
]
TiffOption = Annotated[
    Path | None,
    typer.Option(
        "--tiff",
        help="File for the scores of the whole roll as a pyramidal OME-TIFF: float32 in units of "
        "the alarm level, NaN where nothing was inspected.",
    ),
]


@dataclass(frozen=True, slots=True)
class Piece:
    """What was asked for, as it was written; None: as far as the web goes."""

    first: str | None
    end: str | None
    cross_first: str | None
    cross_end: str | None

    @property
    def is_whole(self) -> bool:
        """Whether nothing was asked for."""
        return not any((self.first, self.end, self.cross_first, self.cross_end))


def map(  # noqa: A001 - commands are named as their functions
    roll: RollArgument,
    first: FromOption = None,
    end: ToOption = None,
    cross_first: CrossFromOption = None,
    cross_end: CrossToOption = None,
    png: PngOption = None,
    tiff: TiffOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw the map of a roll, or a piece of it, with its defects and what was not inspected."""
    folder = roll if roll.is_dir() else read_config(config, settings).roll.folder / roll
    piece = Piece(first, end, cross_first, cross_end)
    if png is None and tiff is None:
        png = folder / PICTURE_NAME
    if png is None and not piece.is_whole:
        msg = "--from, --to, --cross-from and --cross-to must come with --png: --tiff is the whole"
        raise UsageFault(msg)
    written = {"roll": str(folder), **_written(folder, piece, png, tiff)}
    paths = [path for name, path in written.items() if name in ("png", "tiff")]
    typer.echo(json.dumps(written) if as_json else "\n".join(paths))


def _written(folder: Path, piece: Piece, png: Path | None, tiff: Path | None) -> dict[str, str]:
    from streamer.outputs.roll_map_tiff import write_tiff
    from streamer.outputs.storage import StorageError

    written: dict[str, str] = {}
    try:
        if png is not None:
            _draw(folder, piece, png)
            written["png"] = str(png)
        if tiff is not None:
            written["tiff"] = str(write_tiff(folder, tiff))
    except StorageError as error:
        raise EnvironmentFault(str(error)) from None
    except (FileNotFoundError, ValueError) as error:
        raise UsageFault(str(error)) from None
    return written


def _draw(folder: Path, piece: Piece, png: Path) -> None:
    from streamer.outputs.roll_map_picture import draw_map
    from streamer.outputs.roll_map_view import MapScene
    from streamer.outputs.storage import write_atomically

    scene = MapScene(folder)
    if not scene.down.size_mm:
        msg = f"roll map must hold rows, got none in {folder}"
        raise UsageFault(msg)
    view = scene.view(*spans(scene, piece))
    write_atomically(png, draw_map(view), "picture")


def spans(scene: MapScene, piece: Piece) -> tuple[Span, Span]:
    """What to draw, down-web and cross-web; an end beyond the web is the web's end.

    Raises:
        UsageFault: it is reversed, empty or begins beyond the web.
    """
    down = _span(("--from", piece.first), ("--to", piece.end), scene.down)
    cross = ("--cross-from", piece.cross_first), ("--cross-to", piece.cross_end)
    return down, _span(*cross, scene.cross)


def _span(first: tuple[str, str | None], end: tuple[str, str | None], web: Span) -> Span:
    from streamer.outputs.roll_map_view import Span

    first_mm = web.first_mm if first[1] is None else read_length_mm(first[0], first[1])
    end_mm = web.end_mm if end[1] is None else read_length_mm(end[0], end[1])
    if first_mm >= web.end_mm:
        most = f"{web.end_mm / 1000:g}m"
        msg = f"{first[0]} must be before the end of the web at {most}, got {first[1]}"
        raise UsageFault(msg)
    if end_mm <= first_mm:
        msg = f"{end[0]} must be beyond {first[0]} {first[1] or '0m'}, got {end[1]}"
        raise UsageFault(msg)
    return Span(first_mm, min(end_mm, web.end_mm))
