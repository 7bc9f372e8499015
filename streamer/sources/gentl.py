"""Cameras behind a vendor's GenTL producer through harvesters; knows no web, no reconnecting."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genicam import genapi, gentl
from harvesters.core import Harvester

from streamer.sources.camera_port import CameraFault, Grab, ImageFormat
from streamer.sources.camera_settings import apply_settings
from streamer.sources.frame_queue import FrameQueue
from streamer.sources.genicam import GenicamCamera
from streamer.sources.gentl_features import GentlFeatures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamer.camera_sections import GentlSource

_LOG = logging.getLogger(__name__)
_FAULTS = (gentl.GenericException, genapi.GenericException)
_PRODUCER_BUFFERS = 8


@dataclass(frozen=True, slots=True)
class GentlDriver:
    """Opens the camera that the settings name, with a producer of its own."""

    settings: GentlSource

    def open(self) -> GentlSession:
        """See CameraDriver."""
        chosen, harvester = self.settings, Harvester()
        try:
            harvester.add_file(str(chosen.producer), check_existence=True, check_validity=True)
            harvester.update()
            return GentlSession(harvester, self._acquirer(harvester), chosen)
        except (*_FAULTS, OSError) as error:
            harvester.reset()
            if isinstance(error, CameraFault):
                raise
            msg = f"source.producer must open the camera, got: {error} ({chosen.producer})"
            raise CameraFault(msg) from None
        except ValueError:
            harvester.reset()
            raise

    def _acquirer(self, harvester: Harvester) -> Any:
        serials = [one.serial_number for one in harvester.device_info_list]
        wanted = self.settings.serial
        if wanted not in serials:
            msg = (
                f"source.serial {wanted} must be a camera of the producer, got {serials or 'none'}"
            )
            raise CameraFault(msg)
        return harvester.create({"serial_number": wanted})


def open_gentl(settings: GentlSource, web_rate_hz: float | None = None) -> GenicamCamera:
    """The configured camera; see GenicamCamera for `web_rate_hz` and what is raised."""
    return GenicamCamera(GentlDriver(settings), settings, settings.camera, web_rate_hz)


class GentlSession:
    """A camera that streams through a producer; frames are copied out in a thread of their own."""

    def __init__(self, harvester: Harvester, acquirer: Any, settings: GentlSource) -> None:
        """Set the camera.

        Raises:
            ValueError: it does not take a setting.
        """
        self._harvester = harvester
        self._acquirer = acquirer
        self._settings = settings
        self._node_map = acquirer.remote_device.node_map
        self._features = GentlFeatures(self._node_map)
        self._frames: FrameQueue[Grab] | None = None
        self._closed = False
        for note in apply_settings(self._features, settings):
            _LOG.warning("%s", note)
        node_map = self._node_map
        self._image = ImageFormat(
            node_map.Height.value, node_map.Width.value, node_map.PixelFormat.value
        )
        acquirer.num_buffers = _PRODUCER_BUFFERS

    @property
    def description(self) -> str:
        """Vendor, model and serial number."""
        listed = self._harvester.device_info_list
        found = next(one for one in listed if one.serial_number == self._settings.serial)
        return f"{found.vendor} {found.model} {found.serial_number}"

    @property
    def image(self) -> ImageFormat:
        """As read back."""
        return self._image

    def start(self) -> None:
        """See CameraSession."""
        try:
            self._acquirer.start()
        except _FAULTS as error:
            msg = f"the camera must start, got: {error}"
            raise CameraFault(msg) from None
        self._frames = FrameQueue(self._fetch, self._settings.buffer_frames)

    def grab(self, timeout_s: float) -> Grab | None:
        """See CameraSession."""
        taken = self._frames.take(timeout_s) if self._frames else None
        return taken[0] if taken else None

    def require_alive(self) -> None:
        """See CameraSession."""
        try:
            self._features.read("Width")
        except _FAULTS as error:
            msg = f"the camera does not answer ({error})"
            raise CameraFault(msg) from None

    def figures(self) -> Mapping[str, float]:
        """See CameraSession; producers tell of few things."""
        dropped = self._frames.dropped if self._frames else 0
        try:
            lost = self._acquirer.data_streams[0].num_underrun
        except _FAULTS:
            lost = 0
        found = {"underruns": float(dropped + lost)}
        if self._features.has("DeviceTemperature"):
            found["temperature_c"] = float(self._node_map.DeviceTemperature.value)
        return found

    def close(self) -> None:
        """See CameraSession."""
        if self._closed:
            return
        self._closed = True
        if self._frames is not None and not self._frames.stop():
            _LOG.warning("the thread that takes frames has not ended; the producer stays open")
            return
        for step in (self._acquirer.stop, self._acquirer.destroy, self._harvester.reset):
            try:
                step()
            except _FAULTS as error:
                _LOG.info("a camera that is away cannot be closed in order: %s", error)

    def _fetch(self, timeout_s: float) -> Grab | None:
        """Runs in the thread that takes frames; the producer gets its buffer back at once."""
        try:
            with self._acquirer.fetch(timeout=timeout_s) as buffer:
                return self._copy(buffer)
        except gentl.TimeoutException:
            return None
        except _FAULTS as error:
            msg = f"the stream broke off ({error})"
            raise CameraFault(msg) from None

    def _copy(self, buffer: Any) -> Grab:
        """What a producer leaves in place of lost packets is not known: then nothing counts."""
        module, image = buffer.module, self._image
        whole, parts = bool(module.is_complete()), buffer.payload.components
        if not whole or not parts:
            return Grab(
                module.frame_id, time.time_ns(), 0, 0, image.pixel_format, b"", is_complete=False
            )
        part = parts[0]
        return Grab(
            module.frame_id,
            time.time_ns(),
            part.height,
            part.width,
            part.data_format,
            part.data.tobytes(),
            is_complete=True,
            counters=self._counters(),
        )

    def _counters(self) -> dict[str, int]:
        names = self._settings.chunks.names
        return {n: int(self._features.read(n) or 0) for n in names if self._features.has(n)}
