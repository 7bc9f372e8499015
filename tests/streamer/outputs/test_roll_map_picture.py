"""The drawn map: what was measured has its colour, what was not can be told apart."""

import io

import numpy as np
import pytest
from PIL import Image

from streamer.message import GapReason
from streamer.outputs.defect_log import LoggedDefect
from streamer.outputs.roll_map_coverage import COVERAGE_CODES
from streamer.outputs.roll_map_picture import (
    BOX_COLOUR,
    LEFT,
    MASKED_COLOUR,
    TOP,
    _legend,
    _legend_places,
    colour_cells,
    colour_scores,
    draw_map,
    length_text,
    nice_step,
)
from streamer.outputs.roll_map_view import MapView, Span

DOWN = Span(0, 5000)


def view(scores, coverage, defects=(), down=DOWN):
    codes = {code: status for status, code in COVERAGE_CODES.items()}
    cross = Span(0, 900)
    return MapView("r7", down, cross, scores, coverage, codes, 0, (4.0, 4.0), tuple(defects))


def plain(shape=(200, 600)):
    return np.zeros(shape, np.float32), np.full(shape, COVERAGE_CODES["inspected"], np.uint8)


def defect(number, down, cross):
    box = down, down + 100.0, cross, cross + 100.0
    return LoggedDefect(number, "end", "low", "unknown", *box, 1.0, 2.0, 1.5, 0, 8, "", None)


def drawn(shown):
    return np.asarray(Image.open(io.BytesIO(draw_map(shown))))


def test_higher_scores_are_brighter():
    grey = colour_scores(np.linspace(0, 2, 64, dtype=np.float32)[None]).mean(axis=-1)[0]
    assert (np.diff(grey) >= 0).all()
    assert grey[-1] - grey[0] > 150
    assert (colour_scores(np.float32([[2.0]])) == colour_scores(np.float32([[9.0]]))).all()


def test_margins_are_grey_and_every_gap_has_its_own_look():
    looks = set()
    for reason in GapReason:
        scores, coverage = plain((40, 40))
        scores[:], coverage[:] = np.nan, COVERAGE_CODES[reason.value]
        looks.add(colour_cells(view(scores, coverage)).tobytes())
    assert len(looks) == len(GapReason)
    scores[:], coverage[:] = np.nan, COVERAGE_CODES["masked"]
    assert (colour_cells(view(scores, coverage)) == MASKED_COLOUR).all()


def test_a_gap_over_scores_leaves_them_to_be_seen_between_its_lines():
    scores, coverage = plain((40, 40))
    coverage[:] = COVERAGE_CODES["timeout"]
    shown = colour_cells(view(scores, coverage))
    typical = colour_scores(np.float32([[0]]))[0, 0]
    share = (shown == typical).all(axis=-1).mean()
    assert 0.5 < share < 0.8


def test_the_map_lies_between_its_axes_and_defects_are_outlined():
    shown = view(*plain(), [defect(1, 1000, 300)])
    picture = drawn(shown)
    assert (picture[TOP + 10, LEFT + 10] == colour_scores(np.float32([[0]]))[0, 0]).all()
    x, y = LEFT + 1000 * 600 / 5000, TOP + 300 * 200 / 900
    assert tuple(picture[round(y + 8), round(x - 2)]) == BOX_COLOUR
    bare = drawn(view(*plain()))
    assert (picture[:TOP, :] != bare[:TOP, :]).any()  # the head counts it


def test_many_defects_in_one_place_are_drawn():
    crowd = [defect(number, 1000 + number, 300) for number in range(1, 200)]
    assert drawn(view(*plain(), crowd)).shape == drawn(view(*plain())).shape


def test_the_legend_names_what_occurs_and_nothing_else():
    scores, coverage = plain()
    assert _legend(view(scores, coverage)) == {}
    for row, status in enumerate(("masked", "camera_loss", "unwritten")):
        scores[row], coverage[row] = np.nan, COVERAGE_CODES[status]
    legend = list(_legend(view(scores, coverage)))
    assert legend == ["not written", "masked", "not inspected: camera loss"]


def test_a_legend_that_is_too_wide_goes_on_below():
    texts = [f"not inspected: {reason.value}" for reason in GapReason]
    places = _legend_places(texts, 700)
    assert [row for _, row in places] == sorted(row for _, row in places)
    assert places[-1][1] > 2
    assert len(set(places)) == len(places)
    scores, coverage = plain()
    for row, reason in enumerate(GapReason):
        coverage[row] = COVERAGE_CODES[reason.value]
    assert drawn(view(scores, coverage)).shape[0] > drawn(view(*plain())).shape[0]


@pytest.mark.parametrize("down", [Span(0, 0.5), Span(0, 1e7), Span(9_999_990, 1e7)])
def test_any_piece_can_be_drawn(down):
    assert drawn(view(*plain(), down=down)).shape[2] == 3


@pytest.mark.parametrize(("span", "most", "step"), [(5, 10, 0.5), (6, 10, 1), (900, 5, 200)])
def test_steps_are_round(span, most, step):
    assert nice_step(span, most) == pytest.approx(step)


def test_lengths_read_well():
    assert [length_text(mm) for mm in (0.5, 200, 1000, 2500)] == [
        "0.5 mm",
        "200 mm",
        "1 m",
        "2.5 m",
    ]
