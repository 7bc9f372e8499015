"""The section of the decision by itself: what it takes, and what it refuses and why."""

import pytest
from pydantic import ValidationError

from streamer import config


def test_a_decision_is_checked_by_itself():
    decision = config.Decision(
        severity={"high_area_mm2": 50, "classes": {"hole": "high"}},
        lanes=[{"index": 2, "alarm_factor": 1.5}],
        zones=[{"name": "edge", "cross_first_mm": 0, "cross_end_mm": 20, "alarm_factor": 2}],
        repeats={"mode": False},
    )
    assert decision.severity.classes == {"hole": "high"}
    assert (decision.zones[0].severity_at_most, decision.repeats.mode) == (None, "off")
    assert config.Decision().repeats.mode == "on"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"severity": {"medium_peak": 3}},
            "medium_peak must be <= high_peak = 2.5, got 3",
        ),
        (
            {"zones": [{"name": "edge", "cross_first_mm": 20, "cross_end_mm": 20}]},
            "cross_first_mm must be < cross_end_mm = 20, got 20",
        ),
        (
            {"repeats": {"tolerance_down_mm": 20}},
            "min_period_mm must be >= 4 \\* tolerance_down_mm = 80, got 50",
        ),
        (
            {"repeats": {"max_period_mm": 40}},
            "max_period_mm must be >= min_period_mm = 50, got 40",
        ),
        ({"lanes": [{"index": -1, "alarm_factor": 1}]}, "greater than or equal to 0"),
        ({"severity": {"classes": {"hole": "worst"}}}, "'low', 'medium' or 'high'"),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused(settings, text):
    with pytest.raises(ValidationError, match=text):
        config.Decision(**settings)
