"""The share of a camera's view: its pixels and truth at their places on the web, nothing else."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config import SimulatorSource, Web
from streamer.message import GapReason, Interval, LineBlock, LineLoss
from streamer.ports import WebFormat
from streamer.sources.cropped import CroppedSource, Share
from streamer.sources.line_buffer import new_buffer
from streamer.sources.simulator import SimulatedWeb

WEB = np.arange(40 * 24, dtype=np.uint16).reshape(40, 24)


class Pieces:
    """A source that delivers the pieces that it is given; see ports.LineSource."""

    format = WebFormat(24, 1, 16, "pieces")
    truth = b""

    def __init__(self, *pieces):
        self.pieces, self.closed = list(pieces), 0

    def read_into(self, buffer):
        assert buffer.shape[1:] == (24,)
        return self.pieces.pop(0) if self.pieces else None

    def close(self):
        self.closed += 1


def block(first, end, valid=None, masked=()):
    lines = end - first if valid is None else valid
    return LineBlock("c", first, WEB[first:end], lines, 1, masked=masked)


def read_all(source, lines=8):
    pieces = []
    while (piece := source.read_into(new_buffer(source.format, lines))) is not None:
        pieces.append(piece)
    return pieces


def test_format_and_blocks_have_the_columns_that_are_kept():
    inner = Pieces(block(0, 8, 5, (Interval(0, 6), Interval(20, 24))))
    source = CroppedSource(inner, Share(Interval(4, 22)))
    assert source.format == WebFormat(18, 1, 16, "pieces")
    (piece,) = read_all(source)
    assert np.array_equal(piece.pixels, WEB[:8, 4:22])
    assert np.shares_memory(piece.pixels, WEB)
    assert (piece.first_line, piece.valid_lines) == (0, 5)
    assert piece.masked == (Interval(0, 2), Interval(16, 18))
    source.close()
    assert inner.closed == 1


@given(st.integers(0, 40), st.lists(st.integers(1, 12), min_size=1, max_size=8))
def test_lines_before_the_roll_are_left_out_whatever_the_blocks(skipped, sizes):
    bounds = np.minimum(np.cumsum([0, *sizes]), 40).tolist()
    pieces = [block(a, b) for a, b in zip(bounds, bounds[1:], strict=False) if b > a]
    source = CroppedSource(Pieces(*pieces), Share(Interval(0, 24), skipped_lines=skipped))
    got = read_all(source)
    lines = [piece.first_line + n for piece in got for n in range(piece.valid_lines)]
    assert lines == list(range(max(bounds[-1] - skipped, 0)))
    if got:
        assert np.array_equal(np.concatenate([p.pixels for p in got]), WEB[skipped : bounds[-1]])


def test_losses_keep_their_place_and_those_before_the_roll_are_left_out():
    losses = [LineLoss("c", first, 10, GapReason.CAMERA_LOSS, 1) for first in (0, 10, 20)]
    source = CroppedSource(Pieces(*losses), Share(Interval(0, 24), skipped_lines=15))
    assert [(p.first_line, p.line_count) for p in read_all(source)] == [(0, 5), (5, 10)]


@pytest.mark.parametrize("end", [25, 100])
def test_columns_that_the_camera_does_not_show_are_refused(end):
    rule = rf"must show its columns 4 to {end}, a width, got 24"
    with pytest.raises(ValueError, match=rule):
        CroppedSource(Pieces(), Share(Interval(4, end)))


@pytest.mark.parametrize(
    "share", [(Interval(4, 4),), (Interval(0, 4), -1), (Interval(0, 4), 0, -1)]
)
def test_a_share_must_hold_columns(share):
    with pytest.raises(ValueError, match="Share must hold columns"):
        Share(*share)


def test_truth_is_of_the_share_in_places_on_the_web():
    settings = SimulatorSource(columns=128, length_m=0.4, clean_m=0, defects_per_m=20, seed=3)
    whole, kept = SimulatedWeb(settings, Web(), 0), Interval(40, 100)
    source = CroppedSource(SimulatedWeb(settings, Web(), 0), Share(kept, 1000, 64))
    for web in (whole, source):
        read_all(web, 256)
    given_truth, truth = json.loads(whole.truth), json.loads(source.truth)
    expected = {
        d["id"]: (max(d["first_column"], 40) + 960, min(d["end_column"], 100) + 960)
        for d in given_truth["defects"]
        if d["first_column"] < 100 and d["end_column"] > 40 and d["end_line"] > 64
    }
    found = {d["id"]: (d["first_column"], d["end_column"]) for d in truth["defects"]}
    assert found == expected
    assert 0 < len(found) < len(given_truth["defects"])
    first = truth["defects"][-1]
    original = next(d for d in given_truth["defects"] if d["id"] == first["id"])
    assert first["first_line"] == original["first_line"] - 64
    assert first["cross_first_mm"] == first["first_column"] * 0.5
    assert truth["end_line"] == given_truth["end_line"] - 64
    assert CroppedSource(Pieces(), Share(Interval(0, 24))).truth == b""


def test_that_nothing_has_come_yet_is_said_before_the_roll_too():
    source = CroppedSource(Pieces(block(0, 0), block(0, 8)), Share(Interval(4, 22), 0, 6))
    nothing, piece = read_all(source)
    assert (len(nothing.pixels), nothing.first_line) == (0, 0)
    assert (piece.first_line, piece.valid_lines) == (0, 2)
