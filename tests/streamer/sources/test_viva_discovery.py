"""Cameras are found by address or serial number, without taking control from anybody."""

import pytest
import viva_genicam as viva
from viva_genicam.testing import FakeGigeCamera, FakeU3vCamera

from streamer.camera_sections import GenicamSource
from streamer.sources.camera_port import CameraFault
from streamer.sources.viva_discovery import find_device, list_cameras, read_serial


def test_a_camera_is_listed_and_found_by_address_and_serial():
    with FakeGigeCamera() as device:
        (found,) = list_cameras("127.0.0.1", None)
        by_address = find_device(GenicamSource(address="127.0.0.1"))
        by_serial = find_device(GenicamSource(serial="VIVA-FAKE-001"))
        assert device.controller() is None
    assert (found.serial, found.state) == ("VIVA-FAKE-001", "answers")
    assert by_address.ip == by_serial.ip == "127.0.0.1"


def test_both_address_and_serial_must_fit():
    wrong = GenicamSource(address="127.0.0.1", serial="OTHER")
    with FakeGigeCamera(), pytest.raises(CameraFault) as fault:
        find_device(wrong)
    assert "source.address 127.0.0.1 and source.serial OTHER must be" in str(fault.value)


def test_another_address_is_not_listed():
    with FakeGigeCamera():
        assert list_cameras("127.0.0.77", None) == []


def test_a_usb_camera_that_is_not_there_is_a_fault():
    with pytest.raises(CameraFault, match="source.serial U1 must be a camera that answers"):
        find_device(GenicamSource(transport="usb3", serial="U1"))


def test_serial_numbers_are_read_on_both_transports():
    with (
        FakeGigeCamera() as device,
        viva.connect_gige(device.device_info(), monitor=True) as camera,
    ):
        assert read_serial(camera) == "VIVA-FAKE-001"
    with FakeU3vCamera().connect() as usb:
        assert isinstance(read_serial(usb), str)
