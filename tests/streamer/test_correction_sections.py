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
