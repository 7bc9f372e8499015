"""Network cameras: a real RTSP server and an HTTP one show a moving web, go away and come back."""

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.config import SimulatorSource, Web
from streamer.config_file import load_config
from streamer.message import LineBlock, LineLoss
from streamer.sources import open_source
from streamer.sources.displacement import LEAST_OVERLAP
from streamer.sources.line_buffer import new_buffer
from streamer.sources.simulator import SimulatedWeb
from tests.system.conftest import free_port

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

COLUMNS, LINES, STEP = 320, 240, 40  # 25 pictures a second: the web runs at 1000 lines a second
SYSTEM_PYTHON = "/usr/bin/python3"
RTSP = Path(__file__).parent / "rtsp_server.py"
NEEDS = "import gi; gi.require_version('GstRtspServer', '1.0')"


@pytest.fixture(scope="module")
def web():
    """(file for the servers, pixels) of a simulated web of 4 m."""
    source = SimulatedWeb(SimulatorSource(columns=COLUMNS, length_m=4, clean_m=1), Web(), 0)
    blocks = []
    while (block := source.read_into(new_buffer(source.format, 500))) is not None:
        blocks.append(block.pixels[: block.valid_lines].copy())
    return np.concatenate(blocks)


@pytest.fixture
def rtsp(web, tmp_path):
    """Starts the RTSP camera; returns (address, process)."""
    if subprocess.run([SYSTEM_PYTHON, "-c", NEEDS], capture_output=True, check=False).returncode:
        reason = "needs Debian's gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-ugly"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    file = tmp_path / "web.raw"
    file.write_bytes(f"columns {COLUMNS}\n".encode() + web.tobytes())
    started, port = [], free_port()

    def start():
        command = [SYSTEM_PYTHON, str(RTSP), str(port), str(file), str(LINES), str(STEP)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        started.append(process)
        assert process.stdout.readline() == b"ready\n"
        return f"rtsp://127.0.0.1:{port}/web", process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def open_stream(address):
    """1000 lines a second are expected: 30 m/min at 0.5 mm."""
    settings = ("source.kind=stream", f"source.address={address}", "source.allow_lossy=true")
    config = load_config(None, (*settings, "web.web_speed_m_min=30", "source.reconnect_s=0.2"))
    return open_source(config.source, config.web)


def read(source, until):
    """Pieces up to the first one for which `until` is true."""
    pieces = []
    while not pieces or not until(pieces[-1]):
        piece = source.read_into(new_buffer(source.format, 256))
        assert piece is not None
        if isinstance(piece, LineLoss) or piece.valid_lines:
            pieces.append(piece)
    return pieces


def place_on_web(web, pixels):
    """The web line that the first row of `pixels` shows, by least squares."""
    row = pixels[: min(len(pixels), 16)].astype(np.float32)
    errors = [np.abs(web[n : n + len(row)] - row).mean() for n in range(len(web) - len(row))]
    return int(np.argmin(errors)), min(errors)


def check_consecutive(web, blocks):
    """Blocks show the web one after the other: each line once, none left out, to a line or two.

    Where a picture shares nothing with the one before it, for this machine was too slow to take
    those between, its place is only known by time.
    """
    place, error = place_on_web(web, blocks[0].pixels)
    for before, block in pairwise(blocks):
        known, (place, error) = place, place_on_web(web, block.pixels)
        assert error < 12  # compression
        shared = LINES - block.valid_lines
        moved = block.first_line - before.first_line
        assert abs(place - known - moved) <= (2 if shared > LEAST_OVERLAP else 2 + 0.1 * moved)


def test_rtsp_pictures_become_the_lines_of_the_web_and_a_dead_camera_a_gap(rtsp, web):
    address, camera = rtsp()
    source = open_stream(address)
    try:
        assert (source.format.columns, source.format.channels) == (COLUMNS, 1)
        pieces = read(source, lambda piece: piece.first_line > 1500)
        check_consecutive(web, [p for p in pieces if isinstance(p, LineBlock)])
        health = source.health
        assert health["connected"] == 1
        assert health["unsure"] <= 0.2 * health["pictures"]
        camera.kill()
        camera.wait()
        while source.health["connected"]:
            source.read_into(new_buffer(source.format, 256))
        rtsp()
        pieces = read(source, lambda piece: isinstance(piece, LineLoss))
        loss = pieces[-1]
        assert loss.reason.value == "camera_loss"
        assert loss.line_count > 500
        after = read(
            source, lambda piece: piece.first_line > loss.first_line + loss.line_count + 600
        )
        assert after[0].first_line == loss.first_line + loss.line_count
        check_consecutive(web, [p for p in after if isinstance(p, LineBlock)])
        assert source.health["reconnects"] >= 1
    finally:
        source.close()


def test_a_line_inspects_an_rtsp_camera_until_it_is_stopped(rtsp, start_line):
    address, _ = rtsp()
    settings = {f"source__{n}": None for n in ("columns", "length_m", "clean_m", "defects_per_m")}
    line = start_line(
        source__kind="stream",
        source__address=address,
        source__allow_lossy=True,
        web__web_speed_m_min=30,
        **settings,
    )
    line.wait_for_lines(1000)
    line.process.terminate()
    code, _, err = line.finish()
    assert code == 0, err + line.log()
    manifest = line.manifest()
    coverage = manifest["totals"]["coverage"]
    assert coverage["is_exact"]
    assert coverage["not_inspected_px"] == {}
    assert manifest["totals"]["lines"] >= 1000


class Jpegs(BaseHTTPRequestHandler):
    """Motion JPEG: one picture after the other, each STEP lines further."""

    protocol_version = "HTTP/1.0"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        for first in range(0, len(self.server.web) - LINES, STEP):
            picture = self.server.web[first : first + LINES]
            data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
            head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + data + b"\r\n")
            except OSError:
                return
            if self.server.pause.wait(1 / 25):
                return

    def log_message(self, *_):
        pass


@pytest.fixture
def jpegs(web):
    """The address of an HTTP camera."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Jpegs)
    server.daemon_threads = True
    server.web, server.pause = web, threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/web.mjpg"
    server.pause.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_pictures_over_http_become_the_lines_of_the_web(jpegs, web):
    source = open_stream(jpegs)
    try:
        pieces = read(source, lambda piece: piece.first_line > 1200)
    finally:
        source.close()
    check_consecutive(web, [p for p in pieces if isinstance(p, LineBlock)])


def test_a_camera_that_is_not_there_is_explained(start_line):
    settings = {f"source__{n}": None for n in ("columns", "length_m", "clean_m", "defects_per_m")}
    line = start_line(
        source__kind="stream",
        source__address=f"rtsp://127.0.0.1:{free_port()}/web",
        source__allow_lossy=True,
        **settings,
    )
    code, _, err = line.finish()
    assert code == 3, err
    assert "source.address must show a picture within 10 s, got none from rtsp://127.0.0.1" in err
