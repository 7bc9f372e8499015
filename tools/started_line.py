"""Starts a whole line for a measurement, in a folder of its own, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
HOOKS = ROOT / "tools" / "fault_hooks"
SMALL: dict[str, Any] = {
    "web.pixel_mm": 0.5,
    "source.columns": 256,
    "source.length_m": 1000.0,
    "source.pace": "line_rate",
    "tiles.lines": 128,
    "tiles.columns": 256,
    "tiles.overload": "drop_oldest",
    "profile.bootstrap_m": 0.5,
    "backbone.threads": 1,
    "scoring.threads": 1,
    "roll.name": "roll",
}
CAMERA = {
    "source.kind": "genicam",
    "source.address": "127.0.0.1",
    "source.stall_s": 0.5,
    "source.reconnect_max_s": 0.5,
    "web.web_speed_m_min": 15.36,  # 4 frames of 128 lines a second
}
SIMULATED = ("source.columns", "source.length_m", "source.pace")


@dataclass
class Line:
    """A running line in a folder of its own; `cameras` are processes that stream to it.

    `settings` are those that it was started with, endpoints of its alarms included.
    """

    folder: Path
    settings: dict[str, Any]
    process: subprocess.Popen[bytes]
    cameras: tuple[psutil.Process, ...] = ()

    def child(self, name: str) -> psutil.Process:
        """The process of a stage.

        Raises:
            LookupError: there is none of this name.
        """
        for child in psutil.Process(self.process.pid).children():
            arguments = child.cmdline()
            if "--process" in arguments and arguments[arguments.index("--process") + 1] == name:
                return child
        msg = f"process must be a running stage, got {name}"
        raise LookupError(msg)


@contextmanager
def started_line(settings: dict[str, Any]) -> Iterator[Line]:
    """A small line with these settings besides; nothing of it is left behind.

    Raises:
        FileNotFoundError: its source is the camera, which cannot be started here.
    """
    folder, chosen = Path(tempfile.mkdtemp(prefix="line")), _chosen(settings)
    environment = {
        **os.environ,
        "TMPDIR": str(folder),
        "PYTHONPATH": os.pathsep.join((str(HOOKS), str(ROOT))),
        "LINESCAN_SCORER_FAULT": str(folder / "scorer_fault"),
    }
    with ExitStack() as opened:
        opened.callback(shutil.rmtree, folder, ignore_errors=True)
        started: list[Any] = []
        opened.callback(_end_all, str(folder), started)
        is_camera = chosen.get("source.kind") == "genicam"
        cameras = (_start_camera(environment),) if is_camera else ()
        started += cameras
        options = [part for name, value in chosen.items() for part in ("--set", f"{name}={value}")]
        process = subprocess.Popen(
            [sys.executable, "-m", "streamer", "run", *options],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        yield Line(folder, chosen, process, cameras)


def free_port() -> int:
    """A TCP port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _chosen(settings: dict[str, Any]) -> dict[str, Any]:
    ends = {f"alarms.{name}": f"tcp://127.0.0.1:{free_port()}" for name in ("publish", "snapshot")}
    chosen = SMALL | ends | settings
    if chosen.get("source.kind") == "genicam":
        chosen = {name: value for name, value in chosen.items() if name not in SIMULATED}
    return chosen


def _start_camera(environment: dict[str, str]) -> psutil.Process:
    tool = ROOT / "tools" / "aravis_camera.py"
    frames = ("--columns=256", "--lines=128", "--frames=16", "--fps=4")
    said = subprocess.PIPE
    camera = psutil.Popen([sys.executable, str(tool), *frames], env=environment, stdout=said)
    if b"streaming" not in camera.stdout.readline():
        msg = "the camera must stream; is libaravis-0.8-0 installed?"
        raise FileNotFoundError(msg)
    return camera


def _end_all(folder: str, started: list[Any]) -> None:
    """Kill whatever runs in a folder, and leave no process that nobody waits for."""
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get("TMPDIR") == folder:
            process.kill()
    for own in started:
        own.wait()
        if own.stdout is not None:
            own.stdout.close()
