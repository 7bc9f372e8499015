"""Writing files so that a reader never sees half of one; knows no content."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class StorageError(OSError):
    """The roll folder cannot be written; the text names the file and the free space."""


@contextlib.contextmanager
def storage_errors(path: Path, name: str) -> Iterator[None]:
    """Turn a failure to write `path` into a StorageError in the house form."""
    try:
        yield
    except StorageError:
        raise
    except (OSError, sqlite3.OperationalError, sqlite3.DatabaseError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        msg = f"{name} must be writable at {path}, got: {reason}{_free_space(path)}"
        raise StorageError(msg) from error


def write_atomically(path: Path, content: bytes, name: str) -> None:
    """Replace `path` by `content`, synced to the disk: the old file or the new one, never less.

    Raises:
        StorageError: it cannot be written; the old file is untouched.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with storage_errors(path, name):
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def utc_text(time_ns: int) -> str:
    """UTC in RFC 3339 with microseconds and Z."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=rest // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _free_space(path: Path) -> str:
    folder = next((parent for parent in path.parents if parent.is_dir()), None)
    if folder is None:
        return ""
    return f" ({shutil.disk_usage(folder).free / 1e6:.0f} MB free in {folder})"
