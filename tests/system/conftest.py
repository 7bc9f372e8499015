"""Real lines in real processes: start one, look at it from the outside, leave nothing behind."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

SMALL_LINE = {
    "web.pixel_mm": 0.5,
    "source.columns": 256,
    "source.length_m": 3.0,
    "source.clean_m": 1.0,
    "source.defects_per_m": 1.0,
    "tiles.lines": 256,
    "tiles.columns": 256,
    "tiles.worker_timeout_ms": 1000,
    "profile.bootstrap_m": 0.5,
    "backbone.threads": 1,
    "scoring.threads": 1,
    "roll.name": "roll",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Line:
    """A running `linescan run`; `root` is its working directory and holds its temporary files."""

    process: subprocess.Popen
    root: Path
    temporary: Path
    name: str = "roll"
    seen: set = field(default_factory=set)

    @property
    def folder(self) -> Path:
        return self.root / "rolls" / self.name

    def children(self) -> dict:
        """Stage processes by name."""
        found = {}
        for child in psutil.Process(self.process.pid).children():
            try:
                arguments = child.cmdline()
            except psutil.Error:
                continue
            if "--process" in arguments:
                found[arguments[arguments.index("--process") + 1]] = child
                self.seen.add(child.pid)
        return found

    def wait_for(self, name: str, timeout_s: float = 60) -> psutil.Process:
        """The process of a stage, as soon as there is one."""
        return self.until(lambda: self.children().get(name), f"process {name}", timeout_s)

    def wait_for_lines(self, rows: int, timeout_s: float = 60) -> None:
        """Until the defect log knows of so many inspected lines."""
        import sqlite3

        def lines() -> bool:
            path = self.folder / "defects.sqlite"
            if not path.is_file():
                return False
            log = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            try:
                (last,) = log.execute("SELECT max(end_line) FROM coverage").fetchone()
            except sqlite3.OperationalError:
                return False
            finally:
                log.close()
            return (last or 0) >= rows

        self.until(lines, f"{rows} lines", timeout_s)

    def until(self, condition, what: str, timeout_s: float):
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if result := condition():
                return result
            if self.process.poll() is not None:
                code = self.process.returncode
                pytest.fail(f"the line ended with {code} before {what}\n{self.log()}")
            time.sleep(0.02)
        pytest.fail(f"no {what} within {timeout_s} s\n{self.log()}")

    def log(self) -> str:
        logs = sorted((self.folder / "logs").glob("*.log"))
        return "\n".join(f"--- {path.name}\n{path.read_text()[-2000:]}" for path in logs)

    def finish(self, timeout_s: float = 90) -> tuple[int, str, str]:
        """(exit code, stdout, stderr) once it has ended."""
        try:
            out, err = self.process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the line did not end within {timeout_s} s\n{self.log()}")
        return self.process.returncode, out, err

    def manifest(self) -> dict:
        return json.loads((self.folder / "manifest.json").read_text())

    def leftovers(self) -> list:
        """Processes of this line that still live, and what it left in its temporary folder."""
        living = []
        for process in psutil.process_iter(["cmdline", "environ", "status"]):
            environ = process.info["environ"] or {}
            if environ.get("LINESCAN_TEST") == str(self.root) and process.status() != "zombie":
                living.append(" ".join(process.info["cmdline"] or []))
        return living + [str(path) for path in self.temporary.iterdir()]


@pytest.fixture
def start_line(tmp_path):
    """Starts small lines; `settings` override SMALL_LINE; `without` and None leave keys out."""
    lines = []

    temporary = Path(tempfile.mkdtemp(prefix="line"))  # short: socket paths have 107 bytes

    def start(*, command=("run",), preexec=None, without=(), **settings) -> Line:
        ports = {
            "alarms.publish": f"tcp://127.0.0.1:{free_port()}",
            "alarms.snapshot": f"tcp://127.0.0.1:{free_port()}",
        }
        given = {name.replace("__", "."): value for name, value in settings.items()}
        small = {name: value for name, value in SMALL_LINE.items() if name not in without}
        chosen = small | ports | given
        said = {name: value for name, value in chosen.items() if value is not None}
        options = [part for k, v in said.items() for part in ("--set", f"{k}={v}")]
        line = Line(
            subprocess.Popen(
                [sys.executable, "-m", "streamer", *command, *options],
                cwd=tmp_path,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                preexec_fn=preexec,
                env={**os.environ, "TMPDIR": str(temporary), "LINESCAN_TEST": str(tmp_path)},
            ),
            tmp_path,
            temporary,
            str(chosen["roll.name"]),
        )
        lines.append(line)
        return line

    yield start
    for line in lines:
        for process in psutil.process_iter(["environ"]):
            if (process.info["environ"] or {}).get("LINESCAN_TEST") == str(tmp_path):
                process.send_signal(signal.SIGKILL)
        line.process.wait()
        line.process.stdout.close()
        line.process.stderr.close()
    shutil.rmtree(temporary, ignore_errors=True)
