"""A line whose tiles lie in shared memory: the same verdicts, nothing left whoever is killed."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

SHARED = {"transport__kind": "shared_memory"}
FOLDER = Path("/dev/shm")


def segments(line):
    """Segments that processes of this line have made; their names hold the process."""
    return sorted(
        path.name
        for path in FOLDER.glob("linescan-tiles-cam0-*")
        if int(path.name.split("-")[3]) in line.seen
    )


def watch(line):
    """Note the processes that live now, so that what they leave is known to be theirs."""
    children = line.children()
    assert len(segments(line)) == 1
    return children


def lines_and_loss(line):
    totals = line.manifest()["totals"]
    assert totals["coverage"]["is_exact"]
    return totals["lines"], totals["coverage"]["not_inspected_px"]


def no_segment_within(line, timeout_s):
    deadline = time.monotonic() + timeout_s
    while segments(line) and time.monotonic() < deadline:
        time.sleep(0.1)
    return segments(line) == []


def test_the_verdicts_are_those_of_tiles_that_are_sent(start_line):
    digests = []
    for name, more in (("roll", {}), ("b", SHARED), ("c", SHARED | {"score__workers": 2})):
        line = start_line(roll__name=name, tiles__columns=128, **more)
        if more:
            line.wait_for_lines(500)
            watch(line)
        code, _, err = line.finish()
        assert code == 0, err + line.log()
        assert lines_and_loss(line) == (6000, {})
        assert line.leftovers() == []
        assert segments(line) == []
        assert "found no slot" not in line.log()
        digests.append((line.manifest()["digests"], line.manifest()["profile_digests"]))
    assert digests[0] == digests[1] == digests[2]


def test_a_killed_worker_changes_nothing(start_line):
    digests = []
    for name, kill in (("roll", False), ("b", True)):
        line = start_line(roll__name=name, source__length_m=6.0, **SHARED)
        line.wait_for_lines(1500)
        children = watch(line)
        if kill:
            children["score-0"].send_signal(signal.SIGKILL)
        code, _, err = line.finish()
        assert code == 0, err + line.log()
        assert lines_and_loss(line) == (12000, {})
        assert ("restart 1" in " ".join(err.split())) == kill
        assert line.leftovers() == []
        assert segments(line) == []
        digests.append(line.manifest()["digests"])
    assert digests[0] == digests[1]


def test_a_stopped_worker_is_replaced_and_reads_no_other_pixels(start_line):
    line = start_line(source__length_m=6.0, score__tile_timeout_ms=3000, **SHARED)
    line.wait_for_lines(1500)
    watch(line)["score-0"].send_signal(signal.SIGSTOP)
    code, _, err = line.finish()
    assert code == 0, err + line.log()
    assert lines_and_loss(line) == (12000, {})
    assert "stalled" in err
    assert segments(line) == []


def test_a_killed_capture_gets_a_new_segment_and_the_old_one_is_removed(start_line):
    line = start_line(source__length_m=8.0, **SHARED)
    line.wait_for_lines(2000)
    first = watch(line)["capture"]
    (old,) = segments(line)
    first.send_signal(signal.SIGKILL)

    def another():
        found = line.children() and segments(line)
        return found if found and found != [old] and len(found) == 1 else None

    line.until(another, "a new segment", 60)
    assert old not in segments(line)
    code, out, err = line.finish()
    lines, loss = lines_and_loss(line)
    assert lines == 16000
    assert set(loss) <= {"camera_loss"}
    assert code == (5 if loss else 0), err + line.log()
    assert line.manifest()["capture_starts"] == 2
    assert "capture 1x" in out
    assert "score-0" not in line.manifest().get("restarts", {})
    assert line.leftovers() == []
    assert segments(line) == []


def test_a_capture_that_may_not_be_restarted_leaves_nothing(start_line):
    line = start_line(source__length_m=50.0, supervisor__restarts=0, **SHARED)
    line.wait_for_lines(1500)
    watch(line)["capture"].send_signal(signal.SIGKILL)
    code, _, _ = line.finish()
    assert code != 0
    assert line.leftovers() == []
    assert segments(line) == []


def test_a_killed_parent_leaves_nothing(start_line):
    line = start_line(source__length_m=50.0, **SHARED)
    line.wait_for_lines(1500)
    watch(line)
    line.process.kill()
    line.process.wait()
    deadline = time.monotonic() + 60
    while line.leftovers() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert line.leftovers() == []
    assert segments(line) == []


def test_parent_and_capture_killed_at_once_leave_nothing(start_line):
    """Sink and worker end by themselves and remove what is nobody's."""
    line = start_line(source__length_m=50.0, **SHARED)
    line.wait_for_lines(1500)
    capture = watch(line)["capture"]
    line.process.kill()
    capture.send_signal(signal.SIGKILL)
    line.process.wait()
    assert no_segment_within(line, 60)
    deadline = time.monotonic() + 60
    while line.leftovers() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert [what for what in line.leftovers() if "streamer" in what] == []


def test_all_killed_at_once_the_next_start_removes_the_segment(start_line):
    line = start_line(source__length_m=50.0, **SHARED)
    line.wait_for_lines(1500)
    children = watch(line)
    for process in (psutil.Process(line.process.pid), *children.values()):
        process.send_signal(signal.SIGKILL)
    line.process.wait()
    assert len(segments(line)) == 1  # nobody was left to remove it
    after = start_line(roll__name="after", source__length_m=1.0, source__clean_m=0.5, **SHARED)
    code, _, err = after.finish()
    assert code == 0, err
    assert segments(line) == []


def test_a_signal_drains_and_leaves_nothing(start_line):
    line = start_line(source__length_m=50.0, **SHARED)
    line.wait_for_lines(1500)
    watch(line)
    line.process.send_signal(signal.SIGTERM)
    code, _, err = line.finish()
    assert code == 0, err + line.log()
    assert lines_and_loss(line)[1] == {}
    assert line.leftovers() == []
    assert segments(line) == []


def test_too_little_shared_memory_ends_with_3_before_anything_starts(start_line):
    room = os.statvfs(FOLDER)
    total_mib = room.f_blocks * room.f_frsize >> 20
    capacity = 4096
    assert total_mib < capacity * 64, "this machine has shared memory for the largest line"
    huge = {"source__columns": 4096, "tiles__columns": 4096, "tiles__lines": 16384}
    line = start_line(tiles__capacity=capacity, **huge, **SHARED)
    code, _, err = line.finish()
    text = " ".join(err.split())
    assert code == 3
    for part in ("slots of 65.0 MiB) in /dev/shm, got", "tiles.capacity", "--shm-size"):
        assert part in text
    assert "Traceback" not in err
    assert not line.folder.exists()
    assert line.leftovers() == []


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:5599"])
def test_tiles_over_tcp_are_refused_with_the_reason(start_line, endpoint):
    line = start_line(transport__tiles=endpoint, **SHARED)
    code, _, err = line.finish()
    assert code == 2
    assert "never leave the memory of this host" in " ".join(err.split())
