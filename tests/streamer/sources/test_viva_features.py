"""Features by name and type, read from the camera and not from what was read before."""

import pytest
import viva_genicam as viva
from viva_genicam.testing import FakeGigeCamera

from streamer.sources.viva_features import VivaFeatures


@pytest.fixture
def features():
    with FakeGigeCamera() as device, viva.connect_gige(device.device_info()) as camera:
        yield VivaFeatures(camera)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Width", 320),
        ("ExposureTime", 250.5),
        ("PixelFormat", "Mono16"),
        ("ChunkModeActive", True),
        ("DeviceUserID", "left"),
    ],
)
def test_each_type_is_written_and_read_back(features, name, value):
    assert features.has(name)
    features.write(name, value)
    assert features.read(name) == value


def test_a_whole_number_may_be_given_as_a_real_one_and_a_command_is_executed(features):
    features.write("Width", 320.0)
    assert features.read("Width") == 320
    features.write("UserSetLoad", True)
    assert features.read("UserSetLoad") is None


def test_what_the_camera_refuses_is_a_value_error_with_what_it_takes(features):
    with pytest.raises(ValueError, match="4096"):
        features.write("Width", 100_000)
    with pytest.raises(ValueError, match="Nothing"):
        features.write("PixelFormat", "Nothing")
    with pytest.raises(ValueError, match="SensorWidth"):
        features.write("SensorWidth", 5)
    assert features.allowed("Width") == "16 to 4096"
    assert features.allowed("PixelFormat") == "Mono8, Mono16"
    assert features.allowed("DeviceUserID") == ""


def test_features_that_are_not_there(features):
    assert not features.has("NoSuchFeature")
    assert not features.has("ChunkFrameID")  # nothing to read before a frame with chunks
