"""Segments of real shared memory: whole or not there, locked while their owner lives, then gone."""

import os
import signal
import subprocess
import sys
from collections import namedtuple

import numpy as np
import pytest

from streamer.protocol import SEGMENT_PREFIX, Slot
from streamer.transport import segment
from streamer.transport.segment import (
    PAGE_BYTES,
    SegmentError,
    SegmentPlan,
    make_segment,
    open_segment,
    remove_stale_segments,
    require_room,
)

PLAN = SegmentPlan.of_tiles(3, 5000)
MAKE = """
import sys
from streamer.transport.segment import SegmentPlan, make_segment
made = make_segment(SegmentPlan.of_tiles(3, 5000), "other")
made.slot(1, 4)[:] = b"left"
print(made.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def made():
    made = make_segment(PLAN, "test")
    yield made
    made.remove()


@pytest.fixture
def other():
    """Another process with a segment of its own; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAKE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    process.segment = process.stdout.readline().strip()
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    remove_stale_segments()


def path(name):
    return segment.FOLDER / name


def test_slots_begin_at_pages_and_do_not_overlap():
    assert PLAN.slot_bytes == 2 * PAGE_BYTES
    assert PLAN.first_slot == 2 * PAGE_BYTES
    assert PLAN.size_bytes == 8 * PAGE_BYTES
    assert SegmentPlan.of_tiles(65, 1).first_slot == 3 * PAGE_BYTES
    assert str(SegmentPlan(8, 1 << 20)) == "8 slots of 1.0 MiB"


def test_every_page_is_there_from_the_start_and_for_nobody_else(made):
    found = path(made.name).stat()
    assert found.st_size == PLAN.size_bytes
    assert found.st_blocks * 512 >= PLAN.size_bytes  # ftruncate would leave 0
    assert found.st_mode & 0o777 == 0o600
    assert made.name.startswith(f"{SEGMENT_PREFIX}test-{os.getpid()}-")
    assert Slot(made.name, 0, 1, 1).segment == made.name


def test_another_mapping_sees_what_the_owner_writes_and_cannot_write(made):
    seen = open_segment(made.name)
    assert seen.plan == PLAN
    made.slot(2, 5000)[:] = b"x" * 5000
    made.states[2] = 77
    assert bytes(seen.slot(2, 5000)) == b"x" * 5000
    assert bytes(seen.slot(1, 5000)) == bytes(5000)
    assert list(seen.states) == [0, 0, 77]
    assert seen.slot(2, 1).readonly
    with pytest.raises(ValueError, match="read-only"):
        seen.states[0] = 1


def test_what_is_mapped_stays_readable_when_the_name_is_gone(made):
    seen = open_segment(made.name)
    made.slot(0, 3)[:] = b"abc"
    view = np.frombuffer(seen.slot(0, 3), np.uint8)
    made.remove()
    made.remove()
    del seen
    assert bytes(view) == b"abc"
    assert not path(made.name).exists()


def test_a_segment_that_is_gone_is_named(made):
    made.remove()
    with pytest.raises(SegmentError, match=rf"segment must be in /dev/shm .* got {made.name}"):
        open_segment(made.name)


@pytest.mark.parametrize("content", [b"", b"short", bytes(4096), bytes(3 * 4096)])
def test_what_is_no_segment_is_refused(content):
    name = f"{SEGMENT_PREFIX}fake-{os.getpid()}"
    path(name).write_bytes(content)
    try:
        with pytest.raises(SegmentError, match="segment must"):
            open_segment(name)
    finally:
        path(name).unlink()


def test_a_link_to_another_file_is_not_followed(tmp_path):
    name = f"{SEGMENT_PREFIX}link-{os.getpid()}"
    path(name).symlink_to(tmp_path)
    try:
        with pytest.raises(SegmentError, match="must be in"):
            open_segment(name)
        assert name not in remove_stale_segments()
    finally:
        path(name).unlink()


def test_a_segment_of_a_living_owner_is_left_alone(made, other):
    removed = remove_stale_segments()
    assert made.name not in removed
    assert other.segment not in removed
    assert path(other.segment).exists()


def test_a_segment_of_a_killed_owner_is_removed_and_a_reader_survives(other):
    seen = open_segment(other.segment)
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert path(other.segment).exists()
    assert other.segment in remove_stale_segments()
    assert not path(other.segment).exists()
    assert bytes(seen.slot(1, 4)) == b"left"


def test_making_a_segment_removes_those_of_the_dead(other):
    other.send_signal(signal.SIGKILL)
    other.wait()
    make_segment(PLAN, "next").remove()
    assert not path(other.segment).exists()


def test_too_little_room_is_explained_before_anything_is_made():
    huge = SegmentPlan.of_tiles(1000, 1 << 40)
    with pytest.raises(SegmentError) as caught:
        make_segment(huge, "test")
    text = str(caught.value)
    for part in ("1048576001 MiB (1000 slots of", "in /dev/shm, got", "MiB free of",
                 "tiles.capacity", "--shm-size", "kind: sockets"):  # fmt: skip
        assert part in text
    assert list(segment.FOLDER.glob(f"{SEGMENT_PREFIX}*-{os.getpid()}-*")) == []


def test_room_that_is_gone_when_it_is_taken_is_explained_too(monkeypatch):
    """statvfs may promise what a limit of the container or somebody faster takes away."""
    monkeypatch.setattr(segment, "require_room", lambda _: None)
    with pytest.raises(SegmentError, match=r"must find \d+ MiB .* in /dev/shm, got"):
        make_segment(SegmentPlan.of_tiles(1000, 1 << 32), "test")


def test_room_is_what_a_user_may_use(monkeypatch):
    room = namedtuple("Room", "f_frsize f_bavail f_blocks")
    monkeypatch.setattr(segment.os, "statvfs", lambda _: room(4096, 8, 16384))
    require_room(PLAN)
    monkeypatch.setattr(segment.os, "statvfs", lambda _: room(4096, 7, 16384))
    with pytest.raises(SegmentError, match="must find 1 MiB .* got 0 MiB free of 64 MiB"):
        require_room(PLAN)


def test_a_machine_without_shared_memory_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(segment, "FOLDER", tmp_path / "none")
    with pytest.raises(SegmentError, match="which is not there; use transport.kind: sockets"):
        require_room(PLAN)
