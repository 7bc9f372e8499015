"""Where lines come from: what a source's section takes, and what it refuses with a reason."""

import pytest
from pydantic import TypeAdapter, ValidationError

from streamer.source_sections import (
    ReplaySource,
    SideCamera,
    SimulatorSource,
    Source,
    StreamSource,
)

SOURCE = TypeAdapter(Source)
STREAM = {"kind": "stream", "address": "rtsp://camera/live", "allow_lossy": True}


@pytest.mark.parametrize(
    ("content", "section"),
    [
        ({"kind": "simulator"}, SimulatorSource),
        ({"kind": "replay", "path": "web"}, ReplaySource),
        (STREAM, StreamSource),
    ],
)
def test_the_kind_chooses_the_section(content, section):
    assert type(SOURCE.validate_python(content)) is section


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"allow_lossy": False}, "allow_lossy must be true for a network stream, got false"),
        ({"address": "rtsp://op:secret@camera/live"}, "address must hold no user and password"),
        ({"address": "camera/live"}, "address"),
        ({"address": "/dev/sda"}, "address"),
        ({"motion": "sideways"}, "motion"),
        ({"columns": 5}, "columns"),
    ],
)
def test_a_stream_that_cannot_be_is_refused(change, text):
    with pytest.raises(ValidationError, match=text):
        SOURCE.validate_python(STREAM | change)


def test_a_device_is_not_compressed():
    assert not StreamSource(address="/dev/video0").allow_lossy


def test_a_further_camera_stands_to_the_right():
    assert SideCamera(source=SimulatorSource(), first_mm=10).later_mm == 0
    with pytest.raises(ValidationError, match="first_mm"):
        SideCamera(source=SimulatorSource(), first_mm=0)
