"""A camera library that is not there is a fault with the command that installs it."""

import pytest

from streamer.sources.camera_port import CameraFault
from streamer.sources.installed import require_installed


def test_what_is_there_passes_and_what_is_not_is_explained():
    require_installed("genicam", "numpy", "camera")
    with pytest.raises(
        CameraFault, match=r"source.kind genicam must have the package no-such"
    ) as e:
        require_installed("genicam", "no_such", "camera")
    assert 'pip install "linescan[camera]"' in str(e.value)
