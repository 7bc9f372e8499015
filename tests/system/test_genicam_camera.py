"""Our client against another implementation of GigE Vision: Aravis' camera shows our own web."""

import ctypes
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from streamer.camera_sections import GenicamSource
from streamer.sources.camera_port import CameraFault
from streamer.sources.frame import Frame, FrameBreak

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from aravis_camera import LIBRARY, frame_index, woven_frames  # noqa: E402

COLUMNS, LINES, SHOWN = 2048, 512, 16
SMALL = {"columns": 256, "lines": 128, "frames": 16}


@pytest.fixture(scope="session")
def aravis():
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        if os.environ.get("CI") == "true":
            pytest.fail("libaravis-0.8-0 must be installed in CI")
        pytest.skip("libaravis-0.8-0 is not installed")


@pytest.fixture
def start_camera(aravis):
    """Starts Aravis' camera in a process of its own; none outlives the test."""
    started = []

    def start(**options) -> subprocess.Popen:
        arguments = [f"--{name}={value}" for name, value in options.items()]
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "tools" / "aravis_camera.py"), *arguments],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        started.append(process)
        assert "streaming" in process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def open_camera(**keys):
    from streamer.sources.genicam_viva import open_genicam

    return open_genicam(GenicamSource(address="127.0.0.1", **keys))


def kill(process):
    process.kill()
    process.wait(10)


def read(camera, count, limit_s=30.0):
    items, deadline = [], time.monotonic() + limit_s
    while len(items) < count and time.monotonic() < deadline:
        item = camera.read_frame(0.2)
        if item is not None:
            items.append(item)
    assert len(items) == count, f"{len(items)} of {count}: {camera.health}"
    return items


def shown_index(frame):
    """Which of the shown frames this one must be: its id counts on over the wrap without 0."""
    return frame_index((frame.frame_id - 1) % 65535 + 1) % SHOWN


def test_every_frame_arrives_byte_for_byte_and_in_order_over_the_wrap_of_its_id(start_camera):
    true = woven_frames(COLUMNS, LINES, SHOWN)
    start_camera(columns=COLUMNS, lines=LINES, frames=SHOWN, fps=50)
    with closing(open_camera(columns=COLUMNS, frame_lines=LINES)) as camera:
        assert camera.format.columns == COLUMNS
        for number, frame in enumerate(read(camera, 160)):
            assert isinstance(frame, Frame)
            assert frame.frame_id == 65401 + number
            assert frame.valid_lines == LINES
            assert np.array_equal(frame.pixels, true[shown_index(frame)])
        assert camera.health["underruns"] == 0
        assert camera.health["frames"] == 160


def test_no_pixel_of_a_lossy_link_is_taken_that_did_not_arrive(start_camera):
    true = woven_frames(COLUMNS, LINES, SHOWN)
    start_camera(columns=COLUMNS, lines=LINES, frames=SHOWN, fps=10, lose=1)
    with closing(open_camera(packet_size=1500)) as camera:
        frames = [item for item in read(camera, 30) if isinstance(item, Frame)]
        for frame in frames:
            shown = true[shown_index(frame)]
            assert np.array_equal(frame.pixels[: frame.valid_lines], shown[: frame.valid_lines])
        partial = [frame.valid_lines for frame in frames if frame.valid_lines < LINES]
        assert len(partial) > 5
        assert max(partial) > 0
        assert camera.health["incomplete_frames"] >= len(partial)
        ids = [frame.frame_id for frame in frames]
        assert ids == sorted(set(ids))


def test_a_camera_that_is_killed_and_restarted_goes_on_after_a_break(start_camera):
    first = start_camera(**SMALL, fps=40)
    true = woven_frames(SMALL["columns"], SMALL["lines"], SMALL["frames"])
    with closing(open_camera(stall_s=0.5, reconnect_max_s=0.5)) as camera:
        before = read(camera, 5)
        kill(first)
        items, deadline = [], time.monotonic() + 20
        while camera.health["connected"] and time.monotonic() < deadline:
            items += [item for item in (camera.read_frame(0.2),) if item is not None]
        assert not camera.health["connected"]
        assert isinstance(items[-1], FrameBreak)
        last_id = [item.frame_id for item in [*before, *items] if isinstance(item, Frame)][-1]
        start_camera(**SMALL, fps=40)
        # While it is away a break says so each second, each from the end of the one before.
        since_ns = items[-1].captured_ns
        while isinstance(back := read(camera, 1)[0], FrameBreak):
            assert back.since_ns == since_ns
            since_ns = back.captured_ns
        frames = [back, *read(camera, 4)]
        assert since_ns > items[-1].captured_ns
        # The camera counts from its start again, and nothing of before is delivered again.
        assert frames[0].frame_id in range(65401, 65401 + 8)
        assert last_id >= before[-1].frame_id
        for frame in frames:
            assert frame.captured_ns >= since_ns - 500_000_000
            assert np.array_equal(frame.pixels, true[shown_index(frame)])
        assert camera.health["reconnects"] == 1


def test_a_cable_that_is_pulled_is_noticed_in_time_and_the_reader_is_never_held_up(start_camera):
    """A camera whose process is stopped answers as one without a cable: not at all."""
    device = start_camera(**SMALL, fps=20)
    with closing(open_camera(stall_s=0.5, reconnect_max_s=0.5)) as camera:
        read(camera, 3)
        device.send_signal(signal.SIGSTOP)
        stopped_s, items, longest_s = time.monotonic(), [], 0.0
        while camera.health["connected"] and time.monotonic() < stopped_s + 20:
            asked_s = time.monotonic()
            items.append(camera.read_frame(0.2))
            longest_s = max(longest_s, time.monotonic() - asked_s)
        noticed_s = time.monotonic() - stopped_s
        device.send_signal(signal.SIGCONT)
        last = [item for item in items if isinstance(item, Frame)][-1:]
        seen = [item for item in read(camera, 6) if isinstance(item, Frame)]
        assert noticed_s < 4.0
        assert longest_s < 3.0
        assert camera.health["reconnects"] == 1
        assert all(frame.frame_id > last[0].frame_id for frame in seen if last)


def test_a_camera_that_comes_late_can_be_waited_for(start_camera):
    with pytest.raises(CameraFault, match="must be a camera that answers"):
        open_camera()
    started_s = time.monotonic()
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from streamer.camera_sections import GenicamSource as S\n"
            "from streamer.sources.genicam_viva import open_genicam\n"
            "camera = open_genicam(S(address='127.0.0.1', wait_for_camera_s=30))\n"
            "print(camera.format.description)\n"
            "camera.close()\n",
        ],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    time.sleep(2.0)
    start_camera(**SMALL)
    out, _ = process.communicate(timeout=60)
    assert out.strip() == "Aravis Fake WOVEN1"
    assert time.monotonic() - started_s >= 2.0


CAMERA_LINE = {
    "source.kind": "genicam",
    "source.address": "127.0.0.1",
    "source.stall_s": 0.5,
    "source.reconnect_max_s": 0.5,
    "tiles.overload": "drop_oldest",
    "web.web_speed_m_min": 15.36,  # 4 frames a second
}
SIMULATED = ("source.columns", "source.length_m", "source.clean_m", "source.defects_per_m")


@pytest.fixture
def start_camera_line(start_line):
    """A small line whose source is the camera."""
    settings = {name.replace(".", "__"): value for name, value in CAMERA_LINE.items()}
    return lambda: start_line(without=SIMULATED, **settings)


def test_a_line_inspects_what_a_camera_streams_and_names_its_absence(
    start_camera_line, start_camera
):
    first = start_camera(**SMALL, fps=4)
    line = start_camera_line()
    line.wait_for_lines(512, 120)
    kill(first)
    time.sleep(2.0)
    start_camera(**SMALL, fps=4)
    line.wait_for_lines(6000, 120)
    line.process.send_signal(signal.SIGTERM)
    code, out, err = line.finish()
    manifest = line.manifest()
    coverage = manifest["totals"]["coverage"]
    assert coverage["is_exact"], err
    assert coverage["not_inspected_px"]["camera_loss"] > 0
    assert coverage["inspected_px"] > 1536 * SMALL["columns"]
    assert manifest["camera_health"]["reconnects"] == 1
    assert manifest["camera_health"]["frames"] > 12
    assert manifest["outcome"] == "stopped on request"
    assert code in (0, 5)
    assert line.leftovers() == []


def test_a_line_stops_when_asked_while_its_camera_is_away(start_camera_line, start_camera):
    camera = start_camera(**SMALL, fps=8)
    line = start_camera_line()
    line.wait_for_lines(256, 120)
    kill(camera)
    time.sleep(2.0)
    asked_s = time.monotonic()
    line.process.send_signal(signal.SIGTERM)
    code, out, err = line.finish()
    assert time.monotonic() - asked_s < 30
    assert code in (0, 5), err
    manifest = line.manifest()
    assert manifest["totals"]["coverage"]["is_exact"]
    assert manifest["outcome"] == "stopped on request"
    assert manifest["camera_health"]["connected"] == 0
    assert line.leftovers() == []


def test_a_capture_that_is_killed_loses_the_web_that_passed_meanwhile(
    start_camera_line, start_camera
):
    start_camera(**SMALL, fps=4)
    line = start_camera_line()
    line.wait_for_lines(1024, 120)
    capture = line.wait_for("capture")
    killed_s, killed_at = time.monotonic(), line_end(line)
    capture.kill()
    again = line.until(
        lambda: (new := line.children().get("capture")) and new.pid != capture.pid and new,
        "new capture",
        60,
    )
    line.wait_for_lines(killed_at + 4096, 120)
    passed_lines = 512 * (time.monotonic() - killed_s)
    # The roll has kept up with the web, but for how far inspection lags at either moment.
    assert abs(line_end(line) - killed_at - passed_lines) < 1024
    assert again.is_running()
    line.process.send_signal(signal.SIGTERM)
    _, _, err = line.finish()
    manifest = line.manifest()
    coverage = manifest["totals"]["coverage"]
    assert coverage["is_exact"], err
    lost_lines = coverage["not_inspected_px"]["camera_loss"] / SMALL["columns"]
    assert 512 < lost_lines < passed_lines  # what the dead capture had not finished is among them
    log = "\n".join(path.read_text() for path in (line.folder / "logs").glob("*.log"))
    assert "by elapsed time; capture was restarted" in log
    assert line.leftovers() == []


def line_end(line) -> int:
    """Last line that the defect log knows to be inspected."""
    with closing(
        sqlite3.connect(f"file:{line.folder / 'defects.sqlite'}?mode=ro", uri=True)
    ) as log:
        return log.execute("SELECT max(end_line) FROM coverage").fetchone()[0] or 0


def test_a_line_without_its_camera_does_not_start(start_camera_line, aravis):
    line = start_camera_line()
    code, _, err = line.finish()
    assert code == 3
    assert "source.address 127.0.0.1 must be a camera that answers" in err
    assert "linescan cameras" in err
    assert not line.folder.exists()
