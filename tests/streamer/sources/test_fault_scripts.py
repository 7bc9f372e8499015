"""Random fault scripts: the ledger is exact, no pixel is misplaced, every gap has its cause."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from streamer.config import SimulatorSource, Web
from streamer.fault_script import MOTION, CameraLoss
from streamer.message import GapReason, LineBlock, LineLoss
from streamer.ports import WebFormat
from streamer.sources.frame_line_source import FrameLineSource, line_rules
from streamer.sources.simulated_camera import SimulatedCamera
from streamer.tiling import Origin, TileGrid, cut, finish, start_tiling
from streamer.web import Interval, WebGeometry, covered, merge_intervals

SCRIPTS = int(os.environ.get("LINESCAN_FAULT_SCRIPTS", "150"))  # thousands: before a release
COLUMNS, LINE_MM = 24, 1.0
WEB = Web(pixel_mm=1.0, line_mm=LINE_MM, web_speed_m_min=60.0)
GEOMETRY = WebGeometry(COLUMNS, 1.0, LINE_MM, 60.0)
GRID = TileGrid(COLUMNS, tile_lines=32, tile_columns=12, halo=8, stride=4, alignment=4, smallest=8)
LENGTH_M = 1.6
END = 1600


class NumberedWeb:
    """A web whose every pixel is the number of its line."""

    def __init__(self, end_line: int = END) -> None:
        self.format = WebFormat(COLUMNS, 1, 16, "numbers")
        self.truth = json.dumps({"version": 1, "defects": []}).encode()
        self.next_line = 0
        self.end_line = end_line

    def see(self, first_line: int, space: np.ndarray) -> None:
        end = first_line + len(space)
        assert 0 <= first_line <= self.next_line, "web was skipped"
        assert end <= self.end_line, "web has no such line"
        space[:] = np.arange(first_line, end)[:, None]
        self.next_line = max(self.next_line, end)


@dataclass(frozen=True)
class Roll:
    """What came of a script: pieces, the camera's truth, and the counts."""

    pieces: list[LineBlock | LineLoss]
    truth: list[dict[str, Any]]
    counts: Any

    @property
    def losses(self) -> list[LineLoss]:
        return [piece for piece in self.pieces if isinstance(piece, LineLoss)]

    @property
    def end_line(self) -> int:
        last = self.pieces[-1]
        return last.first_line + (
            last.line_count if isinstance(last, LineLoss) else last.valid_lines
        )


def run(chosen: SimulatorSource) -> Roll:
    camera = SimulatedCamera(NumberedWeb(), chosen, GEOMETRY)
    source = FrameLineSource(camera, line_rules(chosen.camera_between, WEB))
    pieces = []
    while (piece := source.read_into(np.empty((0, COLUMNS), np.uint16))) is not None:
        if isinstance(piece, LineLoss) or piece.valid_lines:
            pieces.append(piece)
    return Roll(pieces, json.loads(source.truth)["faults"], source.counts)


def roll(*faults: dict[str, Any], **changes: Any) -> Roll:
    """A roll of frames of 32 lines."""
    camera = changes.pop("line_camera", {})
    return run(scripted(list(faults), {"block_lines": 32} | changes, camera))


def scripted(
    faults: list[dict[str, Any]], changes: dict[str, Any], camera: dict[str, Any]
) -> SimulatorSource:
    given_ = {"length_m": LENGTH_M, "faults": faults, "line_camera": camera, **changes}
    return SimulatorSource.model_validate(given_)


def lost(one: Roll) -> list[tuple[int, int, str]]:
    return [(p.first_line, p.first_line + p.line_count, p.reason.value) for p in one.losses]


def _at(kind: str, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    place = st.integers(130, 1500).map(lambda line: line / 1000)
    return st.fixed_dictionaries({"kind": st.just(kind), "at_m": place, **more})


OF_FRAMES = (
    _at("lost_lines", lines=st.integers(1, 200)),
    _at("lost_frames", frames=st.integers(1, 6)),
    _at("partial_frame", valid_share=st.sampled_from([0.0, 0.3, 0.99, 1.0])),
    _at("partial_frame", tail=st.just("blank")),
    _at("duplicate", frames_later=st.integers(0, 80)),
    _at("reorder", frames_later=st.integers(1, 9)),
    _at("camera_loss", length_m=st.floats(0.001, 0.4)),
)
OF_MOTION = (
    _at("reverse", back_m=st.floats(0.001, 0.6)),
    _at("stop", seconds=st.floats(0.01, 30.0)),
    _at("encoder_stop", lines=st.integers(1, 300)),
    _at("overspeed", length_m=st.floats(0.001, 0.4), factor=st.floats(1.01, 8.0)),
)
WRAP = st.fixed_dictionaries(
    {
        "kind": st.just("counter_start"),
        "frame_id": st.integers(65_500, 65_540),
        "line_id": st.integers(64_000, 66_000),
        "encoder": st.integers((1 << 32) - 6_000, (1 << 32) + 10),
    }
)


def _apart(chosen: SimulatorSource) -> bool:
    """No motion while the camera is away: only an estimate could tell how far the web went."""
    away = [one for one in chosen.faults if isinstance(one, CameraLoss)]
    moving = [one for one in chosen.faults if isinstance(one, MOTION)]
    return not any(
        one.at_m - 0.7 < move.at_m + getattr(move, "length_m", 0.0)
        and move.at_m - getattr(move, "back_m", 0.0) < one.at_m + one.length_m + 0.7
        for one in away
        for move in moving
    )


@st.composite
def encoder_scripts(draw: st.DrawFn) -> SimulatorSource:
    """Any faults before a camera that reads an encoder, with or without other counters."""
    faults = draw(st.lists(st.one_of(*OF_FRAMES, *OF_MOTION), max_size=6))
    start = draw(st.lists(WRAP, max_size=1))
    camera = {
        "counters": draw(st.sampled_from(["frames_and_lines", "frames", "lines", "none"])),
        "stamps": draw(st.sampled_from(["ends", "lines"])),
        "counts_per_line": draw(st.sampled_from([4.0, 1.0, 2.5, -3.0, 10.0])),
    }
    return scripted(faults + start, {"block_lines": draw(st.integers(12, 64))}, camera)


@st.composite
def counted_scripts(draw: st.DrawFn) -> SimulatorSource:
    """Faults of frames before a camera without encoder, or one whose encoder it reboots with."""
    faults = draw(st.lists(st.one_of(*OF_FRAMES), max_size=6))
    start = draw(st.lists(WRAP, max_size=1))
    counters = draw(st.sampled_from(["frames_and_lines", "frames", "lines"]))
    if counters == "frames":  # which cannot tell that lines are missing between frames
        faults = [fault for fault in faults if fault["kind"] != "lost_lines"]
    reboots = draw(st.booleans())
    for fault in faults:
        if fault["kind"] == "camera_loss":
            fault["encoder_survives"] = not reboots
    counts = draw(st.sampled_from([4.0, 2.5])) if reboots else None
    camera = {"counters": counters, "counts_per_line": counts}
    return scripted(faults + start, {"block_lines": draw(st.integers(12, 64))}, camera)


def check_pixels(one: Roll) -> None:
    """Every line once, in order, nothing between, each with the pixels of its place."""
    line = 0
    for piece in one.pieces:
        assert piece.first_line == line
        if isinstance(piece, LineLoss):
            line += piece.line_count
            continue
        line += piece.valid_lines
        truth = np.arange(piece.first_line, line)
        assert np.array_equal(piece.pixels, np.repeat(truth[:, None], COLUMNS, axis=1))


def told(one: Roll) -> list[tuple[Any, ...]]:
    """All that the ledger follows from."""
    return [
        (piece.first_line, piece.line_count, piece.reason, piece.detail, piece.captured_ns)
        if isinstance(piece, LineLoss)
        else (piece.first_line, piece.valid_lines, piece.flags, piece.masked, piece.captured_ns)
        for piece in one.pieces
    ]


def check_ledger(one: Roll) -> None:
    """Tiles and gaps of each lane are the roll; tiles hold the web's own pixels."""
    state, rows = start_tiling(Origin("roll", "cam0", "digest"), GRID), []
    for piece in one.pieces:
        state, more = cut(state, piece)
        rows += more
    state, more = finish(state)
    rows += more
    for lane in range(len(GRID.lanes)):
        areas = [Interval(t.first_line, t.first_line + t.line_count) for t in _tiles(rows, lane)]
        areas += [Interval(g.first_line, g.first_line + g.line_count) for g in _gaps(rows, lane)]
        assert merge_intervals(areas) == ((Interval(0, one.end_line),) if areas else ())
        assert sum(area.size for area in areas) == one.end_line, "overlap"
        for tile in _tiles(rows, lane):
            first = tile.first_line - tile.halo.top
            end = tile.first_line + tile.line_count + tile.halo.bottom
            assert np.array_equal(tile.pixels[: end - first, 0], np.arange(first, end))


def _tiles(rows: list[Any], lane: int) -> list[Any]:
    return [tile for row in rows for tile in row.tiles if tile.lane == lane]


def _gaps(rows: list[Any], lane: int) -> list[Any]:
    return [gap for row in rows for gap in row.gaps if gap.lane == lane]


def check_causes(one: Roll, chosen: SimulatorSource) -> None:
    """What the faults cost is a gap, and every gap lies where a fault can have caused it."""
    gaps = [Interval(p.first_line, p.first_line + p.line_count) for p in one.losses]
    cost = [Interval(*run_) for fault in one.truth for run_ in fault["lost"]]
    unseen = [Interval(one.end_line, END)] if one.end_line < END else []
    assert covered([*gaps, *unseen]) == covered([*gaps, *unseen, *cost])
    if unseen:  # the end of a roll that never came is nobody's line
        assert covered(cost) == covered([*cost, *unseen])
    for loss, gap in zip(one.losses, gaps, strict=True):
        assert any(_explains(fault, loss, gap, chosen) for fault in one.truth), loss


def _explains(
    fault: dict[str, Any], loss: LineLoss, gap: Interval, chosen: SimulatorSource
) -> bool:
    camera, block = chosen.camera_between, chosen.block_lines
    touches = any(run_[0] < gap.end and gap.first < run_[1] for run_ in fault["missed"])
    fastest = max([1, *(one.get("factor", 1) for one in map(_dump, chosen.faults))])
    reach = int(block * fastest * 2)
    at = fault["at_line"]
    extent = int(1000 * fault.get("length_m", 0.0)) + int(
        block * fastest * fault.get("frames_later", 0)
    )
    near = (
        at - reach - int(1000 * fault.get("back_m", 0)) < gap.end
        and gap.first < at + extent + reach
    )
    match fault["kind"]:
        case "partial_frame":
            return touches and loss.reason in (GapReason.PARTIAL_FRAME, GapReason.CAMERA_LOSS)
        case "lost_lines" if camera.counters == "frames" and loss.reason == GapReason.OVERSPEED:
            return touches  # a counter of frames misses none
        case "lost_lines" | "lost_frames" | "camera_loss":
            return touches and loss.reason == GapReason.CAMERA_LOSS
        case "overspeed":
            silent = camera.counters == "none" and loss.reason == GapReason.CAMERA_LOSS
            return (near or touches) and (loss.reason == GapReason.OVERSPEED or silent)
        case "reverse" | "encoder_stop":
            return near and "stopped or turned" in loss.detail
        case "reorder":
            return near and loss.reason == GapReason.CAMERA_LOSS
    return False


def _dump(fault: Any) -> dict[str, Any]:
    return dict(fault.model_dump())


PATIENT = settings(
    max_examples=SCRIPTS,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking a script takes minutes
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@PATIENT
@pytest.mark.timeout(3600)
@given(chosen=encoder_scripts().filter(_apart))
def test_any_script_before_an_encoder(chosen: SimulatorSource) -> None:
    one = run(chosen)
    check_pixels(one)
    check_ledger(one)
    check_causes(one, chosen)
    assert told(run(chosen)) == told(one)


@PATIENT
@pytest.mark.timeout(3600)
@given(chosen=counted_scripts())
def test_any_script_of_frames_without_an_encoder_that_lasts(chosen: SimulatorSource) -> None:
    one = run(chosen)
    check_pixels(one)
    check_ledger(one)
    check_causes(one, chosen)
    assert told(run(chosen)) == told(one)


def test_without_faults_nothing_is_lost() -> None:
    one = roll()
    assert lost(one) == []
    assert one.end_line == END
    assert one.counts.frames == 50
