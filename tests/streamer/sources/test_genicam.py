"""The camera across losses: no crash, no stale frame, every loss a break, stop at any time."""

import threading
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.camera_sections import GenicamSource
from streamer.message import GapReason
from streamer.sources.camera_port import CameraFault, Grab, ImageFormat
from streamer.sources.frame import Frame, FrameBreak
from streamer.sources.genicam import GenicamCamera, first_session

IMAGE = ImageFormat(4, 16, "Mono8")
QUICK = {"stall_s": 0.1, "reconnect_max_s": 0.1}


def frame_of(number):
    return Grab(number, 1000 * number, 4, 16, "Mono8", bytes([number % 256]) * 64, is_complete=True)


class PaperSession:
    """Plays its script: a Grab is delivered, None is silence, a CameraFault is raised."""

    description = "Paper camera"

    def __init__(self, script, image=IMAGE, alive=True):
        self.script = list(script)
        self.image = image
        self.alive = alive
        self.closed = 0
        self.started = 0

    def start(self):
        self.started += 1

    def grab(self, timeout_s):
        assert self.started == 1, "a session is started once, before it is asked"
        assert not self.closed, "a closed session is never asked"
        step = self.script.pop(0) if self.script else None
        if isinstance(step, CameraFault):
            raise step
        if step is None:
            time.sleep(min(timeout_s, 0.02))
            return None
        return replace(step, arrived_ns=time.time_ns())

    def require_alive(self):
        if not self.alive:
            msg = "does not answer"
            raise CameraFault(msg)

    def figures(self):
        return {"missing_packets": 1.0, "temperature_c": 40.0}

    def close(self):
        self.closed += 1


class PaperDriver:
    """Opens the scripted sessions in order; an exception among them is raised instead."""

    def __init__(self, *sessions):
        self.sessions = list(sessions)
        self.opened = []

    def open(self):
        given = self.sessions.pop(0) if self.sessions else CameraFault("nobody answers")
        if isinstance(given, Exception):
            raise given
        self.opened.append(given)
        return given


def camera(*sessions, **keys):
    driver = PaperDriver(*sessions)
    chosen = GenicamSource(address="10.0.0.2", **(QUICK | keys))
    return GenicamCamera(driver, chosen, "cam0"), driver


def read(source, count, limit_s=5.0):
    items, deadline = [], time.monotonic() + limit_s
    while len(items) < count and time.monotonic() < deadline:
        item = source.read_frame(0.05)
        if item is not None:
            items.append(item)
    return items


def ids(items):
    return [item.frame_id for item in items if isinstance(item, Frame)]


def test_frames_come_once_and_in_order():
    source, _ = camera(PaperSession(frame_of(n) for n in (1, 2, 3)))
    assert ids(read(source, 3)) == [1, 2, 3]
    assert source.read_frame(0.0) is None
    assert source.format.columns == 16
    assert source.truth == b""
    assert source.health["connected"] == 1
    source.close()


def test_a_camera_sends_nothing_before_the_first_read():
    source, driver = camera(PaperSession([frame_of(1)]))
    assert driver.opened[0].started == 0
    source.read_frame(1.0)
    assert driver.opened[0].started == 1
    source.close()


def test_a_lost_camera_is_two_breaks_and_goes_on():
    lost = PaperSession([frame_of(1), CameraFault("unplugged")])
    source, driver = camera(lost, CameraFault("not yet"), PaperSession([frame_of(9)]))
    items = read(source, 4)
    assert [type(item) for item in items] == [Frame, FrameBreak, FrameBreak, Frame]
    assert ids(items) == [1, 9]
    assert items[1].since_ns == items[0].captured_ns
    assert items[2].since_ns == items[1].captured_ns
    assert items[1].reason is items[2].reason is GapReason.CAMERA_LOSS
    assert "unplugged" in items[1].detail
    assert lost.closed == 1
    assert len(driver.opened) == 2
    source.close()
    assert driver.opened[1].closed == 1


def test_counters_add_up_over_a_reconnect():
    source, _ = camera(PaperSession([CameraFault("away")]), PaperSession([]))
    read(source, 2)
    assert source.health["reconnects"] == 1
    assert source.health["missing_packets"] == 2
    assert source.health["connected"] == 1


def test_while_it_is_away_the_health_says_so():
    source, _ = camera(PaperSession([frame_of(1), CameraFault("away")]))
    read(source, 2)
    assert source.health["connected"] == 0
    assert "temperature_c" not in source.health
    assert source.health["missing_packets"] == 1
    assert source.read_frame(0.01) is None


def test_silence_without_an_answer_is_a_loss():
    source, _ = camera(
        PaperSession([], alive=False), PaperSession([frame_of(7)]), silence="standing"
    )
    items = read(source, 3)
    assert [type(item) for item in items] == [FrameBreak, FrameBreak, Frame]
    assert "does not answer" in items[0].detail


def test_a_standing_web_behind_a_trigger_is_no_loss():
    standing = PaperSession([None] * 20 + [frame_of(2)])
    source, driver = camera(standing, trigger_source="Line1")
    assert ids(read(source, 1)) == [2]
    assert len(driver.opened) == 1
    assert source.health["timeouts"] >= 0


def test_a_free_running_camera_that_answers_and_sends_nothing_is_lost():
    source, driver = camera(PaperSession([]), PaperSession([frame_of(1)]))
    items = read(source, 3)
    assert "although the camera answers" in items[0].detail
    assert ids(items) == [1]
    assert len(driver.opened) == 2


def test_a_camera_that_comes_back_with_another_width_is_not_taken():
    other = PaperSession([frame_of(5)], ImageFormat(4, 32, "Mono8"))
    source, _ = camera(PaperSession([CameraFault("swapped")]), other, PaperSession([frame_of(6)]))
    items = read(source, 3)
    assert ids(items) == [6]
    assert other.closed == 1


def test_a_setting_that_is_refused_on_return_is_tried_again():
    source, _ = camera(
        PaperSession([CameraFault("x")]), ValueError("no"), PaperSession([frame_of(3)])
    )
    assert ids(read(source, 3)) == [3]


def test_a_camera_that_is_absent_at_the_start_is_a_fault_and_a_wrong_setting_an_error():
    with pytest.raises(CameraFault, match="nobody answers"):
        camera()
    with pytest.raises(ValueError, match="no such feature"):
        camera(ValueError("no such feature"), wait_for_camera_s=10)
    unknown = PaperSession([], ImageFormat(4, 16, "Confidence8"))
    with pytest.raises(ValueError, match="got .Confidence8"):
        camera(unknown)
    assert unknown.closed == 1


def test_a_camera_can_be_waited_for():
    driver = PaperDriver(CameraFault("booting"), PaperSession([]))
    assert first_session(driver, 5.0) is driver.opened[0]


def test_close_ends_a_read_and_everything_after_it():
    source, driver = camera(PaperSession([frame_of(1), CameraFault("away")]), reconnect_max_s=60)
    read(source, 2)
    results = []

    def wait():
        try:
            while True:
                source.read_frame(60.0)
        except EOFError as ended:
            results.append(ended)

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.1)
    source.close()
    waiting.join(2.0)
    assert not waiting.is_alive()
    assert len(results) == 1
    source.close()
    assert [session.closed for session in driver.opened] == [1]


STEPS = st.lists(st.sampled_from(["frame", "frame", "silence", "fault"]), max_size=12)


@settings(max_examples=60, deadline=None)
@given(scripts=st.lists(STEPS, min_size=1, max_size=4))
def test_whatever_happens_no_frame_comes_twice_and_every_loss_lies_between(scripts):
    """Sessions number their frames through; after the last one the camera stays away."""
    number, sessions, sent = 0, [], []
    for script in scripts:
        steps = []
        for step in script:
            number += step == "frame"
            steps.append(frame_of(number) if step == "frame" else None)
            if step == "fault":
                steps[-1] = CameraFault("lost")
                break
            if step == "frame":
                sent.append(number)
        sessions.append(PaperSession([*steps, CameraFault("end of script")]))
    source, driver = camera(*sessions, stall_s=60, reconnect_max_s=0.1)
    expected = len(sent) + 2 * len(sessions) - 1
    items = read(source, expected, limit_s=10)
    assert ids(items) == sent
    breaks = [item for item in items if isinstance(item, FrameBreak)]
    assert len(breaks) == 2 * len(sessions) - 1
    assert all(a.captured_ns <= b.since_ns for a, b in zip(breaks, breaks[1:], strict=False))
    assert all(session.closed == 1 for session in driver.opened)
    source.close()


class Deaf(PaperSession):
    """Sends nothing, and every call to it hangs until it is released."""

    released = threading.Event()

    def require_alive(self):
        self.released.wait(10)

    def close(self):
        self.released.wait(10)
        super().close()


def test_a_camera_that_hangs_in_every_call_is_lost_in_time():
    source, _ = camera(Deaf([frame_of(1)]), PaperSession([frame_of(8)]))
    started_s = time.monotonic()
    items = read(source, 4)
    assert time.monotonic() - started_s < 5.0
    assert [type(item) for item in items] == [Frame, FrameBreak, FrameBreak, Frame]
    assert "does not answer within" in items[1].detail
    Deaf.released.set()
    source.close()


def test_a_search_that_hangs_does_not_hold_up_the_reader():
    released = threading.Event()

    class Slow(PaperDriver):
        def open(self):
            if self.opened:
                released.wait(10)
            return super().open()

    late = PaperSession([frame_of(2)])
    driver = Slow(PaperSession([frame_of(1), CameraFault("away")]), late)
    chosen = GenicamSource(address="10.0.0.2", **QUICK)
    source = GenicamCamera(driver, chosen, "cam0")
    read(source, 2)
    started_s = time.monotonic()
    assert source.read_frame(0.05) is None
    assert time.monotonic() - started_s < 2.0
    source.close()
    released.set()
    deadline = time.monotonic() + 5
    while not late.closed and time.monotonic() < deadline:
        time.sleep(0.01)
    assert late.closed == 1


def test_while_it_is_away_what_is_lost_is_told_piece_by_piece(monkeypatch):
    monkeypatch.setattr("streamer.sources.genicam._SAY_EVERY_NS", 50_000_000)
    away = [CameraFault("nobody answers")] * 3
    source, _ = camera(PaperSession([frame_of(1), CameraFault("away")]), *away, PaperSession([]))
    breaks = read(source, 5)[1:]
    assert all(item.is_ongoing for item in breaks[:-1])
    while breaks[-1].is_ongoing:
        breaks += read(source, 1)
    assert breaks[-1].detail == "found again"
    assert {item.detail for item in breaks[:-1]} == {"lost: away"}
    assert all(a.captured_ns == b.since_ns for a, b in zip(breaks, breaks[1:], strict=False))
    source.close()


def test_by_default_a_free_running_camera_that_hangs_is_lost_within_a_second():
    frames = [frame_of(n) for n in range(1, 4)]
    hangs = Deaf(frames)
    hangs.released = threading.Event()
    source, _ = camera(hangs, stall_s=None)
    read(source, 3)
    started_s = time.monotonic()
    (lost,) = read(source, 1)
    assert time.monotonic() - started_s < 1.0
    assert "does not answer within" in lost.detail
    hangs.released.set()
    source.close()
