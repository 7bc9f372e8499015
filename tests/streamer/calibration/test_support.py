import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.calibration.support import for_people, support_of


def test_the_rule_of_three() -> None:
    support = support_of(600.0, 0.3)
    assert support.metres_needed == pytest.approx(998.6, abs=0.1)
    assert support.metres_missing == pytest.approx(398.6, abs=0.1)
    assert support.smallest_rate_per_100m == pytest.approx(0.499, abs=1e-3)
    assert not support.is_enough
    assert support.sentence(0.3) == (
        "0.3 per 100 m needs 399 m more; 600 m support 0.5 per 100 m at 95% confidence"
    )


def test_how_far_the_level_goes_beyond_what_was_seen() -> None:
    support = support_of(1.5, 1.0, dependence=2.0)
    assert support.extrapolation == pytest.approx(133.3, abs=0.1)
    assert support.sentence(1.0).endswith("the level goes 133 times beyond what was seen")


def test_enough_is_said_so() -> None:
    support = support_of(2000.0, 0.3)
    assert support.metres_missing == 0
    assert support.sentence(0.3) == "0.3 per 100 m is supported by 2000 m at 95% confidence"


def test_figures_for_people() -> None:
    assert [for_people(f) for f in (0.346, 6.0, 12.6, 7990.3)] == ["0.35", "6", "13", "7990"]


def test_nothing_seen_supports_nothing() -> None:
    support = support_of(0.0, 1.0)
    assert support.smallest_rate_per_100m == support.extrapolation == float("inf")


@given(st.floats(0.1, 1e5), st.floats(0.01, 100.0), st.floats(1.0, 50.0))
def test_what_is_needed_supports_exactly_the_rate(metres: float, rate: float, joint: float) -> None:
    needed = support_of(metres, rate, joint).metres_needed
    assert support_of(needed, rate, joint).smallest_rate_per_100m == pytest.approx(rate)
    assert support_of(needed * 1.001, rate, joint).is_enough
    assert not support_of(needed * 0.999, rate, joint).is_enough


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ((-1.0, 1.0), "metres must be >= 0, got -1.0"),
        ((1.0, 0.0), "false_alarms_per_100m must be > 0, got 0.0"),
        ((1.0, 1.0, 0.5), "dependence must be >= 1, got 0.5"),
    ],
)
def test_wrong_figures_are_refused(arguments: tuple[float, ...], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        support_of(*arguments)
