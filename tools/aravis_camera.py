"""A GigE Vision camera in software, by Aravis, that shows the simulated web over and over."""

from __future__ import annotations

import argparse
import ctypes
import sys
import threading
from typing import Any

import numpy as np

from streamer.config import SimulatorSource, Web
from streamer.sources.simulator import SimulatedWeb

LIBRARY = "libaravis-0.8.so.0"
FIRST_FRAME_ID = 65401  # where Aravis starts, so that its 16 bits wrap soon
IDS = 65535  # ids 1 to 65535; 0 is none
_WIDTH, _HEIGHT, _PERIOD_US = 0x100, 0x104, 0x138  # registers of Aravis' fake camera
_POINTER = ctypes.c_void_p
_FILL = ctypes.CFUNCTYPE(
    None, _POINTER, _POINTER, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32
)


def woven_frames(columns: int, lines: int, frames: int) -> np.ndarray:
    """(frames, lines, columns) uint8 of the simulated web, in order; the same every time."""
    web = Web()
    metres = (frames * lines + 1) * web.down_mm / 1000
    source = SimulatedWeb(SimulatorSource(columns=columns, length_m=metres, seed=3), web)
    pixels = np.empty((frames * lines, columns), np.uint8)
    filled = 0
    while filled < len(pixels):
        block = source.read_into(pixels[filled:])
        filled += block.valid_lines if block else len(pixels)
    return pixels.reshape(frames, lines, columns)


def frame_index(frame_id: int) -> int:
    """How many frames the camera had sent before the one with this id, in its first round."""
    return (frame_id - FIRST_FRAME_ID) % IDS


class AravisCamera:
    """The camera; sends frame n with the pixels of `frames[n % len(frames)]`."""

    def __init__(self, address: str, serial: str, frames: np.ndarray) -> None:
        """Listen on the interface `address`, UDP port 3956.

        Raises:
            OSError: Aravis is not installed, or the port is taken.
        """
        self._aravis = _load()
        self._frames = np.ascontiguousarray(frames)
        self._server = self._aravis.arv_gv_fake_camera_new(address.encode(), serial.encode())
        if not self._server or not self._aravis.arv_gv_fake_camera_is_running(self._server):
            msg = f"address must have UDP port 3956 free, got {address}"
            raise OSError(msg)
        self._camera = self._aravis.arv_gv_fake_camera_get_fake_camera(self._server)
        self._callback = _FILL(self._fill)  # kept, since Aravis only borrows it
        self._set(_WIDTH, frames.shape[2])
        self._set(_HEIGHT, frames.shape[1])
        self._aravis.arv_fake_camera_set_fill_pattern(self._camera, self._callback, None)

    def set_rate(self, frames_per_s: float) -> None:
        """How many frames it sends a second until a client asks for another rate."""
        self._set(_PERIOD_US, round(1e6 / frames_per_s))

    def lose_packets(self, per_thousand: float) -> None:
        """Never send so many of its packets, at random."""
        gobject: Any = ctypes.CDLL("libgobject-2.0.so.0")
        ratio = ctypes.c_double(per_thousand / 1000)
        gobject.g_object_set(_POINTER(self._server), b"gvsp-lost-ratio", ratio, None)

    def _set(self, register: int, value: int) -> None:
        self._aravis.arv_fake_camera_write_register(self._camera, register, value)

    def _fill(self, buffer: int, *_: object) -> None:
        """Called by Aravis in its own thread for each frame."""
        target = self._aravis.arv_buffer_get_data(buffer, None)
        room = self._aravis.arv_fake_camera_get_payload(self._camera)
        number = frame_index(self._aravis.arv_buffer_get_frame_id(buffer))
        shown = self._frames[number % len(self._frames)]
        ctypes.memmove(target, shown.ctypes.data, min(room, shown.nbytes))


def _load() -> Any:
    aravis: Any = ctypes.CDLL(LIBRARY)
    for name, result, arguments in (
        ("arv_gv_fake_camera_new", _POINTER, (ctypes.c_char_p, ctypes.c_char_p)),
        ("arv_gv_fake_camera_is_running", ctypes.c_int, (_POINTER,)),
        ("arv_gv_fake_camera_get_fake_camera", _POINTER, (_POINTER,)),
        ("arv_fake_camera_set_fill_pattern", None, (_POINTER, _FILL, _POINTER)),
        (
            "arv_fake_camera_write_register",
            ctypes.c_int,
            (_POINTER, ctypes.c_uint32, ctypes.c_uint32),
        ),
        ("arv_fake_camera_get_payload", ctypes.c_size_t, (_POINTER,)),
        ("arv_buffer_get_data", _POINTER, (_POINTER, _POINTER)),
        ("arv_buffer_get_frame_id", ctypes.c_uint64, (_POINTER,)),
    ):
        function = getattr(aravis, name)
        function.restype, function.argtypes = result, arguments
    return aravis


def main() -> int:
    """Stream until killed, or until stdin ends when --until-stdin-ends is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="127.0.0.1", help="interface to listen on")
    parser.add_argument("--serial", default="WOVEN1")
    parser.add_argument("--columns", type=int, default=2048)
    parser.add_argument("--lines", type=int, default=512, help="lines of a frame")
    parser.add_argument("--frames", type=int, default=16, help="different frames, shown in turn")
    parser.add_argument("--fps", type=float, default=20.0)
    parser.add_argument("--lose", type=float, default=0.0, help="packets lost of a thousand")
    parser.add_argument("--until-stdin-ends", action="store_true")
    given = parser.parse_args()
    try:
        frames = woven_frames(given.columns, given.lines, given.frames)
        camera = AravisCamera(given.address, given.serial, frames)
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    camera.set_rate(given.fps)
    camera.lose_packets(given.lose)
    print(f"streaming from {given.address}, serial {given.serial}", flush=True)
    if given.until_stdin_ends:
        sys.stdin.read()
    else:
        threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
