"""What is done to pixels: what the sections take, and what they refuse with a reason."""

import pytest
from pydantic import ValidationError

from streamer.correction_sections import Correction, Edges, IgnoreZone, Light


def test_nothing_is_done_to_a_stream_unless_told():
    assert not Light().is_on
    assert Edges().stream == "off"
    assert Correction().light == Correction().background == "slow"


@pytest.mark.parametrize(
    "keys", [{"black_level": 3}, {"lamp_drift": "slow"}, {"file": "light.safetensors"}]
)
def test_light_is_on_when_there_is_something_to_do(keys):
    assert Light(**keys).is_on


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"digest": "0" * 64}, "digest needs file"),
        ({"black_level": 76}, "less than or equal to 75"),
        ({"maintenance_percent": 100}, "less than 100"),
        ({"web_level": 0}, "greater than 0"),
    ],
)
def test_light_that_cannot_be_is_refused(keys, text):
    with pytest.raises(ValidationError, match=text):
        Light(**keys)


def test_a_zone_reaches_to_the_end_of_the_roll_unless_told():
    assert IgnoreZone(first_mm=1, end_mm=2).to_m is None
    with pytest.raises(ValidationError, match="end_mm must be > first_mm = 2"):
        IgnoreZone(first_mm=2, end_mm=2)


@pytest.mark.parametrize(
    ("key", "largest"),
    [("first_mm", 1e5), ("end_mm", 1e5), ("from_m", 1e7), ("to_m", 1e7)],
)
def test_a_zone_beyond_any_web_is_refused(key, largest):
    zone = {"first_mm": 0, "end_mm": 5, key: 1e308}
    with pytest.raises(ValidationError, match=f"{key}\n.*less than or equal to {largest:.0f}"):
        IgnoreZone.model_validate(zone)


@pytest.mark.parametrize("key", ["margin_left_mm", "margin_right_mm", "selvedge_mm", "guard_mm"])
def test_margins_beyond_any_web_are_refused(key):
    with pytest.raises(ValidationError, match=f"{key}\n.*less than or equal to 100000"):
        Edges.model_validate({"stream": "auto", key: 1e308})
