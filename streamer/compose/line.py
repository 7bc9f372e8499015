"""The parent of a line: starts sink, workers and capture, watches them, ends the roll."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.compose.cameras import (
    camera_edges,
    camera_light,
    camera_names,
    camera_places,
    camera_sources,
    with_places,
)
from streamer.compose.children import capture_plan, roll_name
from streamer.compose.gateways import PREFIX
from streamer.compose.outcome import COMPLETE, RollEnd
from streamer.compose.recorders import recorder_processes
from streamer.compose.tile_links import chosen_slots, require_tile_room
from streamer.config import Config, ConfigError
from streamer.message import StageState
from streamer.supervisor import Child, Command, Supervisor, Watch
from streamer.transport.segment import remove_stale_segments
from streamer.transport.zeromq import ZmqHub

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.ports import WebFormat
    from streamer.transport.segment import SegmentPlan

LONGEST_SOCKET_PATH = 100  # of the 107 bytes that a Unix socket address holds


@dataclass(frozen=True, slots=True)
class Progress:
    """What a display shows: the phase of the run and the children with their latest beats."""

    phase: str
    children: tuple[Child, ...]
    config: Config


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended; `manifest` is that of the roll folder, empty when there is none."""

    roll_folder: Path
    exit_code: int
    manifest: dict[str, Any]
    faults: tuple[str, ...]
    restarts: dict[str, int]


class SystemClock:
    """The machine's clock; see ports.Clock."""

    def now_ns(self) -> int:
        """UTC nanoseconds since the epoch."""
        return time.time_ns()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def prepare_roll(config: Config) -> Config:
    """The effective configuration: roll named, web width taken from the source, tiles checked.

    Raises:
        ConfigError: tiles, web and backbone do not fit each other, or the roll exists.
        SegmentError: tiles are to travel in shared memory, and there is too little of it.
        ValueError, OSError: the source cannot be opened; the text names it.
    """
    forms = _forms(config)
    placed = with_places(config, [form.columns for form in forms])
    require_tile_room(_slots(placed, forms))
    roll = config.roll.model_copy(
        update={"name": roll_name(config), "folder": config.roll.folder.absolute()}
    )
    effective = placed.model_copy(update={"roll": roll})
    if any(roll_folder(effective).glob("*")):
        msg = f"roll.name must be new, got {roll.name!r} ({roll_folder(effective)} is not empty)"
        raise ConfigError(msg)
    return effective


def _forms(config: Config) -> tuple[WebFormat, ...]:
    """What each camera shows."""
    from streamer.sources import open_source

    forms: list[WebFormat] = []
    for index, settings in enumerate(camera_sources(config)):
        edges, light = camera_edges(config, index), camera_light(config, index)
        source = open_source(settings, config.web, 0, edges, light)
        forms.append(source.format)
        source.close()
    return tuple(forms)


def _slots(config: Config, forms: tuple[WebFormat, ...]) -> list[SegmentPlan]:
    """The shared memory that the captures need; none if tiles travel otherwise."""
    shares = (
        replace(form, columns=place.columns.size)
        for form, place in zip(forms, camera_places(config), strict=True)
    )
    named = zip(camera_names(config), shares, strict=True)
    chosen = (chosen_slots(config, capture_plan(config, form, name), form) for name, form in named)
    return [slots for slots in chosen if slots is not None]


def roll_folder(config: Config) -> Path:
    """Where the results of the roll go."""
    return config.roll.folder / roll_name(config)


def with_endpoints(config: Config, folder: Path) -> Config:
    """Fill the endpoints that are not configured with private ipc sockets.

    Raises:
        OSError: the temporary folder's path is too long for a socket.
    """
    if len(str(folder / "results")) > LONGEST_SOCKET_PATH:
        msg = f"TMPDIR must be a shorter path for sockets to fit, got {folder}"
        raise OSError(msg)
    given = config.transport.endpoints
    filled = {name: value or f"ipc://{folder}/{name}" for name, value in given.items()}
    transport = config.transport.model_copy(update=filled)
    endpoint = config.recorder.endpoint or f"ipc://{folder}/recorder"
    recorder = config.recorder.model_copy(update={"endpoint": endpoint})
    return config.model_copy(update={"transport": transport, "recorder": recorder})


class LineRun:
    """One roll, from the first process to the manifest; `show` is called about every 50 ms."""

    def __init__(
        self, config: Config, show: Callable[[Progress], None], stopping: Callable[[], bool]
    ) -> None:
        self._config = config
        self._show = show
        self._stopping = stopping
        self._phase = "starting"
        self._workers = tuple(f"score-{n}" for n in range(config.score.workers))
        names = camera_names(config) if config.cameras else ()
        # Of one camera the process is just "capture".
        self._captures = {f"capture-{name}": name for name in names} or {"capture": ""}
        self._recorders = recorder_processes(config)
        self._gateways = tuple(PREFIX + name for name in config.gateways.active)

    def run(self) -> RunResult:
        """Inspect the roll; processes and sockets are gone when this returns or raises."""
        folder = roll_folder(self._config)
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        runtime = Path(tempfile.mkdtemp(prefix="run-"))
        config = with_endpoints(self._config, runtime)
        settings = runtime / "config.yaml"
        settings.write_text(config.to_yaml(), encoding="utf-8")
        hub = ZmqHub()
        beats = hub.bind_inlet(config.transport.beats)
        supervisor = Supervisor(_watch(config), beats, SystemClock())
        try:
            self._run_roll(supervisor, settings)
        finally:
            supervisor.ensure_stopped()
            hub.close()
            remove_stale_segments()  # of a capture that was killed
            shutil.rmtree(runtime, ignore_errors=True)
        return self._result(supervisor)

    def _run_roll(self, supervisor: Supervisor, settings: Path) -> None:
        for name in (*self._gateways, "sink", *self._workers, *self._recorders):
            supervisor.start(self._command(name, settings))
        if self._wait_until_ready(supervisor):
            for name in self._captures:
                supervisor.start(self._command(name, settings))
            self._phase = "running"
            self._wait_for_captures(supervisor)
        self._phase = "finishing"
        self._end_roll(supervisor)

    def _command(self, name: str, settings: Path) -> Command:
        stage, _, protocol = name.partition("-")
        arguments = (
            sys.executable,
            "-m",
            "streamer",
            stage,
            *((protocol,) if name in self._gateways else ()),
            "--config",
            str(settings),
            "--process",
            name,
            "--parent",
            str(os.getpid()),
        )
        camera = {**self._captures, **self._recorders}.get(name)
        chosen = ("--camera", camera) if camera else ()
        # A sink that dies takes the open regions of the map with it: the roll ends there.
        log = roll_folder(self._config) / "logs" / f"{name}.log"
        return Command(name, arguments + chosen, stage != "sink", log)

    def _wait_until_ready(self, supervisor: Supervisor) -> bool:
        """Whether sink and workers are ready; False when one failed or a stop was requested.

        A recorder that cannot work is waited for as long as it is started again, and then not. A
        gateway that cannot work, as one whose port is taken, fails the start.
        """
        while not self._stopping():
            self._look(supervisor)
            named = supervisor.children.items()
            ended = {name for name, child in named if child.exit_code is not None}
            if ended - self._recorders.keys():
                return False
            if all(_is_ready(child) for name, child in named if name not in ended):
                return True
            time.sleep(0.02)
        return False

    def _wait_for_captures(self, supervisor: Supervisor) -> None:
        """Until all captures have ended; asks them to when nobody is left to take their tiles.

        When one has failed for good the others end, too: the roll is then incomplete anyway.
        """
        asked = False
        while any(supervisor.is_running(name) for name in self._captures):
            self._look(supervisor)
            orphaned = not supervisor.is_running("sink") or not any(
                supervisor.is_running(name) for name in self._workers
            )
            failed = any(supervisor.children[name].has_failed for name in self._captures)
            if not asked and (self._is_to_stop(supervisor) or orphaned or failed):
                for name in self._captures:
                    supervisor.stop(name)
                self._phase, asked = "draining", True
            if asked and not supervisor.is_running("sink"):
                break
            time.sleep(0.02)

    def _is_to_stop(self, supervisor: Supervisor) -> bool:
        """Whether a signal, or a peer that the sink has heard, asks to end the roll."""
        beat = supervisor.children["sink"].beat
        return self._stopping() or bool(beat and beat.figures.get("stop_requested"))

    def _end_roll(self, supervisor: Supervisor) -> None:
        """Sink last but one to end: workers are only of use while it waits for verdicts."""
        supervisor.stop("sink")  # it goes on while verdicts come, or the end that capture sent
        supervisor.wait_for(("sink",), lambda: self._tick(supervisor))
        rest = tuple(name for name in supervisor.children if name != "sink")
        for name in rest:
            supervisor.stop(name)
        supervisor.wait_for(rest, lambda: self._tick_at_end(supervisor))

    def _look(self, supervisor: Supervisor) -> None:
        supervisor.look()
        self._tick(supervisor)

    def _tick(self, supervisor: Supervisor) -> None:
        supervisor.hear()
        self._show(Progress(self._phase, tuple(supervisor.children.values()), self._config))

    def _tick_at_end(self, supervisor: Supervisor) -> None:
        """A recorder that hangs must not hold up the roll after this one."""
        self._tick(supervisor)
        supervisor.kill_stalled(tuple(self._recorders))

    def _result(self, supervisor: Supervisor) -> RunResult:
        folder = roll_folder(self._config)
        manifest = read_manifest(folder)
        faults = tuple(
            f"{name}: {fault}"
            for name, child in supervisor.children.items()
            if child.has_failed
            for fault in (last_fault(child.command.log),)
            if fault
        )
        restarts = {n: c.restart_total for n, c in supervisor.children.items() if c.restart_total}
        code = self._exit_code(supervisor, manifest)
        return RunResult(folder, code, manifest, faults, restarts)

    def _exit_code(self, supervisor: Supervisor, manifest: dict[str, Any]) -> int:
        """The gravest failure: of a stage that could not work, then loss of inspection."""
        failed = {
            name: child.exit_code or 0
            for name, child in supervisor.children.items()
            if child.has_failed and name not in self._recorders
        }
        known = [code for code in failed.values() if code in (2, 3, 4)]
        if known:
            return known[0]
        if not manifest or "sink" in failed:
            return 1 if failed or not self._stopping() else 0
        code = RollEnd.of_manifest(manifest).exit_code(self._config.limits.not_inspected_percent)
        if code or manifest["outcome"] == COMPLETE:
            return code
        return 1 if failed else 0


def _is_ready(child: Child) -> bool:
    return child.beat is not None and child.beat.state is StageState.READY


def _watch(config: Config) -> Watch:
    supervisor = config.supervisor
    return Watch(
        supervisor.stall_ms,
        supervisor.start_timeout_ms,
        supervisor.stop_timeout_ms,
        supervisor.restarts,
        supervisor.restart_window_s,
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a roll folder, or {} when there is none that reads."""
    try:
        content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def last_fault(log: Path) -> str:
    """The last line of a stage's log that says what went wrong."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    faults = [line for line in lines if line.startswith("error: ")]
    return (faults or lines or [""])[-1].removeprefix("error: ")
