"""Which cameras answer on the network and on USB, through viva-genicam; opens no stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import viva_genicam as viva

from streamer.sources.camera_port import CameraFault

if TYPE_CHECKING:
    from streamer.camera_sections import GenicamSource

_WAIT_MS = 500
_SERIAL_REGISTER = 0x00D8  # GigE Vision: serial number, 16 bytes of text
_SERIAL_BYTES = 16


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """A camera that answers; `state` is "free", or why it cannot be asked for more."""

    transport: str
    address: str
    vendor: str
    model: str
    serial: str
    state: str


def list_cameras(address: str | None, interface: str | None) -> list[FoundCamera]:
    """Every camera that answers, on loopback too when `address` is given.

    Raises:
        CameraFault: the network cannot be asked.
    """
    found = [
        _look_at(device)
        for device in _gige_devices(interface, everywhere=address is not None)
        if address in (None, device.ip)
    ]
    if address is None:
        found += [
            FoundCamera(
                "usb3",
                one.bus,
                one.manufacturer or "",
                one.model or "",
                one.serial or "",
                "not asked",
            )
            for one in _usb_devices()
        ]
    return found


def find_device(settings: GenicamSource) -> viva.DeviceInfo:
    """The camera that the settings name.

    Raises:
        CameraFault: none answers to that name.
    """
    if settings.transport == "usb3":
        matching = [one for one in _usb_devices() if one.serial == settings.serial]
        if matching:
            return matching[0]
        raise _nobody(settings)
    for device in _gige_devices(settings.interface, everywhere=True):
        by_address = settings.address is not None and device.ip == str(settings.address)
        if settings.address is not None and not by_address:
            continue
        if settings.serial is None or _look_at(device).serial == settings.serial:
            return device
    raise _nobody(settings)


def read_serial(camera: viva.Camera) -> str:
    """The serial number, from the feature or, of a GigE camera, from its own register."""
    for name in ("DeviceSerialNumber", "DeviceID"):
        if camera.node_info(name) is not None:
            return camera.get(name)
    if camera.transport != "gige":
        return ""
    text = camera.read_register(_SERIAL_REGISTER, _SERIAL_BYTES)
    return text.split(b"\0")[0].decode("ascii", "replace")


def _look_at(device: viva.GigeDeviceInfo) -> FoundCamera:
    """Read the serial number without taking control from anybody."""
    vendor, model = device.manufacturer or "", device.model or ""
    try:
        with viva.connect_gige(device, monitor=True) as camera:
            serial, state = read_serial(camera), "answers"
    except viva.GenicamError as error:
        serial, state = "", f"cannot be read: {error}"
    return FoundCamera("gige", device.ip, vendor, model, serial, state)


def _gige_devices(interface: str | None, *, everywhere: bool) -> list[viva.GigeDeviceInfo]:
    try:
        return viva.discover(timeout_ms=_WAIT_MS, iface=interface, all=everywhere)
    except viva.GenicamError as error:
        msg = f"source.interface must be a network interface of this machine, got: {error}"
        raise CameraFault(msg) from None


def _usb_devices() -> list[viva.U3vDeviceInfo]:
    try:
        return viva.discover_u3v()
    except viva.TransportError:  # a machine without USB
        return []


def _nobody(settings: GenicamSource) -> CameraFault:
    named = {"address": settings.address, "serial": settings.serial}
    text = " and ".join(f"source.{key} {value}" for key, value in named.items() if value)
    return CameraFault(
        f"{text} must be a camera that answers, got no answer in {_WAIT_MS} ms; check power, "
        "cable, firewall (UDP 3956) and that camera and interface are on one subnet, then "
        "`linescan cameras`"
    )
