"""The section of grade and cut plan: its lengths in steps, and what it refuses."""

import pytest
from pydantic import ValidationError

from streamer.config import Config, Grading, PieceRange
from streamer.grading import GradingRules


def test_its_constants_are_those_of_the_standard():
    given, rules = Grading(), GradingRules()
    assert given.sizes_in == rules.sizes_in
    assert given.hole_classes == rules.hole_classes
    assert given.hole_in == rules.hole_in
    assert given.most_points_per_yard == rules.most_points_per_yard


def test_a_range_has_every_step():
    grading = Grading(pieces=PieceRange(min_m=0.95, max_m=1.3), resolution_m=0.1)
    assert grading.lengths_cells == (10, 11, 12, 13)


def test_a_list_has_its_lengths_alone_and_null_none():
    assert Grading(pieces=(20, 50.5)).lengths_cells == (200, 505)
    assert Grading(pieces=None).lengths_cells == ()


def test_it_decides_no_verdict():
    assert Config(grading=Grading(limit_per_100m2=1)).digest == Config().digest


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"sizes_in": (3, 9, 6)}, "sizes_in must be ascending, got"),
        ({"pieces": (20.05,)}, "pieces must be multiples of resolution_m = 0.1, got 20.05"),
        ({"pieces": ()}, "at least 1 item"),
        ({"pieces": {"min_m": 5, "max_m": 4}}, "max_m must be >= min_m = 5, got 4"),
        ({"pieces": {"min_m": 1, "max_m": 2000}}, "must span less than 10000"),
        ({"pieces": {"min_m": 1.01, "max_m": 1.02}}, "must hold a multiple of resolution_m"),
        ({"resolution_m": 0}, "greater than or equal to 0.01"),
        ({"most_points_per_yard": 0}, "greater than or equal to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(given, text):
    with pytest.raises(ValidationError, match=text):
        Grading(**given)
