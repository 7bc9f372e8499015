"""Features through GenApi's own implementation: read from the camera, written by their type."""

from pathlib import Path

import genicam
import pytest
from harvesters.core import Harvester

from streamer.sources.gentl_features import GentlFeatures

PRODUCER = Path(genicam.__file__).parent / "viky.cti"


@pytest.fixture
def features():
    harvester = Harvester()
    harvester.add_file(str(PRODUCER))
    harvester.update()
    acquirer = harvester.create(0)
    yield GentlFeatures(acquirer.remote_device.node_map)
    acquirer.destroy()
    harvester.reset()


def test_features_are_written_read_back_and_refused(features):
    features.write("Width", 320.0)
    assert features.read("Width") == 320
    features.write("PixelFormat", "Mono8")
    assert features.read("PixelFormat") == "Mono8"
    assert features.has("Height")
    assert not features.has("NoSuchFeature")
    assert features.allowed("PixelFormat") == "RGBa8, Mono8"
    assert " to " in features.allowed("Width")
    with pytest.raises(ValueError, match=r"\S"):
        features.write("Width", 10_000_000)
    with pytest.raises(ValueError, match=r"\S"):
        features.write("PixelFormat", "Nothing")
