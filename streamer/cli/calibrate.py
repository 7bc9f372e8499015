"""`linescan calibrate`: one texture profile from the first metres of the configured source."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.calibration import Calibration
from streamer.calibration.level import FEW_BLOCKS
from streamer.calibration.support import CONFIDENCE, for_people
from streamer.cli.inspect import open_configured_backbone
from streamer.cli.options import (
    ConfigOption,
    EnvironmentFault,
    JsonOption,
    SetOption,
    UsageFault,
    read_config,
)
from streamer.compose.cameras import camera_edges
from streamer.compose.geometry import tile_grid, web_geometry
from streamer.scoring.fca import use_threads
from streamer.scoring.kernel_gate import require_kernels
from streamer.scoring.lesson import Lesson
from streamer.scoring.web_profile import learn_web_profile
from streamer.sources import open_source
from streamer.sources.camera_port import CameraFault
from streamer.sources.line_buffer import new_buffer
from streamer.tiling import Origin, cut, finish, start_tiling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer.config import Config
    from streamer.message import Tile
    from streamer.ports import LineSource
    from streamer.scoring.profile import TextureProfile

OutOption = Annotated[Path, typer.Option("--out", help="File for the profile (safetensors).")]
MetresOption = Annotated[
    float | None,
    typer.Option("--metres", min=0.001, help="Web to learn from [default: profile.bootstrap_m]."),
]
RateOption = Annotated[
    float | None,
    typer.Option(
        "--max-false-alarms-per-100m",
        min=1e-6,
        help="How often normal web may raise an alarm "
        "[default: calibration.false_alarms_per_100m].",
    ),
]


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a profile was learnt from and what came of it; levels are raw scores.

    The intervals are those of `Calibration`; `support` says what the metres are worth.
    """

    profile: str
    digest: str
    metres: float
    tiles: int
    background: float
    alarm_level: float
    calibration_blocks: int
    false_alarms_per_100m: float
    method: str
    backbone: str
    engine: str
    tail: str
    cut_off_blocks: int
    level_interval: tuple[float, float] | None
    rate_interval_per_100m: tuple[float, float] | None
    rate_if_cut_off_is_normal: float | None
    support: dict[str, float | bool | str]
    lanes: list[dict[str, float | int]]
    brightness_alarm_percent: float | None
    lines_alarm_percent: float | None


def calibrate(
    out: OutOption,
    metres: MetresOption = None,
    max_false_alarms_per_100m: RateOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn what is normal from the first metres of the source and save it as a profile.

    The web may hold a few defects: up to a tenth of it moves neither reference nor level much.
    The alarm level comes with what the metres are worth: the interval that holds the realised rate
    of false alarms, and how many metres the wanted rate needs.
    Use the file with `profile.file`, or `linescan inspect --profile`.
    """
    rate = max_false_alarms_per_100m
    wanted = [] if rate is None else [f"calibration.false_alarms_per_100m={rate!r}"]
    chosen = read_config(config, [*(settings or ()), *wanted])
    require_kernels(chosen)
    use_threads(chosen.scoring.threads)
    learnt = learn_from_source(chosen, metres or chosen.profile.bootstrap_m, out)
    typer.echo(json.dumps(asdict(learnt)) if as_json else _summary(learnt))


def learn_from_source(chosen: Config, metres: float, out: Path) -> Learnt:
    """Learn a profile from the first `metres` of the configured source and save it in `out`.

    Raises:
        UsageFault: the source cannot be read, or holds nothing to learn from.
        EnvironmentFault: the backbone does not run here, or `out` cannot be written.
    """
    with (
        closing(_open_source(chosen)) as source,
        closing(open_configured_backbone(chosen)) as backbone,
    ):
        first_metres = _FirstMetres(source, chosen, metres)
        geometry = web_geometry(chosen, source.format.columns)
        try:
            lesson = Lesson.of(chosen, geometry, backbone.spec)
            profile = learn_web_profile(first_metres.tiles(), backbone, lesson)
        except ValueError as error:
            raise UsageFault(first_metres.explain(error)) from None
    _save(profile, out)
    calibration = profile.calibration
    return Learnt(
        profile=str(out),
        digest=profile.digest,
        metres=geometry.metres(first_metres.lines),
        tiles=first_metres.tile_count,
        background=calibration.background,
        alarm_level=calibration.alarm_level,
        calibration_blocks=calibration.blocks,
        false_alarms_per_100m=calibration.false_alarms_per_100m,
        method=profile.method,
        backbone=profile.backbone_name,
        engine=backbone.spec.engine,
        tail=calibration.tail,
        cut_off_blocks=calibration.cut_off,
        level_interval=calibration.level_interval,
        rate_interval_per_100m=calibration.rate_interval,
        rate_if_cut_off_is_normal=calibration.rate_if_normal,
        support=_support(calibration),
        lanes=[lane._asdict() for lane in calibration.lane_levels],
        brightness_alarm_percent=profile.brightness.alarm_percent if profile.brightness else None,
        lines_alarm_percent=profile.lines.alarm_percent if profile.lines else None,
    )


def _support(calibration: Calibration) -> dict[str, float | bool | str]:
    """For machines; nothing where the level rests on nothing."""
    if not calibration.blocks:
        return {}
    support = calibration.support
    return {
        **asdict(support),
        "metres_missing": support.metres_missing,
        "is_enough": support.is_enough,
        "sentence": support.sentence(calibration.false_alarms_per_100m),
    }


class _FirstMetres:
    """The tiles of the first metres of a source, and how much there was."""

    def __init__(self, source: LineSource, chosen: Config, metres: float) -> None:
        self._source, self._chosen = source, chosen
        self._grid = tile_grid(chosen, source.format.columns)
        self._wanted = web_geometry(chosen, source.format.columns).lines(metres)
        self.lines = 0
        self.tile_count = 0

    def tiles(self) -> Iterator[Tile]:
        """Read the source and cut it, as capture does."""
        chosen = self._chosen
        origin = Origin("calibration", chosen.source.camera, chosen.digest)
        state = start_tiling(origin, self._grid)
        while self.lines < self._wanted:
            # A fresh buffer each time: the tiling still refers to the blocks before.
            lines = min(chosen.source.block_lines, self._wanted - self.lines)
            piece = self._source.read_into(new_buffer(self._source.format, lines))
            if piece is None:
                break
            state, rows = cut(state, piece)
            self.lines = state.next_line
            yield from self._counted(tile for row in rows for tile in row.tiles)
        _, rows = finish(state)
        yield from self._counted(tile for row in rows for tile in row.tiles)

    def explain(self, fault: ValueError) -> str:
        """Why nothing was learnt."""
        if self.tile_count:
            return str(fault)
        return (
            f"source must hold a tile of readable web, got {self.lines} lines without one; "
            f"--metres takes more"
        )

    def _counted(self, tiles: Iterator[Tile]) -> Iterator[Tile]:
        for tile in tiles:
            self.tile_count += 1
            yield tile


def _open_source(chosen: Config) -> LineSource:
    fast = chosen.source.model_copy(update={"pace": "fast"})
    try:
        return open_source(fast, chosen.web, edges=camera_edges(chosen, 0), light=chosen.light)
    except CameraFault:
        raise
    except (ValueError, OSError) as error:
        raise UsageFault(str(error)) from None


def _save(profile: TextureProfile, out: Path) -> None:
    try:
        profile.save(out)
    except OSError as error:
        msg = f"{out}: profile must be writable, got {error.strerror or error}"
        raise EnvironmentFault(msg) from None


def _summary(learnt: Learnt) -> str:
    lines = [
        f"{learnt.profile}: learnt from {learnt.metres:.2f} m ({learnt.tiles} tiles, "
        f"{learnt.calibration_blocks} blocks) with {learnt.backbone} on {learnt.engine}",
        f"alarm level {learnt.alarm_level:.4f} for {learnt.false_alarms_per_100m:g} false alarms "
        f"per 100 m, background {learnt.background:.4f}, digest {learnt.digest}",
        *_worth(learnt),
        *(
            f"lane {lane['lane']}: alarm level {lane['alarm_level']:.4f}, {lane['blocks']} blocks"
            for lane in learnt.lanes
        ),
        *_beside(learnt),
    ]
    return "\n".join(lines)


def _beside(learnt: Learnt) -> list[str]:
    """From which change on the detectors beside the texture alarm, and what they share."""
    darker = {
        "brightness: {:.1f} % darker than normal is an alarm": learnt.brightness_alarm_percent,
        "lines: {:.1f} % darker than beside them is an alarm": learnt.lines_alarm_percent,
    }
    told = [text.format(percent) for text, percent in darker.items() if percent is not None]
    count = 1 + len(told)
    share = f"{count} detectors share the wanted false alarms: {learnt.false_alarms_per_100m:.3g}"
    return [*told, f"{share} per 100 m each"] if told else []


def _worth(learnt: Learnt) -> list[str]:
    """What is known of the level and the rate, and what more would show."""
    if not learnt.support:
        return ["the level was set by hand: nothing is known of its false alarms"]
    lines = [f"{learnt.tail}: nothing is known of the rate from fewer than {FEW_BLOCKS} blocks"]
    if learnt.rate_interval_per_100m is not None and learnt.level_interval is not None:
        (low, high), (least, most) = learnt.rate_interval_per_100m, learnt.level_interval
        lines = [
            f"{learnt.tail} tail: {for_people(low)} to {for_people(high)} false alarms per 100 m "
            f"are to be expected; the level for {learnt.false_alarms_per_100m:g} lies between "
            f"{least:.4f} and {most:.4f} ({CONFIDENCE:.0%})"
        ]
    if learnt.cut_off_blocks:
        lines.append(
            f"{learnt.cut_off_blocks} blocks were taken for defects and not learnt from; if they "
            f"are normal web, up to {for_people(learnt.rate_if_cut_off_is_normal or 0)} false "
            "alarms per 100 m"
        )
    return [*lines, str(learnt.support["sentence"])]
