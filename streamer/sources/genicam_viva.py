"""GigE Vision and USB3 Vision through viva-genicam; knows no web and no reconnecting."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import viva_genicam as viva

from streamer.sources.camera_port import CameraFault, Grab, ImageFormat
from streamer.sources.camera_settings import apply_settings
from streamer.sources.errand import Errand
from streamer.sources.frame_queue import FrameQueue
from streamer.sources.genicam import GenicamCamera
from streamer.sources.viva_discovery import find_device, read_serial
from streamer.sources.viva_features import VivaFeatures

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streamer.camera_sections import GenicamSource

_LOG = logging.getLogger(__name__)
_NO_FRAME = "timeout"  # how the library's text begins when no frame came in time
_CONTROL_REGISTER = 0x0A00  # GigE Vision: control channel privilege; 0: nobody has it
_PACKET_REGISTER = 0x0D04  # GigE Vision: flags and packet size of stream channel 0
_TEMPERATURE_EVERY_S = 10.0
_COUNT_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class VivaDriver:
    """Opens the camera that the settings name."""

    settings: GenicamSource

    def open(self) -> VivaSession:
        """See CameraDriver."""
        device = find_device(self.settings)
        interface = self.settings.interface
        try:
            if isinstance(device, viva.GigeDeviceInfo):
                camera = viva.connect_gige(device, iface=interface)
            else:
                camera = viva.connect_u3v(device)
        except viva.GenicamError as error:
            raise _held(self.settings, error) from None
        try:
            return VivaSession(camera, self.settings)
        except BaseException:
            camera.close()
            raise


def _held(settings: GenicamSource, error: Exception) -> CameraFault:
    name = settings.address or settings.serial
    return CameraFault(
        f"source.kind genicam must be able to control the camera {name}, got: {error}; "
        "is it in use by another program, or did one end a moment ago?"
    )


def open_genicam(settings: GenicamSource, web_rate_hz: float | None = None) -> GenicamCamera:
    """The configured camera; see GenicamCamera for `web_rate_hz` and what is raised."""
    return GenicamCamera(VivaDriver(settings), settings, settings.camera, web_rate_hz)


class VivaSession:
    """A camera that streams; its frames are taken in a thread of their own."""

    def __init__(self, camera: viva.Camera, settings: GenicamSource) -> None:
        """Set the camera and start it.

        Raises:
            CameraFault: it does not answer.
            ValueError: it does not take a setting.
        """
        self._camera = camera
        self._settings = settings
        self._features = VivaFeatures(camera)
        self._temperature: float | None = None
        try:
            for note in apply_settings(self._features, settings):
                _LOG.warning("%s", note)
            self._image = _image_format(camera)
            self._description = self._describe()
            self._stream = self._open_stream()
        except viva.GenicamError as error:
            msg = f"the camera must answer while it is set up, got: {error}"
            raise CameraFault(msg) from None
        self._stats, self._counted_s = self._stream.stats(), time.monotonic()
        self._frames: FrameQueue[viva.Frame] | None = None
        self._ask_temperature()

    @property
    def description(self) -> str:
        """Vendor, model and serial number."""
        return self._description

    @property
    def image(self) -> ImageFormat:
        """As read back."""
        return self._image

    def start(self) -> None:
        """See CameraSession."""
        try:
            self._camera.acquisition_start()
        except viva.GenicamError as error:
            msg = f"the camera must start, got: {error}"
            raise CameraFault(msg) from None
        self._frames = FrameQueue(self._fetch, self._settings.buffer_frames)

    def grab(self, timeout_s: float) -> Grab | None:
        """See CameraSession."""
        taken = self._frames.take(timeout_s) if self._frames else None
        if taken is None:
            return None
        frame, arrived_ns = taken
        return Grab(
            frame.block_id,
            arrived_ns,
            frame.height,
            frame.width,
            frame.pixel_format,
            frame.payload(),
            frame.is_complete,
            frame.padding_x,
            self._counters(frame),
        )

    def require_alive(self) -> None:
        """See CameraSession; a camera that was restarted no longer knows who controls it."""
        self._require_control()
        try:
            if self._settings.transport == "usb3":
                self._camera.invalidate("Width")
                self._camera.get_integer("Width")
                return
            privilege = self._camera.read_register(_CONTROL_REGISTER)
        except viva.GenicamError as error:
            msg = f"the camera does not answer ({error})"
            raise CameraFault(msg) from None
        if not any(privilege):
            msg = "the camera was restarted: it no longer knows who controls it"
            raise CameraFault(msg)

    def _require_control(self) -> None:
        if self._settings.transport == "gige" and self._camera.control_state != "Held":
            msg = "control of the camera was lost (unplugged, or taken by another program)"
            raise CameraFault(msg)

    def figures(self) -> Mapping[str, float]:
        """See CameraSession."""
        self._require_control()
        stats, dropped = self._stats, self._frames.dropped if self._frames else 0
        found = {
            "missing_packets": float(stats.packets_missing),
            "missed_frames": float(stats.frames_missed),
            "resends_requested": float(stats.resend_requested),
            "resends_recovered": float(stats.resend_recovered),
            "transfer_errors": float(stats.transfer_errors),
            "underruns": float(stats.frames_backpressure + dropped),
            "unsupported_frames": float(stats.frames_unsupported),
            "link_mb_s": stats.avg_mbps / 8,
            "packet_bytes": float(self._packet_bytes),
        }
        return found | dict(self._measured_temperature())

    def close(self) -> None:
        """See CameraSession."""
        has_ended = self._frames is None or self._frames.stop()
        for step in (self._camera.acquisition_stop, self._stream.close, self._camera.close):
            try:
                step()
            except viva.GenicamError as error:
                _LOG.info("a camera that is away cannot be closed in order: %s", error)
        if not has_ended:
            _LOG.warning("the thread that takes frames has not ended")

    def _describe(self) -> str:
        names = ("DeviceVendorName", "DeviceModelName")
        parts = [str(self._features.read(name)) for name in names if self._features.has(name)]
        return " ".join((*parts, read_serial(self._camera)))

    def _open_stream(self) -> viva.FrameStream:
        chosen = self._settings
        size = chosen.packet_size
        stream = self._camera.stream(
            iface=chosen.interface,
            packet_size=size if isinstance(size, int) else None,
            auto_packet_size=size == "auto",
            packet_delay_ns=chosen.packet_delay_ns,
            resend=chosen.resend,
            deliver_incomplete=True,
        )
        self._packet_bytes = 0
        if chosen.transport == "gige":
            register = self._camera.read_register(_PACKET_REGISTER)
            self._packet_bytes = int.from_bytes(register, "big") & 0xFFFF
        return stream

    def _fetch(self, timeout_s: float) -> viva.Frame | None:
        """Runs in the thread that takes frames: the stream bears no second one, for figures too."""
        now_s = time.monotonic()
        if now_s - self._counted_s >= _COUNT_EVERY_S:
            self._stats, self._counted_s = self._stream.stats(), now_s
        try:
            frame = self._stream.next_frame(int(timeout_s * 1000))
        except viva.GenicamError as error:
            if str(error).startswith(_NO_FRAME):
                return None
            msg = f"the stream broke off ({error})"
            raise CameraFault(msg) from None
        if frame is None:
            msg = "the stream has ended"
            raise CameraFault(msg)
        return frame

    def _counters(self, frame: viva.Frame) -> dict[str, int]:
        wanted = self._settings.chunks.names
        if not wanted or frame.chunks is None:
            return {}
        found = self._camera.chunk_features(frame)
        return {n: int(value, 0) for n in wanted if isinstance(value := found.get(n), str)}

    def _measured_temperature(self) -> Iterator[tuple[str, float]]:
        """The last one; a camera that is away must not hold up whoever asks for figures."""
        asked = self._asked_temperature
        if asked.wait(0.0):
            self._temperature = asked.result()
            if time.monotonic() - self._asked_s >= _TEMPERATURE_EVERY_S:
                self._ask_temperature()
        if self._temperature is not None:
            yield "temperature_c", self._temperature

    def _ask_temperature(self) -> None:
        self._asked_s = time.monotonic()
        self._asked_temperature = Errand(self._read_temperature)

    def _read_temperature(self) -> float | None:
        try:
            value = self._features.read("DeviceTemperature")
        except viva.GenicamError:
            return None
        return float(value) if isinstance(value, int | float) else None


def _image_format(camera: viva.Camera) -> ImageFormat:
    height, width = camera.get_integer("Height"), camera.get_integer("Width")
    return ImageFormat(height, width, camera.get_enum("PixelFormat"))
