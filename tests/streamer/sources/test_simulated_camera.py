"""The simulated camera: frames as scripted, pixels as the web's, counters as a camera's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from streamer.config import SimulatorSource, Web
from streamer.message import LineBlock, LineLoss
from streamer.sources.frame import Frame, FrameBreak
from streamer.sources.line_buffer import new_buffer
from streamer.sources.simulated_camera import SimulatedCamera, open_simulated
from streamer.sources.simulator import SimulatedWeb
from streamer.web import WebGeometry

if TYPE_CHECKING:
    from streamer.sources.frame_line_source import FrameLineSource

WEB = Web(pixel_mm=1.0, web_speed_m_min=60.0)  # 1 kHz
COLUMNS, BLOCK = 80, 50


def settings(*faults: dict[str, Any], **changes: Any) -> SimulatorSource:
    given = {"columns": COLUMNS, "length_m": 1.0, "clean_m": 0.0, "defects_per_m": 10.0}
    given |= {"block_lines": BLOCK, "faults": list(faults), "line_camera": {}} | changes
    return SimulatorSource.model_validate(given)


def camera(*faults: dict[str, Any], **changes: Any) -> SimulatedCamera:
    chosen = settings(*faults, **changes)
    return SimulatedCamera(SimulatedWeb(chosen, WEB), chosen, WebGeometry(COLUMNS, 1.0, 1.0, 60.0))


def sent(source: SimulatedCamera) -> list[Frame | FrameBreak]:
    items = []
    while True:
        try:
            item = source.read_frame(0.0)
        except EOFError:
            return items
        if item is not None:
            items.append(item)


def true_web() -> np.ndarray:
    source = SimulatedWeb(settings(), WEB)
    return source.read_into(new_buffer(source.format, 1000)).pixels


def ids(items: list[Frame | FrameBreak]) -> list[int | None]:
    return [item.frame_id if isinstance(item, Frame) else None for item in items]


def test_without_faults_the_frames_are_the_web() -> None:
    frames = sent(camera())
    assert ids(frames) == list(range(20))
    assert np.array_equal(np.concatenate([f.pixels for f in frames]), true_web())
    assert [f.line_id for f in frames] == list(range(0, 1000, BLOCK))
    assert [f.captured_ns for f in frames] == [50_000_000 * (n + 1) for n in range(20)]
    assert frames[3].encoder_last == 199 * 4


def test_a_frame_is_never_written_again() -> None:
    frames = sent(camera({"kind": "partial_frame", "at_m": 0.4}, {"kind": "reverse", "at_m": 0.6}))
    shared = [
        np.shares_memory(one.pixels, other.pixels)
        for n, one in enumerate(frames)
        for other in frames[:n]
    ]
    assert not any(shared)


def test_lost_frames_are_counted_and_never_come() -> None:
    frames = sent(camera({"kind": "lost_frames", "at_m": 0.42, "frames": 2}))
    assert ids(frames) == [*range(8), *range(10, 20)]


def test_lost_lines_are_counted_between_frames() -> None:
    frames = sent(camera({"kind": "lost_lines", "at_m": 0.42, "lines": 30}))
    assert [f.line_id for f in frames[8:11]] == [400, 480, 530]
    assert ids(frames) == list(range(20))
    assert np.array_equal(frames[9].pixels, true_web()[480:530])


@pytest.mark.parametrize("tail", ["stale", "blank"])
def test_a_partial_frame_has_a_tail_that_is_not_web(tail: str) -> None:
    frames = sent(camera({"kind": "partial_frame", "at_m": 0.42, "valid_share": 0.3, "tail": tail}))
    frame, before = frames[8], frames[7]
    assert frame.valid_lines == 15
    assert np.array_equal(frame.pixels[:15], true_web()[400:415])
    filler = before.pixels[15:] if tail == "stale" else np.zeros_like(frame.pixels[15:])
    assert np.array_equal(frame.pixels[15:], filler)
    assert frame.encoder_last == 414 * 4
    assert frame.captured_ns == 415_000_000


def test_duplicates_and_late_frames_come_as_scripted() -> None:
    again = {"kind": "duplicate", "at_m": 0.22, "frames_later": 2}
    late = {"kind": "reorder", "at_m": 0.52, "frames_later": 3}
    assert ids(sent(camera(again, late))) == [
        *range(7), 4, *range(7, 10), 11, 12, 13, 10, *range(14, 20)
    ]  # fmt: skip


def test_a_web_rolled_back_is_seen_again() -> None:
    frames = sent(camera({"kind": "reverse", "at_m": 0.5, "back_m": 0.1}))
    assert len(frames) == 24
    assert np.array_equal(frames[10].pixels, true_web()[449:499][::-1])
    assert frames[10].encoder_first > frames[10].encoder_last


def test_an_encoder_that_stands_still_sees_one_line() -> None:
    frames = sent(camera({"kind": "encoder_stop", "at_m": 0.5, "lines": 60}))
    assert np.all(frames[10].pixels == true_web()[499])
    assert frames[10].encoder_first == frames[10].encoder_last


def test_a_fast_web_is_seen_in_part() -> None:
    frames = sent(camera({"kind": "overspeed", "at_m": 0.5, "length_m": 0.2, "factor": 2}))
    assert np.array_equal(frames[10].pixels, true_web()[500:600:2])


def test_a_lost_camera_breaks_and_counts_anew() -> None:
    loss = {"kind": "camera_loss", "at_m": 0.42, "length_m": 0.2, "encoder_survives": False}
    items = sent(camera(loss))
    gone, first = items[8], items[9]
    assert isinstance(gone, FrameBreak)
    assert (gone.since_ns, gone.captured_ns) == (400_000_000, 620_000_000)
    assert (first.frame_id, first.line_id, first.encoder_first) == (0, 0, 0)
    assert np.array_equal(first.pixels, true_web()[620:670])


def test_optical_faults_change_the_frames_alone() -> None:
    dark = {"kind": "dust", "at_m": 0.5, "column": 10, "columns": 2, "gain": 0.5}
    pixels = np.concatenate([f.pixels for f in sent(camera(dark))])
    changed = pixels != true_web()
    assert changed[500:, 10:12].any()
    changed[500:, 10:12] = False
    assert not changed.any()


def test_the_truth_is_the_webs_and_the_faults() -> None:
    source = camera({"kind": "lost_frames", "at_m": 0.42}, {"kind": "stop", "at_m": 0.2})
    sent(source)
    truth = json.loads(source.truth)
    whole = SimulatedWeb(settings(), WEB)
    whole.read_into(new_buffer(whole.format, 1000))
    assert truth["defects"] == json.loads(whole.truth)["defects"]
    assert [(f["kind"], f["lost"]) for f in truth["faults"]] == [
        ("stop", []),
        ("lost_frames", [[400, 450]]),
    ]


def test_the_same_script_gives_the_same_frames() -> None:
    script = [{"kind": "reverse", "at_m": 0.3}, {"kind": "overspeed", "at_m": 0.5}]
    one, other = sent(camera(*script)), sent(camera(*script))
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(one, other, strict=True))
    assert [f.captured_ns for f in one] == [f.captured_ns for f in other]


def test_closing_ends_it_and_keeps_the_truth() -> None:
    source = camera({"kind": "reorder", "at_m": 0.0})
    source.read_frame(0.0)
    source.close()
    source.close()
    with pytest.raises(EOFError):
        source.read_frame(0.0)
    assert json.loads(source.truth)["end_line"] == BLOCK


def lines_of(source: FrameLineSource) -> list[LineBlock | LineLoss]:
    pieces = []
    while (piece := source.read_into(new_buffer(source.format, BLOCK))) is not None:
        if isinstance(piece, LineLoss) or piece.valid_lines:
            pieces.append(piece)
    return pieces


def test_opened_it_is_a_line_source_with_the_time_of_this_machine() -> None:
    source = open_simulated(settings({"kind": "lost_frames", "at_m": 0.42}), WEB)
    pieces = lines_of(source)
    (loss,) = [p for p in pieces if isinstance(p, LineLoss)]
    assert (loss.first_line, loss.line_count) == (400, 50)
    assert all(p.captured_ns > 10**18 for p in pieces)
    for piece in pieces:
        if isinstance(piece, LineBlock):
            end = piece.first_line + piece.valid_lines
            assert np.array_equal(piece.pixels, true_web()[piece.first_line : end])


def test_without_faults_and_camera_it_is_the_web_itself() -> None:
    assert isinstance(open_simulated(settings(line_camera=None), WEB), SimulatedWeb)


def test_a_restarted_capture_goes_on_where_it_was() -> None:
    faults = [{"kind": "lost_frames", "at_m": 0.3}, {"kind": "reverse", "at_m": 0.75}]
    source = open_simulated(settings(*faults), WEB, 625)
    pieces = lines_of(source)
    assert (pieces[0].first_line, pieces[-1].first_line + pieces[-1].valid_lines) == (625, 1000)
    pixels = np.concatenate([p.pixels for p in pieces if isinstance(p, LineBlock)])
    lost = [p for p in pieces if isinstance(p, LineLoss)]
    assert sum(p.line_count for p in lost) + len(pixels) == 375
    assert np.array_equal(pixels[:100], true_web()[625:725])
    truth = json.loads(source.truth)
    assert truth["end_line"] == 1000
    assert [f["kind"] for f in truth["faults"]] == ["lost_frames", "reverse"]


def test_cameras_with_views_of_their_own_see_one_web():
    settings = SimulatorSource(columns=256, length_m=1, clean_m=0, defects_per_m=10)
    whole = open_simulated(settings, Web())
    views = [
        open_simulated(settings.model_copy(update={"view": view}), Web())
        for view in ((0, 144), (128, 256))
    ]
    assert [view.format.columns for view in views] == [144, 128]
    lines = whole.read_into(new_buffer(whole.format, 200)).pixels
    left, right = (view.read_into(new_buffer(view.format, 200)).pixels for view in views)
    assert np.array_equal(left, lines[:, :144])
    assert np.array_equal(right, lines[:, 128:])


@pytest.mark.parametrize("view", [(0, 257), (5, 5), (9, 3)])
def test_a_view_must_be_of_the_web(view):
    with pytest.raises(ValueError, match=r"view must be \[first, end\] within the 256 columns"):
        SimulatorSource(columns=256, view=view)
