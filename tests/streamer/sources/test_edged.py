"""Edges in a stream: masks by line whatever the blocks, lines without web, exact coverage."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from edge_webs import edged_web, pierced, wandering
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer import config, stitching, wire
from streamer.correction.edge_groups import GROUP_LINES
from streamer.message import (
    GapReason,
    Heartbeat,
    Interval,
    LineBlock,
    LineFlag,
    LineLoss,
    StageState,
)
from streamer.ports import WebFormat
from streamer.sources.edged import EdgedSource, EdgePlan
from streamer.tiling import Origin, TileGrid, cut, finish, start_tiling
from streamer.web import covered, intersect_intervals

COLUMNS = 400
GUARD_PX = 12
WEB = config.Web(pixel_mm=0.5)
AUTO = config.Edges(stream="auto", guard_mm=GUARD_PX / 2)


@dataclass
class Recorded:
    """Delivers pieces of a web in blocks, each after a seam, and what is lost as a loss."""

    pixels: np.ndarray
    block_lines: int
    seams: tuple[int, ...] = ()
    lost: tuple[Interval, ...] = ()
    masked: tuple[Interval, ...] = ()
    line: int = 0
    closed: int = 0
    truth: bytes = b"{}"
    health: dict[str, float] = field(default_factory=lambda: {"temperature_c": 40.0})

    @property
    def format(self):
        return WebFormat(self.pixels.shape[1], 1, 8, "recorded")

    def read_into(self, buffer):
        line = self.line
        if line >= len(self.pixels):
            return None
        for lost in self.lost:
            if lost.first == line:
                self.line = lost.end
                return LineLoss("cam0", line, lost.size, GapReason.CAMERA_LOSS, line)
        stops = (*self.seams, *(lost.first for lost in self.lost), len(self.pixels))
        end = min(line + len(buffer), *(stop for stop in stops if stop > line))
        buffer[: end - line] = self.pixels[line:end]
        flags = LineFlag.SEAM if line in self.seams else LineFlag.NONE
        self.line = end
        valid = end - line
        return LineBlock("cam0", line, buffer[:valid], valid, end, flags, self.masked)

    def close(self):
        self.closed += 1


def web(lines, depth=60, margin="white", **fields):
    left = wandering(lines, depth, fields.pop("amplitude", 0), 4000)
    return edged_web(left, left, COLUMNS, margin, **fields)


def read_all(source, block_lines):
    """Everything that comes; the buffer is the same each time, as of a caller that has but one."""
    buffer, items = np.empty((block_lines, COLUMNS), np.uint8), []
    while (item := source.read_into(buffer)) is not None:
        items.append(item)
    return items


def edged(recorded, edges=AUTO):
    return EdgedSource(recorded, EdgePlan.of(edges, WEB))


def delivered(pixels, block_lines, edges=AUTO, **fields):
    return read_all(edged(Recorded(pixels, block_lines, **fields), edges), block_lines)


def by_line(items, lines):
    """What is said of each line: masked intervals, or the reason of its loss."""
    said = [None] * lines
    for item in items:
        if isinstance(item, LineLoss):
            count, what = item.line_count, item.reason
        else:
            count, what = item.valid_lines, item.masked
        for line in range(item.first_line, item.first_line + count):
            assert said[line] is None
            said[line] = what
    return said


def test_margins_are_masked_from_the_first_line_on():
    seen = web(700)
    for item in delivered(seen.pixels, 256):
        left, right = item.masked
        assert 60 <= left.end <= 60 + GUARD_PX
        assert 60 <= COLUMNS - right.first <= 60 + GUARD_PX
        assert (left.first, right.end) == (0, COLUMNS)


@settings(max_examples=15, deadline=None)
@given(
    block_lines=st.integers(1, 300),
    amplitude=st.floats(0, 30),
    seams=st.sets(st.integers(1, 899), max_size=2),
    blank=st.tuples(st.integers(0, 900), st.integers(0, 300)),
    lost=st.tuples(st.integers(1, 899), st.integers(0, 60)),
)
def test_the_same_web_gives_the_same_masks_whatever_the_blocks(
    block_lines, amplitude, seams, blank, lost
):
    seen = pierced(web(900, amplitude=amplitude), 5, "white")
    seen.pixels[blank[0] : sum(blank)] = 255
    gaps = (Interval(lost[0], min(sum(lost), 900)),) if lost[1] else ()
    starts = tuple(s for s in sorted(seams) if all(not g.first <= s <= g.end for g in gaps))
    told = [
        by_line(delivered(seen.pixels, lines, seams=starts, lost=gaps), 900)
        for lines in (block_lines, 900)
    ]
    assert told[0] == told[1]
    assert None not in told[0]


@pytest.mark.parametrize("block_lines", [50, 256])
def test_pixels_and_coordinates_are_those_of_the_source(block_lines):
    seen = web(700, amplitude=20)
    for item in delivered(seen.pixels, block_lines, seams=(333,)):
        end = item.first_line + item.valid_lines
        np.testing.assert_array_equal(item.pixels, seen.pixels[item.first_line : end])
        assert bool(item.flags & LineFlag.SEAM) == (item.first_line == 333)


@settings(max_examples=12, deadline=None)
@given(
    margin=st.sampled_from(["white", "black", "bright"]),
    amplitude=st.floats(0, 25),
    seed=st.integers(0, 99),
)
def test_masks_hide_the_margin_and_never_more_than_the_guard(margin, amplitude, seed):
    seen = pierced(web(2000, 70, margin, amplitude=amplitude, seed=seed), 6, margin, seed)
    # Within a group and the two groups by which the median lags the edge wanders on.
    slack = 2 + amplitude * min(2 * np.pi * 2.5 * GROUP_LINES / 4000, 2)
    for item in delivered(seen.pixels, 256):
        lines = slice(item.first_line, item.first_line + item.valid_lines)
        left, right = item.masked[0].end, COLUMNS - item.masked[-1].first
        assert left >= seen.left[lines].max() - slack
        assert left <= seen.left[lines].min() + GUARD_PX + slack
        assert right >= seen.right[lines].max() - slack
        assert right <= seen.right[lines].min() + GUARD_PX + slack


@pytest.mark.parametrize("block_lines", [37, 128, 600])
def test_lines_without_web_are_named_exactly(block_lines):
    seen = web(900)
    seen.pixels[217:600] = 255
    source = edged(Recorded(seen.pixels, block_lines))
    items = read_all(source, block_lines)
    losses = [item for item in items if isinstance(item, LineLoss)]
    assert {loss.reason for loss in losses} == {GapReason.NO_WEB}
    assert losses[0].first_line == 217
    assert losses[-1].first_line + losses[-1].line_count == 600
    assert sum(loss.line_count for loss in losses) == 383
    assert source.health["no_web_lines"] == 383


def test_fixed_margins_and_zones_need_no_edge_and_hold_nothing_back():
    zone = config.IgnoreZone(first_mm=50, end_mm=60, from_m=0.05, to_m=0.1)
    edges = config.Edges(stream="fixed", margin_left_mm=10, margin_right_mm=5.2, ignore=(zone,))
    pixels = np.full((300, COLUMNS), 128, np.uint8)
    recorded = Recorded(pixels, 64)
    source = edged(recorded, edges)
    first = source.read_into(np.empty((64, COLUMNS), np.uint8))
    assert (first.first_line, first.valid_lines, recorded.line) == (0, 64, 64)
    sides = (Interval(0, 20), Interval(COLUMNS - 11, COLUMNS))
    told = by_line([first, *read_all(source, 64)], 300)
    assert told[:100] == [sides] * 100
    assert told[100:200] == [(sides[0], Interval(100, 120), sides[1])] * 100
    assert told[200:] == [sides] * 100
    assert "edge_left_mm" not in source.health


def test_health_says_where_the_edges_are_beside_what_the_source_says():
    source = edged(Recorded(web(512, 60).pixels, 256))
    read_all(source, 256)
    health = source.health
    assert health["temperature_c"] == 40
    assert health["edge_left_mm"] == pytest.approx(30, abs=1)
    assert health["edge_right_mm"] == pytest.approx(170, abs=1)
    assert health["inspected_width_mm"] == pytest.approx(140 - GUARD_PX / 2, abs=GUARD_PX / 2)
    assert health["edge_confidence"] > 0.9


def test_what_the_source_masks_stays_masked_and_is_no_margin():
    pixels = web(256, 60).pixels
    pixels[:, 340:] = pixels[:, 339:340]  # a narrower piece, padded with its last column
    padding = Interval(330, COLUMNS)
    for item in delivered(pixels, 100, masked=(padding,)):
        assert item.masked[-1] == padding
        assert 60 <= item.masked[0].end <= 60 + GUARD_PX
        assert len(item.masked) == 2


def test_a_web_too_narrow_for_edges_is_delivered_as_it_is():
    pixels = np.full((64, 80), 100, np.uint8)
    source = edged(Recorded(pixels, 64))
    item = source.read_into(np.empty((64, 80), np.uint8))
    assert (item.masked, item.valid_lines) == ((), 64)


def test_filler_stays_filler_and_ends_the_piece():
    seen = web(300)

    @dataclass
    class Partial(Recorded):
        def read_into(self, buffer):
            item = super().read_into(buffer)
            if item is None or item.first_line:
                return item
            return replace(item, valid_lines=item.valid_lines - 10, flags=LineFlag.PARTIAL)

    items = read_all(edged(Partial(seen.pixels, 100)), 100)
    filler = [item for item in items if item.valid_lines == 0]
    assert [(f.first_line, len(f.pixels)) for f in filler] == [(90, 10)]
    told = by_line(items, 300)
    assert [line for line, what in enumerate(told) if what is None] == list(range(90, 100))


def test_it_owns_its_source():
    recorded = Recorded(web(64).pixels, 64)
    source = edged(recorded)
    source.close()
    source.close()
    assert (source.truth, source.format.columns, recorded.closed) == (b"{}", COLUMNS, 2)


ORIGIN = Origin("roll", "cam0", "digest")
GRID = TileGrid(COLUMNS, 128, 112, 16, 8, 16, 16)


@settings(max_examples=25, deadline=None)
@given(
    block_lines=st.integers(20, 300),
    amplitude=st.floats(0, 50),
    blank=st.tuples(st.integers(0, 700), st.integers(0, 200)),
    lost=st.tuples(st.integers(1, 699), st.integers(0, 60)),
    zones=st.lists(
        st.tuples(st.integers(0, 398), st.integers(1, 400), st.integers(0, 600)), max_size=3
    ),
)
def test_inspected_masked_and_not_inspected_are_the_roll(
    block_lines, amplitude, blank, lost, zones
):
    seen = web(700, 60, amplitude=amplitude)
    seen.pixels[blank[0] : sum(blank)] = 255
    gaps = (Interval(lost[0], min(sum(lost), 700)),) if lost[1] else ()
    ignore = tuple(
        config.IgnoreZone(first_mm=c / 2, end_mm=(c + w) / 2, from_m=line / 2000)
        for c, w, line in zones
    )
    edges = config.Edges(stream="auto", guard_mm=6, ignore=ignore)
    source = edged(Recorded(seen.pixels, block_lines, lost=gaps), edges)
    state, rows = start_tiling(ORIGIN, GRID), []
    for item in read_all(source, block_lines):
        state, more = cut(state, item)
        rows += more
    rows += finish(state)[1]
    count = np.zeros((700, COLUMNS), int)
    for row in rows:
        ledger = row.ledger
        lines = slice(ledger.first_line, ledger.first_line + ledger.line_count)
        for masked in ledger.masked:
            count[lines, masked.first : masked.end] += 1
        settled = {tile.lane for tile in row.tiles} | {gap.lane for gap in row.gaps}
        assert len(settled) == len(row.tiles) + len(row.gaps)
        for lane, columns in enumerate(ledger.lane_columns):
            assert (lane in settled) != stitching.is_masked(ledger, lane)
            seen_here = count[lines, columns.first : columns.end]
            seen_here[seen_here == 0] += 1  # web of a lane with a verdict to come
            assert sum(stitching.lane_area(ledger, lane)) == columns.size * ledger.line_count
        for tile in row.tiles:
            core = Interval(tile.first_column, tile.first_column + tile.column_count)
            hidden = covered(intersect_intervals(ledger.masked, core))
            assert covered(tile.masked) == hidden < core.size
    assert (count == 1).all()


def test_health_of_edges_that_were_seen_can_be_sent():
    source = edged(Recorded(web(700).pixels, 256))
    read_all(source, 256)
    beat = Heartbeat("capture", "capture", StageState.RUNNING, 1, 0, 0, 0, figures=source.health)
    assert source.health["edge_confidence"] > 0
    assert {type(figure) for figure in source.health.values()} == {float}
    assert wire.decode(wire.encode(beat)) == beat


class Standing(Recorded):
    """A live source whose web stands after its last line."""

    def read_into(self, buffer):
        found = super().read_into(buffer)
        empty = np.empty((0, COLUMNS), np.uint8)
        return found or LineBlock("cam0", len(self.pixels), empty, 0, 0)


def test_a_web_that_stands_does_not_hold_the_reader():
    seen = web(300).pixels
    source, buffer = edged(Standing(seen, 100)), np.empty((100, COLUMNS), np.uint8)
    items = [source.read_into(buffer) for _ in range(6)]
    assert sum(len(item.pixels) for item in items) == GROUP_LINES
    assert [len(item.pixels) for item in items[-3:]] == [0, 0, 0]
    assert {item.first_line for item in items[-3:]} == {GROUP_LINES}
    # What waited for the rest of its group comes first when the web goes on.
    source._source.pixels = np.concatenate([seen, web(300).pixels])
    rest = [source.read_into(buffer) for _ in range(6)]
    lines = [item for item in rest if len(item.pixels)]
    assert lines[0].first_line == GROUP_LINES
    firsts = [item.first_line for item in lines]
    ends = [item.first_line + item.valid_lines for item in lines]
    assert firsts[1:] == ends[:-1]


@pytest.mark.parametrize(("left", "right"), [(200, 0), (0, 500), (100, 100)])
def test_margins_that_leave_no_web_are_refused(left, right):
    edges = config.Edges(stream="fixed", margin_left_mm=left, margin_right_mm=right)
    lines = Recorded(np.zeros((64, COLUMNS), np.uint8), 64)
    with pytest.raises(ValueError, match="must leave some of the 400 columns of the web"):
        EdgedSource(lines, EdgePlan.of(edges, WEB))
