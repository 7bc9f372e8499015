"""Segments in /dev/shm: made whole or not at all, gone with their owner; knows no tile."""

# Plain files of /dev/shm, and not `multiprocessing.shared_memory`: its resource tracker (Python
# 3.11) also takes over what a process merely attaches, removes it at that process's end, and is a
# process of its own; and it sizes a segment with ftruncate, which succeeds where there is no room:
# the first write to a missing page is then a SIGBUS.

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamer.protocol import SEGMENT_PREFIX

FOLDER = Path("/dev/shm")  # noqa: S108 - not a temporary file: where POSIX shared memory lives
PAGE_BYTES = mmap.PAGESIZE
LINE_BYTES = 64  # a cache line for each slot's state: neighbours do not slow each other down
MAGIC = 0x4C53_5449_4C45_0001  # "LSTILE", and the version of the layout
MIB = 1 << 20


class SegmentError(OSError):
    """Shared memory cannot be had, or a segment is none of ours."""


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """What a segment holds: a page of facts, the slots' states, then the slots, page by page."""

    slots: int
    slot_bytes: int

    @classmethod
    def of_tiles(cls, slots: int, tile_bytes: int) -> SegmentPlan:
        """Slots that each take a tile of `tile_bytes`."""
        return cls(slots, _whole_pages(tile_bytes))

    @property
    def first_slot(self) -> int:
        """Byte at which slot 0 begins."""
        return PAGE_BYTES + _whole_pages(self.slots * LINE_BYTES)

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole segment."""
        return self.first_slot + self.slots * self.slot_bytes

    def __str__(self) -> str:
        return f"{self.slots} slots of {self.slot_bytes / MIB:.1f} MiB"


@dataclass(frozen=True, slots=True)
class Segment:
    """A mapped segment; it stays mapped as long as an array of it is alive.

    `states` is (slots,) uint64, one word per slot that is written in one piece.
    """

    name: str
    plan: SegmentPlan
    memory: mmap.mmap
    states: np.ndarray

    def slot(self, index: int, size_bytes: int) -> memoryview:
        """The first `size_bytes` bytes of a slot; read-only in a process that is not the owner."""
        first = self.plan.first_slot + index * self.plan.slot_bytes
        return memoryview(self.memory)[first : first + size_bytes]

    def remove(self) -> None:
        """Take the name away; what is mapped, here and elsewhere, stays readable."""
        (FOLDER / self.name).unlink(missing_ok=True)


def require_room(*plans: SegmentPlan) -> None:
    """Check that segments fit beside each other.

    Raises:
        SegmentError: it does not; the text says how much there is and what to set.
    """
    if not FOLDER.is_dir():
        msg = (
            f"transport.kind: shared_memory needs {FOLDER}, which is not there; "
            "use transport.kind: sockets"
        )
        raise SegmentError(msg)
    room = os.statvfs(FOLDER)
    if room.f_bavail * room.f_frsize < sum(plan.size_bytes for plan in plans):
        raise SegmentError(_no_room(*plans))


def make_segment(plan: SegmentPlan, owner: str) -> Segment:
    """Make a segment that `owner` (letters, digits, _ and -) names, every page of it present.

    It gets its name last: whoever kills this process before leaves nothing, and whoever looks for
    segments without an owner finds none that is not yet locked.

    Raises:
        SegmentError: there is no room, or no shared memory.
    """
    remove_stale_segments()
    require_room(plan)
    name = f"{SEGMENT_PREFIX}{owner}-{os.getpid()}-{secrets.token_hex(4)}"
    file = os.open(FOLDER, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        # The mapping keeps a duplicate of the descriptor, and with it the lock.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.posix_fallocate(file, 0, plan.size_bytes)
        memory = mmap.mmap(file, plan.size_bytes, mmap.MAP_SHARED | mmap.MAP_POPULATE)
        np.frombuffer(memory, np.uint64, 3)[:] = MAGIC, plan.slots, plan.slot_bytes
        _give_name(file, name)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.ENOMEM):
            raise SegmentError(_no_room(plan)) from None
        raise
    finally:
        os.close(file)
    return Segment(name, plan, memory, _states(memory, plan))


def open_segment(name: str) -> Segment:
    """Map another process's segment, read-only.

    Raises:
        SegmentError: it is gone (its owner has ended), or is none of ours.
    """
    try:
        file = os.open(FOLDER / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        msg = (
            f"segment must be in {FOLDER} of this host and readable, got {name} ({error.strerror})"
        )
        raise SegmentError(msg) from None
    try:
        return _map(name, file)
    finally:
        os.close(file)


def remove_stale_segments() -> tuple[str, ...]:
    """Remove segments whose owner has died, by whatever; returns their names.

    An owner holds a lock on its segment, which the kernel takes away with the process: unlike a
    process number in the name, that holds between containers and never means a later process.
    """
    names = sorted(path.name for path in FOLDER.glob(f"{SEGMENT_PREFIX}*"))
    return tuple(name for name in names if _remove_stale(FOLDER / name))


def _remove_stale(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # gone meanwhile, or another user's
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except OSError:  # its owner lives
        return False
    finally:
        os.close(file)
    return True


def _map(name: str, file: int) -> Segment:
    size = os.fstat(file).st_size
    if size < PAGE_BYTES:
        msg = f"segment must hold a page of facts, got {name} of {size} bytes"
        raise SegmentError(msg)
    memory = mmap.mmap(file, size, mmap.MAP_SHARED | mmap.MAP_POPULATE, mmap.PROT_READ)
    magic, slots, slot_bytes = (int(fact) for fact in np.frombuffer(memory, np.uint64, 3))
    plan = SegmentPlan(slots, slot_bytes)
    if magic != MAGIC or plan.size_bytes != size:
        msg = f"segment must be of this release's layout, got {name}; run one release on the host"
        raise SegmentError(msg)
    return Segment(name, plan, memory, _states(memory, plan))


def _states(memory: mmap.mmap, plan: SegmentPlan) -> np.ndarray:
    words = LINE_BYTES // 8
    return np.frombuffer(memory, np.uint64, plan.slots * words, PAGE_BYTES)[::words]


def _give_name(file: int, name: str) -> None:
    folder = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # With a folder, `link` follows the link of /proc to the file that has no name yet.
        os.link(f"/proc/self/fd/{file}", name, dst_dir_fd=folder)
    finally:
        os.close(folder)


def _no_room(*plans: SegmentPlan) -> str:
    room = os.statvfs(FOLDER)
    free, total = (count * room.f_frsize / MIB for count in (room.f_bavail, room.f_blocks))
    need = -(-sum(plan.size_bytes for plan in plans) // MIB)
    what = " and ".join(map(str, plans))
    return (
        f"transport.kind: shared_memory must find {need} MiB ({what}) in {FOLDER}, got "
        f"{free:.0f} MiB free of {total:.0f} MiB; enlarge it (mount -o remount,size=... {FOLDER}, "
        "docker run --shm-size=...), set tiles.capacity or the tiles smaller, or use "
        "transport.kind: sockets"
    )


def _whole_pages(size_bytes: int) -> int:
    return -(-size_bytes // PAGE_BYTES) * PAGE_BYTES
