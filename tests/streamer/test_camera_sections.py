"""Camera sections: a camera is named, values are typed, silence is judged by the trigger."""

import pytest
from pydantic import ValidationError

from streamer.camera_sections import ChunkNames, GenicamSource
from streamer.config import Config


def source(**keys):
    return GenicamSource(address="192.168.1.20", **keys)


def test_a_camera_must_be_named():
    with pytest.raises(ValidationError, match=r"address or serial must be set.*linescan cameras"):
        GenicamSource()
    with pytest.raises(ValidationError, match="address must be null for usb3"):
        source(transport="usb3")
    assert GenicamSource(transport="usb3", serial="U1").address is None


@pytest.mark.parametrize(
    "keys",
    [
        {"packet_size": 100},
        {"packet_size": "large"},
        {"exposure_us": 0},
        {"columns": 0},
        {"stall_s": 0},
        {"features": {"Gain": None}},
        {"chunks": {"lines": "ChunkLine"}},
    ],
)
def test_values_outside_their_range_are_refused(keys):
    with pytest.raises(ValidationError):
        source(**keys)


def test_feature_values_keep_their_type():
    given = {"Mode": "On", "Flag": True, "Count": 3, "Rate": 2.5}
    kept = source(features=given).features
    assert {name: (type(value), value) for name, value in kept.items()} == {
        name: (type(value), value) for name, value in given.items()
    }
    assert list(kept) == list(given)


@pytest.mark.parametrize(
    ("keys", "may_stand"),
    [
        ({}, False),
        ({"trigger_source": "Line1"}, True),
        ({"trigger_source": False}, False),  # YAML reads a bare off so
        ({"encoder_source_a": "Line2"}, True),
        ({"trigger_source": "Line1", "silence": "loss"}, False),
        ({"silence": "standing"}, True),
    ],
)
def test_silence_is_a_standing_web_only_behind_a_trigger(keys, may_stand):
    assert source(**keys).web_may_stand is may_stand


def test_chunk_names_are_listed_once():
    names = ChunkNames(
        frame="ChunkFrameID", encoder_first="ChunkEncoder", encoder_last="ChunkEncoder"
    )
    assert names.names == ("ChunkFrameID", "ChunkEncoder")


def test_the_whole_configuration_takes_a_camera_and_its_settings_decide_the_digest():
    def config(**keys):
        content = {"kind": "genicam", "address": "10.0.0.2", **keys}
        return Config.model_validate({"source": content})

    assert isinstance(config().source, GenicamSource)
    assert config().source.pace == "fast"
    assert config().digest != config(exposure_us=20.0).digest
    assert Config.model_validate(config(gain=1).model_dump(mode="json")) == config(gain=1)
