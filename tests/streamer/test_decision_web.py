"""Tiles to defects: several cameras and lanes, gaps, any order; equal to labelling at once."""

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer import stitching
from streamer.decision import DecisionState, decide, finish
from streamer.message import Gap, GapReason, Interval, ScoreMap
from streamer.protocol import LedgerRow
from streamer.side_by_side import CameraPlace, JoinState, add_strip, take_joined
from streamer.stitching import StitchState
from tests.streamer.test_decision import STRIDE, labelled_at_once, settings_for, settled

COLUMNS = 77  # the last grid column is 5 pixels wide
PLACES = (CameraPlace("a", Interval(0, 48)), CameraPlace("b", Interval(48, COLUMNS), 2))
LANES = {
    "a": (Interval(0, 24), Interval(24, 48)),
    "b": (Interval(0, 8), Interval(8, 16), Interval(16, 29)),
}


@dataclass(frozen=True)
class Piece:
    """The true map of a piece, (rows, grid columns), and the lines that it covers."""

    scores: np.ndarray
    first_line: int
    line_count: int


def test_the_places_are_one_web():
    assert JoinState(PLACES, STRIDE).columns == COLUMNS


def piece_of(draw, first_line, is_last):
    rows, density = draw(st.integers(1, 14)), draw(st.sampled_from([0.1, 0.4, 0.6]))
    noise = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = noise.random((rows, 10)) * 0.55
    grown = noise.random(scores.shape) < density
    scores[grown] = noise.uniform(0.6, 1.2, scores.shape)[grown]
    short = draw(st.integers(0, STRIDE - 1)) if is_last else 0
    return Piece(scores.astype(np.float32), first_line, rows * STRIDE - short)


def rows_of(draw, place, pieces):
    """The ledger of one camera: every piece cut into tile rows at random grid lines."""
    found = []
    for piece in pieces:
        count = len(piece.scores)
        cuts = draw(st.sets(st.integers(1, count - 1), max_size=4)) if count > 1 else set()
        bounds = [0, *(cut * STRIDE for cut in sorted(cuts)), piece.line_count]
        for first, end in zip(bounds, bounds[1:], strict=False):
            line = piece.first_line + first
            lanes, starts = LANES[place.camera], first == 0
            name, sequence = ("r", place.camera), len(found)
            found.append(LedgerRow(*name, sequence, line, end - first, starts, lanes, (), line))
    return found


def verdict_of(row, lane, pieces, is_lost):
    """A score map with the true scores of a tile, or its gap, which blanks them."""
    piece = next(p for p in reversed(pieces) if p.first_line <= row.first_line)
    place = next(p for p in PLACES if p.camera == row.camera)
    columns = row.lane_columns[lane]
    first = (row.first_line - piece.first_line) // STRIDE
    left = (place.columns.first + columns.first) // STRIDE
    height, width = -(-row.line_count // STRIDE), -(-columns.size // STRIDE)
    cells = piece.scores[first : first + height, left : left + width]
    if is_lost:
        cells[:] = np.nan
        lines = row.first_line, row.line_count
        return Gap("r", row.camera, lane, row.sequence, 1, *lines, GapReason.OVERLOAD)
    lines = row.first_line, row.line_count
    at = ("r", row.camera, lane, row.sequence, *lines, columns.first, columns.size, STRIDE)
    return ScoreMap(*at, cells.copy(), 0.0, 1.0, "p", "m", row.captured_ns, 2, "w")


@st.composite
def rolls(draw):
    """Pieces as they are known in the end, and what is heard of them in the order of arrival."""
    pieces, first_line, count = [], 0, draw(st.integers(1, 3))
    for number in range(count):
        pieces.append(piece_of(draw, first_line, number == count - 1))
        first_line += pieces[-1].line_count
    events = []
    for place in PLACES:
        for row in rows_of(draw, place, pieces):
            events.append(row)
            for lane in range(len(row.lane_columns)):
                events.append(verdict_of(row, lane, pieces, draw(st.integers(0, 5)) == 0))
    random = draw(st.randoms(use_true_random=False))
    events += random.sample(events, len(events) // 3)  # some come twice
    random.shuffle(events)
    return pieces, events


class Web:
    """The chain of the sink: stitching by camera, cameras joined, strips decided."""

    def __init__(self, config):
        self.config, self.defects = config, []
        self.stitches = {p.camera: StitchState(p.columns.size, STRIDE) for p in PLACES}
        self.join, self.decision = JoinState(PLACES, STRIDE), DecisionState()

    def hear(self, event):
        stitch = self.stitches[event.camera]
        if isinstance(event, LedgerRow):
            stitch = stitching.add_row(stitch, event)
        elif isinstance(event, Gap):
            stitch = stitching.mark_gap(stitch, event.first_sequence, event)
        else:
            stitch = stitching.paste(stitch, event)
        self.stitches[event.camera], strips = stitching.take_strips(stitch)
        camera = [place.camera for place in PLACES].index(event.camera)
        for strip in strips:
            self.join = add_strip(self.join, camera, strip)
        self.join, joined = take_joined(self.join)
        for strip in joined:
            self.decision, news = decide(self.decision, strip, self.config)
            self.defects += news

    def finish(self):
        return [*self.defects, *finish(self.decision, self.config)]


@settings(max_examples=200, deadline=None)
@given(rolls(), st.sampled_from([0.0, 20.0]))
def test_whatever_comes_when_the_defects_are_those_of_the_whole_roll(roll, min_area_mm2):
    pieces, events = roll
    config = settings_for(COLUMNS, min_area_mm2=min_area_mm2)
    web = Web(config)
    for event in events:
        web.hear(event)
    expected = []
    for piece in pieces:
        expected += labelled_at_once(piece.scores, config, piece.first_line, piece.line_count)
    got = settled(web.finish())
    assert all(not stitch.rows for stitch in web.stitches.values())
    np.testing.assert_allclose(got, sorted(expected), rtol=1e-12)


@settings(max_examples=50, deadline=None)
@given(rolls(), st.randoms(use_true_random=False))
def test_what_is_announced_does_not_depend_on_the_order_of_arrival(roll, random):
    _, events = roll
    lives = []
    for _ in range(2):
        web = Web(settings_for(COLUMNS))
        for event in events:
            web.hear(event)
        lives.append([replace(defect, captured_ns=0) for defect in web.finish()])
        random.shuffle(events)
    assert lives[0] == lives[1]
