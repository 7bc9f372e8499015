"""The vocabulary: every message refuses what it could not mean."""

import dataclasses

import numpy as np
import pytest

from streamer import message as m
from streamer import protocol as p

PIXELS = np.zeros((16, 16), np.uint8)
TILE = m.Tile("r", "c", 1, 2, 0, 8, 0, 8, m.Halo(2, 2, 2, 2), PIXELS, 5, "digest")
SCORES = np.zeros((2, 3), np.float32)
MAP = m.ScoreMap("r", "c", 1, 2, 0, 9, 16, 17, 8, SCORES, 0.0, 1.0, "p", "m", 1, 2, "w")
BLOCK = m.LineBlock("c", 0, PIXELS, 16, 1)


def test_require_names_rule_and_value():
    m.require(True, "x must be 1", 1)
    with pytest.raises(ValueError, match=r"^x must be 1, got 'two'$"):
        m.require(False, "x must be 1", "two")


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4), np.uint16),
        np.zeros((4, 4, 3), np.uint8),
    ],
)
def test_pixels_may_be_mono_or_rgb_in_both_depths(pixels):
    m.require_pixels("x", pixels)


@pytest.mark.parametrize(
    ("pixels", "text"),
    [
        (np.zeros((4, 4), np.float32), "x must be uint8 or uint16, got dtype"),
        (np.zeros((4, 4), np.int8), "x must be uint8 or uint16"),
        (np.zeros(4, np.uint8), r"x must be \(lines, columns\) or .*, got \(4,\)"),
        (np.zeros((4, 4, 4), np.uint8), r"got \(4, 4, 4\)"),
    ],
)
def test_other_arrays_are_no_pixels(pixels, text):
    with pytest.raises(ValueError, match=text):
        m.require_pixels("x", pixels)


def test_an_interval_is_half_open_and_may_be_empty():
    assert m.Interval(3, 7).size == 4
    assert m.Interval(3, 3).size == 0
    assert m.Interval(1, 9) < m.Interval(2, 3)


@pytest.mark.parametrize("ends", [(-1, 2), (3, 2)])
def test_an_interval_never_runs_backwards_or_below_zero(ends):
    with pytest.raises(ValueError, match="interval must have 0 <= first <= end"):
        m.Interval(*ends)


def test_a_block_knows_its_width_and_may_be_all_filler():
    assert BLOCK.columns == 16
    assert dataclasses.replace(BLOCK, valid_lines=0).valid_lines == 0


def test_a_tile_may_have_more_pixels_than_core_and_halo_but_not_fewer():
    assert TILE.address == m.TileAddress("c", 1, 2)
    dataclasses.replace(TILE, line_count=12)


def test_a_score_map_covers_its_core_on_the_grid():
    assert MAP.address == m.TileAddress("c", 1, 2)
    assert MAP.evidence is None


@pytest.mark.parametrize(
    ("whole", "changes", "text"),
    [
        (BLOCK, {"first_line": -1}, "LineBlock.first_line must be >= 0, got -1"),
        (BLOCK, {"valid_lines": 17}, "LineBlock.valid_lines must be within the pixels, got 17"),
        (BLOCK, {"valid_lines": -1}, "LineBlock.valid_lines must be within the pixels, got -1"),
        (TILE, {"lane": -1}, "Tile address must be >= 0"),
        (TILE, {"sequence": -1}, "Tile address must be >= 0"),
        (TILE, {"line_count": 0}, "Tile core must not be empty"),
        (TILE, {"column_count": 0}, "Tile core must not be empty"),
        (TILE, {"line_count": 13}, r"Tile.pixels must hold core and halo, got \(16, 16\)"),
        (TILE, {"column_count": 13}, "Tile.pixels must hold core and halo"),
        (MAP, {"scores": SCORES.astype(np.float64)}, "scores must be float32, got dtype"),
        (MAP, {"line_count": 17}, r"scores must be \(3, 3\), got \(2, 3\)"),
        (MAP, {"column_count": 25}, r"scores must be \(2, 4\), got \(2, 3\)"),
        (MAP, {"alarm_level": 0.0}, "alarm_level must be > background"),
        (MAP, {"alarm_level": float("nan")}, "alarm_level must be > background"),
        (MAP, {"alarm_level": float("inf")}, "levels must be finite"),
        (MAP, {"background": float("-inf")}, "levels must be finite"),
    ],
)
def test_nonsense_is_refused(whole, changes, text):
    with pytest.raises(ValueError, match=text):
        dataclasses.replace(whole, **changes)


def holed(column, value=float("nan")):
    scores = np.zeros((2, 3), np.float32)
    scores[1, column] = value
    return scores


@pytest.mark.parametrize(
    ("column", "masked"),
    [(0, (0, 24)), (0, (20, 22)), (1, (20, 25)), (2, (32, 33)), (2, (0, 99))],
)
def test_a_score_may_be_missing_where_its_cell_touches_a_mask(column, masked):
    changes = {"scores": holed(column), "masked": (m.Interval(*masked),)}
    assert np.isnan(dataclasses.replace(MAP, **changes).scores).sum() == 1
    for value in (np.inf, -np.inf):
        with pytest.raises(ValueError, match="scores must be finite where there is web, got 1"):
            dataclasses.replace(MAP, **{**changes, "scores": holed(column, value)})


@pytest.mark.parametrize("masked", [(), (0, 16), (0, 24), (32, 40), (26, 26)])
def test_a_score_of_web_must_be_a_number(masked):
    masked = (m.Interval(*masked),) if masked else ()
    with pytest.raises(ValueError, match="scores must be finite where there is web"):
        dataclasses.replace(MAP, scores=holed(1), masked=masked)


@pytest.mark.parametrize("count", [0, -1])
def test_what_says_how_much_is_lost_names_at_least_one_line(count):
    with pytest.raises(ValueError, match="LineLoss.line_count must be > 0"):
        m.LineLoss("c", 0, count, m.GapReason.CAMERA_LOSS, 0)
    with pytest.raises(ValueError, match="Gap.line_count must be > 0"):
        m.Gap("r", "c", 0, 0, 1, 0, count, m.GapReason.CAMERA_LOSS)
    with pytest.raises(ValueError, match="Gap.tile_count must be > 0"):
        m.Gap("r", "c", 0, 0, count, 0, 1, m.GapReason.CAMERA_LOSS)


def test_a_ledger_row_has_lines_and_lanes():
    lanes = (m.Interval(0, 16),)
    p.LedgerRow("r", "c", 0, 0, 1, True, lanes, (), 1)
    with pytest.raises(ValueError, match="LedgerRow.line_count must be > 0, got 0"):
        p.LedgerRow("r", "c", 0, 0, 0, True, lanes, (), 1)
    with pytest.raises(ValueError, match="LedgerRow must have a lane"):
        p.LedgerRow("r", "c", 0, 0, 1, True, (), (), 1)


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_a_halo_is_not_negative(side):
    with pytest.raises(ValueError, match="halo must be >= 0 on every side"):
        m.Halo(**{side: -1})


@pytest.mark.parametrize("whole", [BLOCK, TILE, MAP, m.Halo(), m.Interval(0, 1), p.Resume(0, 0)])
def test_messages_are_immutable_and_hold_nothing_else(whole):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(whole, dataclasses.fields(whole)[0].name, 3)
    assert not hasattr(whole, "__dict__")


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (m.DefectState, {"new", "update", "end"}),
        (m.AlarmKind, {"defect", "not_inspected", "system"}),
        (
            m.GapReason,
            {
                "camera_loss", "partial_frame", "overload", "worker_lost", "timeout", "overspeed",
                "no_web", "corrupt_input", "engine_error", "too_short",
            },
        ),
    ],
)  # fmt: skip
def test_names_that_others_read_do_not_change(kind, names):
    assert {member.value for member in kind} == names


def test_flags_of_a_block_combine():
    both = m.LineFlag.PARTIAL | m.LineFlag.SEAM
    assert both & m.LineFlag.SEAM
    assert not both & m.LineFlag.REVERSE


def test_a_block_gives_the_web_whether_or_not_a_correction_is_due():
    raw = np.arange(24, dtype=np.uint8).reshape(4, 6)

    def negative(lines, first, memory):
        memory[:] = 255 - lines[:, first : first + memory.shape[1]]

    plain = m.LineBlock("cam0", 0, raw, 4, 1)
    due = m.LineBlock("cam0", 0, raw, 4, 1, correction=negative)
    part = slice(1, 3), m.Interval(2, 5)
    assert np.shares_memory(plain.corrected(*part), raw)
    assert np.array_equal(due.corrected(*part), 255 - plain.corrected(*part))
    for block in (plain, due):
        memory = np.zeros((2, 3), np.uint8)
        block.copy_into(memory, part[0], 2)
        assert np.array_equal(memory, block.corrected(*part))
    assert np.array_equal(due.pixels, raw)
