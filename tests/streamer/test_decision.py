"""Decision: streaming hysteresis equals labelling each piece at once; announcements tell a life."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from streamer.decision import (
    MERGED,
    DecisionSettings,
    DecisionState,
    decide,
    finish,
)
from streamer.message import DefectState, RegionMm, Severity
from streamer.severity import SeverityRules
from streamer.web import Strip, WebGeometry
from streamer.zones import Zone

STRIDE = 8
NEW, UPDATE, END = DefectState.NEW, DefectState.UPDATE, DefectState.END


def geometry(columns, pixel_mm=0.5, line_mm=0.25):
    return WebGeometry(columns=columns, pixel_mm=pixel_mm, line_mm=line_mm, speed_m_min=60)


def settings_for(columns, **changes):
    return DecisionSettings(geometry=geometry(columns), **changes)


def strip_of(rows, first_line=0, starts_piece=False, line_count=None, captured_ns=7):
    scores = np.array(rows, dtype=np.float32)
    lines = scores.shape[0] * STRIDE if line_count is None else line_count
    return Strip(first_line, lines, STRIDE, scores, starts_piece, captured_ns)


def run(strips, config):
    """All defects of a roll and the states between the strips."""
    state, found, states = DecisionState(), [], []
    for strip in strips:
        state, defects = decide(state, strip, config)
        found += defects
        states.append(state)
    return [*found, *finish(state, config)], states


def cut(scores, cuts, first_line=0, line_count=None):
    """One piece as strips: cut below the given rows; the last strip may be short."""
    lines = scores.shape[0] * STRIDE if line_count is None else line_count
    edges = [0, *sorted(set(cuts)), scores.shape[0]]
    pairs = [(a, b) for a, b in zip(edges, edges[1:], strict=False) if a < b]
    return [
        Strip(
            first_line + a * STRIDE,
            min(b * STRIDE, lines) - a * STRIDE,
            STRIDE,
            scores[a:b],
            a == 0,
            first_line + b,
        )
        for a, b in pairs
    ]


def labelled_at_once(scores, config, first_line, line_count):
    """The specification: (first_line, end_line, first_mm, end_mm, area, peak, mean) per defect."""
    labels, count = ndimage.label(scores >= np.float32(config.grow_ratio), np.ones((3, 3)))
    web = config.geometry
    expected = []
    for number in range(1, count + 1):
        rows, columns = np.nonzero(labels == number)
        values = scores[rows, columns].astype(float)
        tall = np.minimum((rows + 1) * STRIDE, line_count) - rows * STRIDE
        wide = np.minimum((columns + 1) * STRIDE, web.columns) - columns * STRIDE
        area = float((tall * wide).sum()) * web.pixel_mm * web.line_mm
        if values.max() < 1 or area < config.min_area_mm2:
            continue
        expected.append(
            (
                first_line + int(rows.min()) * STRIDE,
                first_line + min((int(rows.max()) + 1) * STRIDE, line_count),
                int(columns.min()) * STRIDE * web.pixel_mm,
                min((int(columns.max()) + 1) * STRIDE, web.columns) * web.pixel_mm,
                area,
                float(values.max()),
                float(values.mean()),
            )
        )
    return sorted(expected)


def figures(defect):
    box = defect.region
    place = (defect.first_line, defect.end_line, box.cross_first, box.cross_end)
    return (*place, defect.area_mm2, defect.peak, defect.mean)


def settled(defects):
    return sorted(figures(d) for d in defects if d.state is END and d.defect_class != MERGED)


@st.composite
def pieces(draw):
    """Random pieces with gaps, cut at random: (scores, cuts, line_count) each, one web width."""
    columns = draw(st.integers(1, 14))
    density = draw(st.sampled_from([0.05, 0.3, 0.5, 0.7]))
    found = []
    for _ in range(draw(st.integers(1, 3))):
        rows = draw(st.integers(1, 24))
        noise = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        scores = noise.random((rows, columns)) * 0.55
        grown = noise.random(scores.shape) < density
        scores[grown] = noise.uniform(0.6, 1.1, scores.shape)[grown]
        scores[noise.random(scores.shape) < 0.08] = np.nan
        cuts = draw(st.lists(st.integers(0, rows), max_size=6))
        short = draw(st.integers(0, STRIDE - 1))
        found.append((scores.astype(np.float32), cuts, rows * STRIDE - short))
    return found, columns * STRIDE - draw(st.integers(0, STRIDE - 1))


@settings(max_examples=250, deadline=None)
@given(pieces(), st.sampled_from([0.0, 20.0]))
def test_streaming_equals_labelling_each_piece_at_once(roll, min_area_mm2):
    found, columns = roll
    config = settings_for(columns, min_area_mm2=min_area_mm2)
    strips, expected, first_line = [], [], 0
    for scores, cuts, line_count in found:
        strips += cut(scores, cuts, first_line, line_count)
        expected += labelled_at_once(scores, config, first_line, line_count)
        first_line += line_count
    defects, _ = run(strips, config)
    got = settled(defects)
    assert len(got) == len(expected)
    for ours, theirs in zip(got, sorted(expected), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)


@settings(max_examples=150, deadline=None)
@given(pieces())
def test_every_life_is_new_then_updates_then_one_end(roll):
    found, columns = roll
    strips, first_line = [], 0
    for scores, cuts, line_count in found:
        strips += cut(scores, cuts, first_line, line_count)
        first_line += line_count
    defects, _ = run(strips, settings_for(columns, reannounce_m=0.001))
    for identity in {d.id for d in defects}:
        life = [d for d in defects if d.id == identity]
        states = [d.state for d in life]
        assert states == [NEW, *[UPDATE] * (len(life) - 2), END]
        assert all(a.area_mm2 <= b.area_mm2 for a, b in zip(life, life[1:], strict=False))
    assert sorted({d.id for d in defects}) == list(range(1, len({d.id for d in defects}) + 1))


@settings(max_examples=100, deadline=None)
@given(pieces(), st.integers(1, 3))
def test_open_regions_never_exceed_their_limit(roll, limit):
    found, columns = roll
    scores, cuts, line_count = found[0]
    config = settings_for(columns, max_open_regions=limit)
    defects, states = run(cut(scores, cuts, 0, line_count), config)
    assert all(len(state.regions) <= limit for state in states)
    assert all(np.count_nonzero(np.unique(s.last_row)) == len(s.regions) for s in states)
    opened = sorted(d.id for d in defects if d.state is NEW)
    assert opened == sorted(d.id for d in defects if d.state is END)


def test_deciding_leaves_the_given_state_alone():
    config = settings_for(24)
    state, _ = decide(DecisionState(), strip_of([[0, 2, 0]], starts_piece=True), config)
    before = (state.regions, state.last_row.copy(), state.next_id)
    again = [decide(state, strip_of([[0, 2, 0]], first_line=8), config) for _ in range(2)]
    assert (state.regions, state.next_id) == (before[0], before[2])
    assert np.array_equal(state.last_row, before[1])
    assert again[0][1] == again[1][1]
    assert again[0][0].regions == again[1][0].regions


def test_a_defect_in_one_strip_is_announced_and_ended_with_the_same_figures():
    rows = [[0, 0, 0, 0], [0, 0.7, 1.4, 0], [0, 0, 0, 0]]
    (new, end), _ = run([strip_of(rows, starts_piece=True)], settings_for(30))
    assert (new.state, end.state) == (NEW, END)
    assert new.region == end.region == RegionMm(2.0, 4.0, 4.0, 12.0)
    assert (new.first_line, new.end_line) == (8, 16)
    assert new.peak == pytest.approx(1.4)
    assert new.mean == pytest.approx(1.05)
    assert new.area_mm2 == pytest.approx(2 * 64 * 0.5 * 0.25)
    assert new.defect_class == "unknown"


def test_the_last_cells_are_clipped_to_the_web_and_the_strip():
    strip = strip_of([[0, 0], [0, 1]], starts_piece=True, line_count=11)
    defects, _ = run([strip], settings_for(13))
    assert defects[0].region == RegionMm(8 * 0.25, 11 * 0.25, 8 * 0.5, 13 * 0.5)
    assert defects[0].area_mm2 == pytest.approx(3 * 5 * 0.5 * 0.25)


def test_what_only_grows_is_no_defect_however_large():
    defects, states = run([strip_of(np.full((5, 5), 0.99), starts_piece=True)], settings_for(40))
    assert defects == []
    assert len(states[-1].regions) == 1


def test_the_alarm_level_itself_is_a_seed_and_the_grow_level_itself_grows():
    defects, _ = run(
        [strip_of([[1.0, 0.5, 0.499]], starts_piece=True)], settings_for(24, grow_ratio=0.5)
    )
    assert defects[-1].region.cross_end == 16 * 0.5


def test_a_defect_is_announced_in_the_strip_in_which_it_first_qualifies():
    config = settings_for(8, min_area_mm2=2.5 * 64 * 0.125)
    strips = [
        strip_of([[score]], i * 8, i == 0, captured_ns=i)
        for i, score in enumerate([0.7, 1.2, 0.7, 0.0])
    ]
    defects, _ = run(strips, config)
    assert [(d.state, d.captured_ns) for d in defects] == [(NEW, 2), (END, 2)]
    assert defects[0].first_line == 0


def test_a_running_defect_updates_at_once_and_then_every_reannounce_m():
    config = settings_for(8, reannounce_m=0.008)  # 4 strips of 8 lines of 0.25 mm
    defects, _ = run([strip_of([[2.0]], i * 8, i == 0, captured_ns=i) for i in range(12)], config)
    assert [(d.state, d.end_line // 8) for d in defects] == [
        (NEW, 1),
        (UPDATE, 2),
        (UPDATE, 6),
        (UPDATE, 10),
        (END, 12),
    ]
    assert len({d.id for d in defects}) == 1


def test_diagonal_neighbours_connect_across_the_border_of_strips():
    strips = [
        strip_of([[2, 0, 0]], starts_piece=True),
        strip_of([[0, 2, 0]], 8),
        strip_of([[0, 0, 0]], 16),
    ]
    defects, _ = run(strips, settings_for(24))
    assert [d.state for d in defects] == [NEW, UPDATE, END]


def test_nothing_connects_across_a_seam():
    strips = [strip_of([[2, 0]], starts_piece=True), strip_of([[2, 0]], 8, starts_piece=True)]
    defects, _ = run(strips, settings_for(16))
    assert [(d.id, d.state) for d in defects] == [(1, NEW), (1, END), (2, NEW), (2, END)]


def test_a_seam_may_change_the_width_of_the_grid():
    strips = [strip_of([[2, 0]], starts_piece=True), strip_of([[2, 0, 2]], 8, starts_piece=True)]
    assert len(settled(run(strips, settings_for(24))[0])) == 3


def test_nothing_connects_through_what_was_not_inspected():
    nan = np.nan
    rows = [[2, nan, 2], [nan, nan, nan], [2, 0, 0]]
    defects, _ = run([strip_of(rows, starts_piece=True)], settings_for(24))
    assert len(settled(defects)) == 3


def test_the_oldest_announced_defect_survives_a_merge():
    strips = [
        strip_of([[2, 0, 3]], starts_piece=True),
        strip_of([[0.8, 0.8, 0.8]], 8),
        strip_of([[0, 0, 0]], 16),
    ]
    defects, _ = run(strips, settings_for(24))
    story = [(d.id, d.state, d.defect_class) for d in defects]
    assert story == [
        (1, NEW, "unknown"),
        (2, NEW, "unknown"),
        (2, END, MERGED),
        (1, UPDATE, "unknown"),
        (1, END, "unknown"),
    ]
    assert defects[-1].peak == 3
    assert defects[-1].region.cross_end == 12.0


def test_a_merge_is_told_at_once_even_in_the_quiet_metres_of_a_running_defect():
    rows = [[2, 0, 0], [2, 0, 0], [2, 0, 2], [2, 2, 2], [2, 0, 0]]
    strips = [strip_of([row], i * 8, i == 0) for i, row in enumerate(rows)]
    defects, _ = run(strips, settings_for(24, reannounce_m=10))
    updates = [d.end_line // 8 for d in defects if d.id == 1 and d.state is UPDATE]
    assert updates == [2, 4]


def test_an_announced_defect_survives_an_older_one_that_nobody_heard_of():
    strips = [
        strip_of([[0.7, 0, 0]], starts_piece=True),
        strip_of([[0.7, 0, 2]], 8),
        strip_of([[0.7, 0.7, 0.7]], 16),
    ]
    defects, _ = run(strips, settings_for(24))
    assert {d.id for d in defects} == {1}
    assert all(d.defect_class != MERGED for d in defects)
    assert defects[-1].first_line == 0


def test_above_the_limit_the_smallest_open_regions_are_closed():
    strips = [strip_of([[2, 2, 0, 2]], starts_piece=True), strip_of([[2, 0, 0, 2]], 8)]
    defects, _ = run(strips, settings_for(32, max_open_regions=1))
    assert [(d.id, d.state) for d in defects] == [
        (1, NEW),
        (2, NEW),
        (2, END),
        (1, UPDATE),
        (3, NEW),
        (3, END),
        (1, END),
    ]


def test_memory_does_not_grow_with_the_roll():
    noise = np.random.default_rng(3)
    config, state = settings_for(128), DecisionState()
    for number in range(400):
        scores = (noise.random((4, 16)) ** 2).astype(np.float32) * 1.2
        state, _ = decide(state, Strip(number * 32, 32, STRIDE, scores, number == 0, 0), config)
        assert len(state.regions) <= 8  # no more than every second cell of one row
        assert state.last_row.size == 16


def test_a_strip_that_does_not_follow_is_refused():
    config = settings_for(16)
    state, _ = decide(DecisionState(), strip_of([[0, 0]], starts_piece=True), config)
    with pytest.raises(ValueError, match="Strip.first_line must be 8, got 16"):
        decide(state, strip_of([[0, 0]], 16), config)
    with pytest.raises(ValueError, match=r"Strip.scores must have 2 columns, got 3"):
        decide(state, strip_of([[0, 0, 0]], 8), config)
    with pytest.raises(ValueError, match="Strip.line_count must be > 0, got 0"):
        decide(state, strip_of(np.zeros((0, 2)), 8), config)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"grow_ratio": 0.0}, r"grow_ratio must be within \(0, 1\], got 0.0"),
        ({"grow_ratio": 1.5}, r"grow_ratio must be within \(0, 1\], got 1.5"),
        ({"min_area_mm2": -1.0}, "min_area_mm2 must be >= 0, got -1.0"),
        ({"min_length_mm": -1.0}, "min_length_mm must be >= 0, got -1.0"),
        ({"reannounce_m": 0.0}, "reannounce_m must be > 0, got 0.0"),
        ({"max_open_regions": 0}, "max_open_regions must be > 0, got 0"),
    ],
)
def test_settings_refuse_what_makes_no_sense(changes, text):
    with pytest.raises(ValueError, match=text):
        settings_for(8, **changes)


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([[2, 0, 0, 0], [0, 0, 0, 0]], 0),  # 2 mm down-web, 4 mm cross-web
        ([[2, 2, 0, 0], [0, 0, 0, 0]], 1),
        ([[2, 0, 0, 0], [2, 0, 0, 0]], 0),
        ([[2, 0, 0, 0]] * 4, 1),
        ([[0, 0, 0, 0]] * 3 + [[2, 0, 0, 0]], 0),
    ],
)
def test_what_is_shorter_than_the_minimum_both_ways_is_no_defect(rows, count):
    defects, _ = run([strip_of(rows, starts_piece=True)], settings_for(32, min_length_mm=8.0))
    assert len(settled(defects)) == count


def test_a_defect_is_announced_as_soon_as_it_is_long_enough():
    config = settings_for(8, min_length_mm=5.0)  # the third strip of 2 mm makes it 6 mm long
    defects, _ = run([strip_of([[2.0]], i * 8, i == 0, captured_ns=i) for i in range(5)], config)
    assert [(d.state, d.captured_ns) for d in defects] == [(NEW, 2), (UPDATE, 3), (END, 4)]


def test_a_zone_has_its_own_alarm_level_and_peaks_in_its_units():
    config = settings_for(32, zones=(Zone("edge", 0, 8, 2.0), Zone("face", 12, 16, 0.5)))
    strip = strip_of([[1.9, 0, 1.1, 0], [0, 0, 0, 0], [2.4, 0, 0.9, 0.6]], starts_piece=True)
    defects, _ = run([strip], config)
    found = {(d.first_line // 8, d.region.cross_first // 4): d.peak for d in defects}
    assert found == {
        (0, 2): pytest.approx(1.1),
        (2, 0): pytest.approx(1.2),
        (2, 2): pytest.approx(1.2),  # 0.9 grows from the seed of 0.6 / 0.5 beside it
    }


def test_a_higher_severity_is_told_at_once_even_in_the_quiet_metres():
    rules = SeverityRules(high_length_mm=9.0)
    config = settings_for(8, reannounce_m=10, severity=rules)
    peaks = [1.0, 1.0, 1.0, 1.6, 1.6, 1.6]  # strips of 2 mm: 10 mm long with the fifth
    strips = [strip_of([[p]], i * 8, i == 0, captured_ns=i) for i, p in enumerate(peaks)]
    defects, states = run(strips, config)
    told = [(d.state, d.captured_ns) for d in defects]
    assert told == [(NEW, 0), (UPDATE, 1), (UPDATE, 3), (UPDATE, 4), (END, 5)]
    assert [s.regions[0].told for s in states] == [
        *[Severity.LOW] * 3,
        Severity.MEDIUM,
        *[Severity.HIGH] * 2,
    ]
