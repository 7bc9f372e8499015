"""`linescan calibrate-light`: a light reference from pictures of an even target; knows no stage."""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import typer

from streamer.cli.options import (
    ConfigOption,
    EnvironmentFault,
    JsonOption,
    SetOption,
    UsageFault,
    read_config,
)
from streamer.config import ReplaySource
from streamer.correction.flat_field import LightReference, bad_columns
from streamer.correction.light_file import LightFacts, LightFile
from streamer.correction.light_target import TargetMeter, reference_faults, target_faults
from streamer.message import LineBlock
from streamer.sources import open_source
from streamer.sources.line_buffer import new_buffer

if TYPE_CHECKING:
    from streamer.config import Config, Source
    from streamer.ports import WebFormat

LIVE = "live"
Role = Literal["white", "dark"]

WhiteOption = Annotated[
    str,
    typer.Option(
        "--white",
        metavar="SOURCE",
        help="Recording, image or folder that shows an even, still, white target over the whole "
        f"width; `{LIVE}`: the configured source.",
    ),
]
DarkOption = Annotated[
    str | None,
    typer.Option(
        "--dark", metavar="SOURCE", help="The same without light (lens closed) [default: none]."
    ),
]
OutOption = Annotated[Path, typer.Option("--out", help="File for the reference (safetensors).")]
LinesOption = Annotated[
    int, typer.Option("--lines", min=64, help="Lines of each target that are used at most.")
]


@dataclass(frozen=True, slots=True)
class Metered:
    """A target as it was seen."""

    meter: TargetMeter
    form: WebFormat
    source: str


@dataclass(frozen=True, slots=True)
class LightReport:
    """What came of a calibration; without faults the file was written."""

    file: str
    accepted: bool
    faults: tuple[str, ...]
    digest: str = ""
    created_utc: str = ""
    columns: int = 0
    channels: int = 0
    bits: int = 0
    white_lines: int = 0
    dark_lines: int = 0
    white_percent: float = 0.0
    dark_percent: float = 0.0
    largest_gain: float = 0.0
    bad_columns: tuple[int, ...] = ()


def calibrate_light(
    white: WhiteOption,
    out: OutOption,
    dark: DarkOption = None,
    lines: LinesOption = 2048,
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure what lamp, lens and sensor do to an even white target, and save it for `light.file`.

    A target that is dirty, moves, is too bright or too dark is refused with the columns and figures
    that say so. Pixels that are dead, blind or hot are listed and filled in later.
    """
    chosen = read_config(config, settings)
    if (white, dark) == (LIVE, LIVE):
        msg = (
            f"--white and --dark must not both be {LIVE}, got both; record one of them before: "
            "`linescan record`"
        )
        raise UsageFault(msg)
    report = calibrate_targets(chosen, (white, dark), out, lines)
    if as_json:
        typer.echo(json.dumps(asdict(report)))
    if not report.accepted:
        raise UsageFault("\n".join(report.faults))
    if not as_json:
        typer.echo(_summary(report))


def calibrate_targets(
    chosen: Config, targets: tuple[str, str | None], out: Path, lines: int
) -> LightReport:
    """Meter the white and the dark target, and save the reference in `out` if both will do.

    Raises:
        UsageFault: a target cannot be read, or the two do not fit each other.
        EnvironmentFault: `out` cannot be written.
    """
    white = _meter(chosen, targets[0], lines)
    dark = None if targets[1] is None else _meter(chosen, targets[1], lines)
    faults = target_faults(white.meter, "white")
    if dark is not None:
        _require_alike(white.form, dark.form)
        faults += target_faults(dark.meter, "dark")
    if white.meter.lines == 0 or (dark is not None and dark.meter.lines == 0):
        return LightReport(str(out), False, faults)
    made = LightFile(_reference(white, dark), _facts(chosen, white, dark))
    faults += reference_faults(made.reference)
    if not faults:
        _save(made, out)
    return _report(made, out, faults)


def _meter(chosen: Config, target: str, lines: int) -> Metered:
    """Read the first `lines` lines of a target, as the camera gave them."""
    settings = _source_of(chosen, target)
    try:
        with closing(open_source(settings, chosen.web)) as source:
            form = source.format
            meter = TargetMeter(form.columns, form.channels)
            while meter.lines < lines:
                wanted = min(settings.block_lines, lines - meter.lines)
                got = source.read_into(new_buffer(form, wanted))
                if got is None:
                    break
                if isinstance(got, LineBlock) and got.valid_lines:
                    meter.add(got.pixels[: got.valid_lines])
    except (ValueError, OSError) as error:
        raise UsageFault(str(error)) from None
    return Metered(meter, form, target if target != LIVE else form.description)


def _source_of(chosen: Config, target: str) -> Source:
    if target == LIVE:
        return chosen.source.model_copy(update={"pace": "fast"})
    return ReplaySource(path=Path(target), camera=chosen.source.camera)


def _require_alike(white: WebFormat, dark: WebFormat) -> None:
    ours, theirs = ((form.columns, form.channels, form.bits) for form in (white, dark))
    if ours != theirs:
        msg = f"--dark must have the columns, channels and bits of --white {ours}, got {theirs}"
        raise UsageFault(msg)


def _reference(white: Metered, dark: Metered | None) -> LightReference:
    levels = white.meter.mean().astype(np.float32)
    black = None if dark is None else dark.meter.mean().astype(np.float32)
    return LightReference(white.form.bits, levels, black)


def _facts(chosen: Config, white: Metered, dark: Metered | None) -> LightFacts:
    """`pixel_format` and `exposure_us` are those of the configured camera, where it has such."""
    source = chosen.source
    exposure = getattr(source, "exposure_us", None)
    return LightFacts(
        created_utc=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        camera=source.camera,
        white_source=white.source,
        white_lines=white.meter.lines,
        dark_source="" if dark is None else dark.source,
        dark_lines=0 if dark is None else dark.meter.lines,
        pixel_format=str(getattr(source, "pixel_format", None) or _plain_format(white.form)),
        exposure_us=None if exposure is None else float(exposure),
    )


def _plain_format(form: WebFormat) -> str:
    return f"{'RGB' if form.channels == 3 else 'Mono'}{form.bits}"


def _save(made: LightFile, out: Path) -> None:
    try:
        out.write_bytes(made.to_bytes())
    except OSError as error:
        msg = f"{out}: --out must be a file that can be written, got {error.strerror}"
        raise EnvironmentFault(msg) from None


def _report(made: LightFile, out: Path, faults: tuple[str, ...]) -> LightReport:
    reference, facts = made.reference, made.facts
    columns, channels = reference.white.shape
    response = reference.white - reference.black()
    bad = bad_columns(reference)
    good = np.delete(response, bad, axis=0) if len(bad) < columns else response
    lowest = np.maximum(good.min(axis=0), 1e-9)
    return LightReport(
        file=str(out),
        accepted=not faults,
        faults=faults,
        digest=made.digest,
        created_utc=facts.created_utc,
        columns=columns,
        channels=channels,
        bits=reference.bits,
        white_lines=facts.white_lines,
        dark_lines=facts.dark_lines,
        white_percent=100 * float(np.median(reference.white)) / reference.full_scale,
        dark_percent=100 * float(np.median(reference.black())) / reference.full_scale,
        largest_gain=float((np.quantile(good, 0.99, axis=0) / lowest).max()),
        bad_columns=bad,
    )


def _summary(report: LightReport) -> str:
    lone = ", ".join(map(str, report.bad_columns)) or "none"
    return (
        f"{report.file}: {report.columns} columns, {report.channels} channels, {report.bits} bits, "
        f"from {report.white_lines} white and {report.dark_lines} dark lines\n"
        f"white {report.white_percent:.1f} %, dark {report.dark_percent:.1f} % of full scale, "
        f"largest gain {report.largest_gain:.2f}, bad columns: {lone}\n"
        f"digest {report.digest}; use it with light.file"
    )
