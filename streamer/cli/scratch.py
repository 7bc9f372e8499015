"""A private temporary folder per command, so that no library leaves anything behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.interrupts import terminated_like_interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "linescan-"
OWNER = "LINESCAN_SCRATCH"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Point TMPDIR to a folder that is removed at the end; a child shares that of its parent.

    What commands that were killed have left is removed too. ONNX Runtime and torch put files of
    their own into the temporary folder; here they go away with it.
    """
    inherited = os.environ.get(OWNER)
    if inherited is not None:
        yield Path(inherited)
        return
    base = Path(tempfile.gettempdir())
    _sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    before = os.environ.get("TMPDIR")
    _point_to(folder)
    try:
        with terminated_like_interrupted():
            yield folder
    finally:
        os.environ.pop(OWNER, None)
        os.environ.pop("TMPDIR", None)
        if before is not None:
            os.environ["TMPDIR"] = before
        tempfile.tempdir = None
        shutil.rmtree(folder, ignore_errors=True)


def _point_to(folder: Path) -> None:
    os.environ["TMPDIR"] = os.environ[OWNER] = str(folder)
    tempfile.tempdir = None  # so that it is read from TMPDIR again


def _sweep(base: Path) -> None:
    for stale in base.glob(f"{PREFIX}[0-9]*-*"):
        owner = stale.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(stale, ignore_errors=True)


def remove_orphaned(parent: int | None) -> None:
    """Called by a stage at its end: when `parent` died, nobody else removes the folder."""
    folder = os.environ.get(OWNER)
    if parent is not None and folder is not None and os.getppid() != parent:
        shutil.rmtree(folder, ignore_errors=True)
