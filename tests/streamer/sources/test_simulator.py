"""The simulated web: any block the same, defects exactly in their boxes, a well-behaved source."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import SimulatorSource, Web
from streamer.message import LineBlock
from streamer.sources.simulator import SimulatedWeb

WEB = Web(pixel_mm=0.5)
LINES = 700


def simulated(first_line: int = 0, **changes: Any) -> SimulatedWeb:
    chosen = {"columns": 160, "length_m": 1.0, "clean_m": 0.0, "defects_per_m": 10.0} | changes
    return SimulatedWeb(SimulatorSource(**chosen), WEB, first_line)


def space(source: SimulatedWeb, lines: int) -> np.ndarray:
    form = source.format
    colours = () if form.channels == 1 else (3,)
    return np.empty((lines, form.columns, *colours), f"u{form.bits // 8}")


def read(source: SimulatedWeb, lines: int) -> np.ndarray:
    """The next `lines` in one block."""
    block = source.read_into(space(source, lines))
    assert isinstance(block, LineBlock)
    return block.pixels


def truth(source: SimulatedWeb) -> dict[str, Any]:
    content = json.loads(source.truth)
    assert isinstance(content, dict)
    return content


FORMS = [
    pytest.param({"surface": surface, "channels": channels, "bits": bits}, id=f"{surface}-{form}")
    for surface in ("fabric", "rail")
    for form, channels, bits in (("grey8", 1, 8), ("colour16", 3, 16))
]


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=12, deadline=None)
@given(sizes=st.lists(st.integers(1, 200), min_size=1, max_size=12))
def test_blocks_of_any_size_hold_the_same_lines(form: dict[str, Any], sizes: list[int]):
    whole, cut = simulated(**form), simulated(**form)

    parts = np.concatenate([read(cut, size) for size in sizes])
    same = read(whole, sum(sizes))

    assert np.array_equal(parts, same)
    assert truth(cut) == truth(whole)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=12, deadline=None)
@given(first_line=st.integers(0, 1500), lines=st.integers(1, 150))
def test_any_line_can_be_the_first(form: dict[str, Any], first_line: int, lines: int):
    from_start, from_there = simulated(**form), simulated(first_line, **form)

    expected = read(from_start, first_line + lines)[first_line:]

    assert np.array_equal(read(from_there, lines), expected)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_defects_change_pixels_exactly_within_their_boxes(form: dict[str, Any], seed: int):
    spoiled = simulated(seed=seed, **form)
    clean = simulated(seed=seed, **(form | {"defects_per_m": 0.0}))
    differs = read(spoiled, 2000) != read(clean, 2000)
    differs = differs if differs.ndim == 2 else differs.any(axis=2)

    found = truth(spoiled)["defects"]

    assert len(found) >= 5
    for defect in found:
        lines = slice(defect["first_line"], defect["end_line"])
        columns = slice(defect["first_column"], defect["end_column"])
        changed = differs[lines, columns]
        assert changed[[0, -1]].any(axis=1).all()
        assert changed[:, [0, -1]].any(axis=0).all()
        assert changed.sum() == defect["pixels"]
        differs[lines, columns] = False
    assert not differs.any()


@pytest.mark.parametrize("surface", ["fabric", "rail"])
def test_boxes_in_mm_follow_from_boxes_in_pixels(surface: str):
    web = Web(pixel_mm=0.4, line_mm=0.8)
    settings_ = SimulatorSource(columns=200, clean_m=0, defects_per_m=5, surface=surface)
    source = SimulatedWeb(settings_, web)
    read(source, 2000)

    for defect in truth(source)["defects"]:
        assert defect["down_first_mm"] == pytest.approx(0.8 * defect["first_line"])
        assert defect["down_end_mm"] == pytest.approx(0.8 * defect["end_line"])
        assert defect["cross_first_mm"] == pytest.approx(0.4 * defect["first_column"])
        assert defect["cross_end_mm"] == pytest.approx(0.4 * defect["end_column"])
        assert defect["contrast"] > 0


def test_truth_covers_the_delivered_lines_and_no_more():
    source = simulated()
    boxes = []
    for _ in range(40):
        read(source, 50)
        content = truth(source)
        assert all(defect["end_line"] <= content["end_line"] for defect in content["defects"])
        boxes.append(len(content["defects"]))

    assert content["end_line"] == 2000
    assert boxes == sorted(boxes)
    assert boxes[0] < boxes[-1]


@pytest.mark.parametrize("surface", ["fabric", "rail"])
@pytest.mark.parametrize("ask_early", [False, True])
@settings(max_examples=8, deadline=None)
@given(first_line=st.integers(1, 1999))
def test_a_web_resumed_anywhere_knows_the_truth_from_its_start(
    surface: str, ask_early: bool, first_line: int
):
    whole, resumed = simulated(surface=surface), simulated(first_line, surface=surface)
    read(whole, 2000)
    if ask_early:
        assert truth(resumed)["end_line"] == first_line

    read(resumed, 2000 - first_line)
    resumed.close()

    assert truth(resumed) == truth(whole)


def test_only_chunks_with_defects_are_rendered_for_the_truth_and_once(
    monkeypatch: pytest.MonkeyPatch,
):
    source, rendered = simulated(first_line=2000, length_m=2.0, clean_m=0.9), []
    render = source._render
    monkeypatch.setattr(
        SimulatedWeb, "_render", lambda _, number: (rendered.append(number), render(number))[1]
    )

    known = source.truth

    assert source.truth == known
    assert len(truth(source)["defects"]) > 0
    assert len(rendered) == len(set(rendered)) > 0
    assert min(rendered) >= 1800 // 64


def test_a_web_starts_clean():
    source = simulated(clean_m=0.9)
    clean = simulated(defects_per_m=0.0)

    assert np.array_equal(read(source, 1800), read(clean, 1800))
    assert truth(source)["defects"] == []


@pytest.mark.parametrize("surface", ["fabric", "rail"])
def test_pixels_use_the_range_without_saturating(surface: str):
    pixels = read(simulated(surface=surface, defects_per_m=0.0), LINES)

    assert 60 < pixels.mean() < 150
    assert pixels.std() > 12
    assert pixels.max() < 255
    assert (pixels == 0).mean() < 0.001


def test_16_bit_pixels_are_the_finer_8_bit_ones():
    coarse, fine = (read(simulated(noise=0.0, bits=bits), 64) for bits in (8, 16))

    assert np.abs(fine / 257 - coarse).max() <= 0.51


def test_noise_is_all_that_noise_changes():
    exact, noisy = read(simulated(noise=0.0), 256), read(simulated(noise=1.0), 256)
    error = noisy.astype(int) - exact

    assert abs(error.mean()) < 0.05
    assert 0.8 < error.std() < 3
    assert np.array_equal(read(simulated(noise=0.0), 256), exact)


@pytest.mark.parametrize(
    ("length_m", "line_mm", "lines"), [(1.0, 0.5, 2000), (0.1001, 0.5, 201), (0.0001, 0.5, 1)]
)
def test_the_web_ends_at_its_length(length_m: float, line_mm: float, lines: int):
    settings_ = SimulatorSource(columns=72, length_m=length_m)
    source = SimulatedWeb(settings_, Web(pixel_mm=line_mm))
    buffer = space(source, 150)

    total = 0
    while (block := source.read_into(buffer)) is not None:
        assert block.first_line == total
        assert block.pixels.shape[0] == block.valid_lines <= 150
        total += block.valid_lines

    assert total == lines
    assert source.read_into(buffer) is None
    assert truth(source)["end_line"] == lines


def test_a_start_beyond_the_end_delivers_nothing():
    source, whole = simulated(first_line=2001), simulated()
    read(whole, 2000)

    assert source.read_into(space(source, 10)) is None
    assert truth(source) == truth(whole)


def test_a_block_says_what_it_is():
    source = simulated(first_line=100, camera="left")
    buffer = space(source, 30)
    before = time.time_ns()

    block = source.read_into(buffer)

    assert block is not None
    assert (block.camera, block.first_line, block.valid_lines) == ("left", 100, 30)
    assert (block.encoder_first, block.encoder_last) == (100, 129)
    assert before <= block.captured_ns <= time.time_ns()
    assert np.shares_memory(block.pixels, buffer)


@pytest.mark.parametrize("form", FORMS)
def test_the_format_is_the_configured_one(form: dict[str, Any]):
    found = simulated(**form, seed=5).format

    assert (found.columns, found.channels, found.bits) == (160, form["channels"], form["bits"])
    assert form["surface"] in found.description
    assert "seed 5" in found.description


@pytest.mark.parametrize(
    "buffer",
    [
        np.empty((0, 160), np.uint8),
        np.empty((5, 161), np.uint8),
        np.empty((5, 160, 3), np.uint8),
        np.empty((5, 160), np.uint16),
    ],
    ids=["no line", "too wide", "colour", "16 bit"],
)
def test_a_buffer_of_another_format_is_refused(buffer: np.ndarray):
    with pytest.raises(ValueError, match=r"buffer must be \(lines >= 1, 160\) uint8, got \("):
        simulated().read_into(buffer)


def test_a_negative_start_is_refused():
    with pytest.raises(ValueError, match="first_line must be >= 0, got -1"):
        simulated(first_line=-1)


def test_a_closed_web_has_ended_and_keeps_its_truth():
    source = simulated()
    read(source, LINES)
    known = source.truth

    source.close()
    source.close()

    assert source.read_into(space(source, 10)) is None
    assert source.truth == known


def test_the_narrowest_web_at_the_highest_rate_works():
    source = simulated(columns=72, defects_per_m=20.0, surface="rail")

    assert read(source, 2000).shape == (2000, 72)
    assert len(truth(source)["defects"]) > 10


def test_kilometres_down_the_web_nothing_changes():
    kilometre = simulated(first_line=2_000_000, length_m=2000.0)
    pixels, start = read(kilometre, 256), read(simulated(defects_per_m=0.0), 256)

    assert pixels.mean() == pytest.approx(start.mean(), rel=0.05)
    assert pixels.std() == pytest.approx(start.std(), rel=0.25)
