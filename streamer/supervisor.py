"""Starts, watches, restarts and stops processes; knows nothing of what they do."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamer.message import Heartbeat, StageState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streamer.ports import Clock, Inlet

_LOG = logging.getLogger(__name__)
NS_PER_MS = 1_000_000
KILL_TIMEOUT_S = 5.0  # a process inside a driver may not even die at once
SAME_AGAIN = (2, 3, 4)  # usage, environment, parity: the same command would fail the same way


@dataclass(frozen=True, slots=True)
class Watch:
    """When a process counts as stalled, and how often it may be restarted."""

    stall_ms: int
    start_timeout_ms: int
    stop_timeout_ms: int
    restarts: int
    restart_window_s: float


@dataclass(frozen=True, slots=True)
class Command:
    """A process to keep running; one that may not restart ends the run when it fails."""

    name: str
    arguments: tuple[str, ...]
    may_restart: bool
    log: Path


@dataclass(slots=True)
class Child:
    """One supervised process; `exit_code` is None while it runs.

    `asked_to_stop`: it is not started again, whatever ends it.
    """

    command: Command
    process: subprocess.Popen[bytes]
    started_ns: int
    beat: Heartbeat | None = None
    beat_ns: int = 0
    restarts_ns: deque[int] = field(default_factory=deque)
    restart_total: int = 0
    asked_to_stop: bool = False
    was_abandoned: bool = False
    exit_code: int | None = None

    @property
    def has_failed(self) -> bool:
        """Whether it ended in another way than by itself or by the signal that asked it to."""
        obeyed = self.asked_to_stop and self.exit_code == -signal.SIGTERM
        return bool(self.exit_code) and not obeyed and not self.was_abandoned


class Supervisor:
    """A parent's view of its children; the beat of each comes from its own work loop."""

    def __init__(self, watch: Watch, beats: Inlet, clock: Clock) -> None:
        self._watch = watch
        self._beats = beats
        self._clock = clock
        self.children: dict[str, Child] = {}

    def start(self, command: Command) -> None:
        """Start a process in a session of its own, so that Ctrl-C reaches only the parent."""
        self.children[command.name] = Child(command, _spawn(command), self._clock.now_ns())

    def look(self) -> None:
        """Hear beats, notice exits and stalls, restart what may be restarted."""
        self.hear()
        for child in self.children.values():
            if child.exit_code is None:
                self._look_at(child)

    def hear(self) -> None:
        """Take the beats that came."""
        while (beat := self._beats.receive()) is not None:
            if isinstance(beat, Heartbeat) and beat.process in self.children:
                self._take_beat(self.children[beat.process], beat)

    def _take_beat(self, child: Child, beat: Heartbeat) -> None:
        # The last words of a process that was restarted say nothing about its successor.
        if beat.sent_ns >= child.started_ns:
            child.beat, child.beat_ns = beat, self._clock.now_ns()

    def _look_at(self, child: Child) -> None:
        code = child.process.poll()
        if code is None and self._is_stalled(child):
            _LOG.error("%s is stalled; killing it", child.command.name)
            code = _kill(child.process)
        if code is None:
            return
        if code == 0 or not self._restart(child, code):
            child.exit_code = code
            if child.has_failed:
                _LOG.error("%s ended with %s", child.command.name, describe_exit(code))

    def _is_stalled(self, child: Child) -> bool:
        now_ns = self._clock.now_ns()
        if child.beat is None:
            return now_ns - child.started_ns > self._watch.start_timeout_ms * NS_PER_MS
        limit_ms = self._watch.stall_ms
        if child.beat.state is StageState.STARTING:
            limit_ms = self._watch.start_timeout_ms
        last_ns = max(child.beat_ns, child.beat.busy_until_ns)
        return now_ns - last_ns > limit_ms * NS_PER_MS

    def _restart(self, child: Child, code: int) -> bool:
        """Start it again unless it was to stop, cannot work, or has used up its budget."""
        if child.asked_to_stop or not child.command.may_restart or code in SAME_AGAIN:
            return False
        now_ns, recent = self._clock.now_ns(), child.restarts_ns
        while recent and now_ns - recent[0] > self._watch.restart_window_s * 1e9:
            recent.popleft()
        if len(recent) >= self._watch.restarts:
            _LOG.error("%s used up its restarts", child.command.name)
            return False
        recent.append(now_ns)
        child.restart_total += 1
        _LOG.warning(
            "%s ended with %s; restart %d of %d",
            child.command.name,
            describe_exit(code),
            len(recent),
            self._watch.restarts,
        )
        child.process, child.started_ns = _spawn(child.command), now_ns
        child.beat, child.beat_ns = None, 0
        return True

    def is_running(self, name: str) -> bool:
        """Whether the process runs or will be restarted."""
        return name in self.children and self.children[name].exit_code is None

    def stop(self, name: str) -> None:
        """Ask a process to drain and end (SIGTERM); returns at once."""
        child = self.children[name]
        child.asked_to_stop = True
        if child.exit_code is None and child.process.poll() is None:
            child.process.send_signal(signal.SIGTERM)

    def wait_for(self, names: tuple[str, ...], tick: Callable[[], None]) -> None:
        """Wait until these have ended, at most the stop timeout; then kill them.

        The timeout begins when the last call that a child has announced is over.
        """
        deadline_ns = self._clock.now_ns() + self._watch.stop_timeout_ms * NS_PER_MS
        while any(self.is_running(name) for name in names):
            tick()
            self._reap(names)
            busy_until_ns = max(self._busy_until_ns(name) for name in names)
            if self._clock.now_ns() > max(deadline_ns, busy_until_ns):
                self.kill(names)
            self._clock.sleep(0.02)

    def _busy_until_ns(self, name: str) -> int:
        child = self.children[name]
        return child.beat.busy_until_ns if child.beat and self.is_running(name) else 0

    def _reap(self, names: tuple[str, ...]) -> None:
        for name in names:
            child = self.children[name]
            if child.exit_code is None:
                child.exit_code = child.process.poll()

    def kill(self, names: tuple[str, ...]) -> None:
        """End these processes now."""
        for name in names:
            child = self.children[name]
            if child.exit_code is None:
                child.exit_code = _kill(child.process)
                _LOG.error("%s did not end in time and was killed", name)

    def abandon(self, names: tuple[str, ...]) -> None:
        """End these processes now, since nobody can take their work; that is no fault of theirs."""
        for name in names:
            child = self.children[name]
            if child.exit_code is None:
                child.was_abandoned = True
                child.exit_code = _kill(child.process)

    def kill_stalled(self, names: tuple[str, ...]) -> None:
        """End those of these processes that do not prove that they work."""
        self.kill(tuple(name for name in names if self._is_stalled(self.children[name])))

    def ensure_stopped(self) -> None:
        """Leave no process behind."""
        alive = [c.process for c in self.children.values() if c.process.poll() is None]
        for process in alive:  # all at once: an interrupt while waiting must not spare the rest
            _signal_group(process)
        for process in alive:
            _kill(process)


def _spawn(command: Command) -> subprocess.Popen[bytes]:
    with command.log.open("ab") as log:
        return subprocess.Popen(
            command.arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )


def _kill(process: subprocess.Popen[bytes]) -> int:
    """Kill a process with all that it started; returns its exit code."""
    _signal_group(process)
    try:
        return process.wait(KILL_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        _LOG.error("process %d does not die; the kernel or a driver holds it", process.pid)
        return -signal.SIGKILL


def _signal_group(process: subprocess.Popen[bytes]) -> None:
    # While the leader is not reaped, nobody else can have its number.
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def describe_exit(code: int) -> str:
    """An exit status in words."""
    if code >= 0:
        return f"exit code {code}"
    names = {known.value: known.name for known in signal.Signals}
    return f"signal {names.get(-code, -code)}"
