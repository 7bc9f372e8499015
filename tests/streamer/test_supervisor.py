"""Real children: killed, stopped, silent, failing, stubborn; and none outlives its test."""

import os
import signal
import sys
import time
from collections import deque

import psutil
import pytest

from streamer.message import Heartbeat, StageState
from streamer.protocol import Resume
from streamer.supervisor import Command, Supervisor, Watch, describe_exit

MS = 1_000_000
SLEEPS = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('deaf'); time.sleep(60)"
)
DRAINS = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit({code})); "
    "print('ready'); time.sleep(60)"
)
PARENT = (
    "import subprocess, sys, time; "
    "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid); "
    "time.sleep(60)"
)


class Beats:
    """An inlet that a test fills."""

    def __init__(self):
        self.waiting = deque()

    def receive(self):
        return self.waiting.popleft() if self.waiting else None

    def close(self):
        pass


class Clock:
    """The machine's clock, plus what a test lets pass."""

    def __init__(self):
        self.offset_ns = 0

    def now_ns(self):
        return time.time_ns() + self.offset_ns

    def sleep(self, seconds):
        time.sleep(seconds)

    def advance_ms(self, milliseconds):
        self.offset_ns += milliseconds * MS


class Bench:
    """A supervisor with commands that run a line of Python."""

    def __init__(self, folder, **limits):
        self.folder, self.clock, self.beats = folder, Clock(), Beats()
        given = {
            "stall_ms": 1000,
            "start_timeout_ms": 20_000,
            "stop_timeout_ms": 10_000,
            "restarts": 2,
            "restart_window_s": 60.0,
        } | limits
        self.supervisor = Supervisor(Watch(**given), self.beats, self.clock)

    def start(self, code, name="score-0", *, may_restart=True):
        log = self.folder / f"{name}.log"
        self.supervisor.start(Command(name, (sys.executable, "-c", code), may_restart, log))
        return self.supervisor.children[name]

    def beat(self, state=StageState.RUNNING, name="score-0", busy_ms=0, sent_ns=None):
        now_ns = self.clock.now_ns() if sent_ns is None else sent_ns
        beat = Heartbeat("score", name, state, now_ns, now_ns + busy_ms * MS, 0, 0)
        self.beats.waiting.append(beat)

    def look_until(self, condition, timeout_s=10.0):
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            self.supervisor.look()
            time.sleep(0.005)

    def wait_for_text(self, name="score-0", timeout_s=10.0):
        """What the child has printed, once it is a whole line."""
        log = self.folder / f"{name}.log"
        deadline = time.monotonic() + timeout_s
        while not log.read_text().endswith("\n"):
            assert time.monotonic() < deadline, "the child says nothing"
            time.sleep(0.005)
        return log.read_text()


@pytest.fixture
def bench(tmp_path):
    made = []

    def make(**limits):
        made.append(Bench(tmp_path, **limits))
        return made[-1]

    yield make
    for each in made:
        each.supervisor.ensure_stopped()
        for child in each.supervisor.children.values():
            assert child.process.returncode is not None


def is_alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def kill(child, number=signal.SIGKILL):
    child.process.send_signal(number)


def test_a_child_runs_in_a_session_of_its_own_with_its_output_in_the_log(bench):
    line = bench()
    child = line.start("import os; print('out', os.getsid(0)); os.write(2, b'err')")
    line.look_until(lambda: child.exit_code == 0)
    text = (line.folder / "score-0.log").read_text()
    assert f"out {child.process.pid}" in text
    assert "err" in text
    assert not child.has_failed


def test_a_child_that_ends_by_itself_is_not_started_again(bench):
    line = bench()
    child = line.start("pass")
    line.look_until(lambda: child.exit_code is not None)
    assert (child.exit_code, child.restart_total) == (0, 0)
    assert not line.supervisor.is_running("score-0")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_child_is_started_again(bench, number, caplog):
    line = bench()
    child = line.start(SLEEPS)
    first = child.process.pid
    kill(child, number)
    line.look_until(lambda: child.restart_total == 1)
    assert child.process.pid != first
    assert child.process.poll() is None
    assert child.beat is None
    assert line.supervisor.is_running("score-0")
    assert f"score-0 ended with signal {number.name}; restart 1 of 2" in caplog.text


def test_a_child_that_keeps_failing_uses_up_its_budget(bench, caplog):
    line = bench(restarts=2)
    child = line.start("import sys; sys.exit(1)")
    line.look_until(lambda: child.exit_code is not None)
    assert (child.exit_code, child.restart_total) == (1, 2)
    assert "score-0 used up its restarts" in caplog.text
    assert not line.supervisor.is_running("score-0")


def test_restarts_long_ago_do_not_count(bench):
    line = bench(restarts=1, restart_window_s=10.0)
    child = line.start(SLEEPS)
    for restart in (1, 2):
        kill(child)
        line.look_until(lambda count=restart: child.restart_total == count)
        line.clock.advance_ms(11_000)
    assert child.restart_total == 2


@pytest.mark.parametrize("code", [2, 3, 4])
def test_what_would_fail_again_is_not_tried_again(bench, code):
    line = bench()
    child = line.start(f"import sys; sys.exit({code})")
    line.look_until(lambda: child.exit_code is not None)
    assert (child.exit_code, child.restart_total) == (code, 0)
    assert child.has_failed


def test_one_that_may_not_restart_ends_the_run(bench):
    line = bench()
    child = line.start(SLEEPS, "sink", may_restart=False)
    kill(child)
    line.look_until(lambda: child.exit_code is not None)
    assert (child.exit_code, child.restart_total) == (-signal.SIGKILL, 0)


def test_one_that_was_asked_to_stop_is_not_started_again_however_it_ends(bench):
    line = bench()
    child = line.start(DRAINS.format(code=1))
    line.wait_for_text()
    line.supervisor.stop("score-0")
    line.look_until(lambda: child.exit_code is not None)
    assert (child.exit_code, child.restart_total) == (1, 0)
    assert child.has_failed


def test_one_that_is_stopped_before_it_listens_has_not_failed(bench):
    line = bench()
    child = line.start(SLEEPS)
    line.supervisor.stop("score-0")
    line.look_until(lambda: child.exit_code is not None)
    assert child.exit_code == -signal.SIGTERM
    assert not child.has_failed


def test_a_stop_is_harmless_after_the_end(bench):
    line = bench()
    child = line.start("pass")
    line.look_until(lambda: child.exit_code == 0)
    line.supervisor.stop("score-0")
    assert child.exit_code == 0


def test_beats_of_its_work_loop_keep_a_child_alive(bench):
    line = bench()
    child = line.start(SLEEPS)
    for _ in range(5):
        line.beat()
        line.supervisor.look()
        line.clock.advance_ms(900)
    line.supervisor.look()
    assert child.restart_total == 0


def test_a_silent_child_is_killed_and_replaced(bench, caplog):
    line = bench()
    child = line.start(SLEEPS)
    first = child.process.pid
    line.beat()
    line.supervisor.look()
    line.clock.advance_ms(1100)
    line.supervisor.look()
    assert child.restart_total == 1
    assert not is_alive(first)
    assert "score-0 is stalled; killing it" in caplog.text


def test_a_frozen_child_is_killed_too(bench):
    line = bench()
    child = line.start(SLEEPS)
    first = child.process.pid
    line.beat()
    line.supervisor.look()
    kill(child, signal.SIGSTOP)
    line.clock.advance_ms(1100)
    line.look_until(lambda: child.restart_total == 1)
    assert not is_alive(first)


def test_an_announced_call_may_last_as_long_as_it_said(bench):
    line = bench()
    child = line.start(SLEEPS)
    line.beat(busy_ms=5000)
    line.supervisor.look()
    line.clock.advance_ms(5900)
    line.supervisor.look()
    assert child.restart_total == 0
    line.clock.advance_ms(200)
    line.supervisor.look()
    assert child.restart_total == 1


@pytest.mark.parametrize("has_said_so", [False, True])
def test_starting_has_a_limit_of_its_own(bench, has_said_so):
    line = bench(start_timeout_ms=20_000)
    child = line.start(SLEEPS)
    if has_said_so:
        line.beat(StageState.STARTING)
    line.supervisor.look()
    line.clock.advance_ms(19_000)
    line.supervisor.look()
    assert child.restart_total == 0
    line.clock.advance_ms(1100)
    line.supervisor.look()
    assert child.restart_total == 1


def test_the_last_words_of_the_dead_say_nothing_about_the_successor(bench):
    line = bench()
    child = line.start(SLEEPS)
    last_words_ns = line.clock.now_ns()
    kill(child)
    line.look_until(lambda: child.restart_total == 1)
    line.beat(sent_ns=last_words_ns)
    line.supervisor.look()
    assert child.beat is None
    line.clock.advance_ms(5000)  # more than stall_ms, less than a start may take
    line.supervisor.look()
    assert child.restart_total == 1


def test_beats_of_others_and_other_messages_are_ignored(bench):
    line = bench()
    child = line.start(SLEEPS)
    line.beat(name="somebody")
    line.beats.waiting.append(Resume(0, 0))
    line.supervisor.look()
    assert child.beat is None


def test_stalls_are_not_looked_for_once_a_child_has_ended(bench):
    line = bench()
    child = line.start("pass")
    line.look_until(lambda: child.exit_code == 0)
    line.clock.advance_ms(60_000)
    line.supervisor.look()
    assert child.exit_code == 0


def test_waiting_lets_children_drain(bench):
    line = bench()
    child = line.start(DRAINS.format(code=0))
    line.wait_for_text()
    ticks = []
    line.supervisor.stop("score-0")
    line.supervisor.wait_for(("score-0",), lambda: ticks.append(1))
    assert child.exit_code == 0
    assert ticks


@pytest.mark.parametrize("frozen", [False, True])
def test_waiting_ends_with_a_kill_at_the_limit(bench, frozen, caplog):
    line = bench(stop_timeout_ms=200)
    child = line.start(STUBBORN)
    line.wait_for_text()
    if frozen:
        kill(child, signal.SIGSTOP)
    line.supervisor.stop("score-0")
    line.supervisor.wait_for(("score-0",), lambda: None)
    assert child.exit_code == -signal.SIGKILL
    assert child.has_failed
    assert "did not end in time and was killed" in caplog.text


def test_waiting_does_not_start_anything_again(bench):
    line = bench()
    child = line.start("import sys; sys.exit(1)")
    line.supervisor.wait_for(("score-0",), lambda: None)
    assert (child.exit_code, child.restart_total) == (1, 0)


def test_nothing_is_left_behind_not_even_what_children_started(bench):
    line = bench()
    line.start(PARENT)
    line.start(STUBBORN, "deaf")
    line.start(SLEEPS, "frozen")
    grandchild = int(line.wait_for_text())
    line.wait_for_text("deaf")
    kill(line.supervisor.children["frozen"], signal.SIGSTOP)
    pids = [child.process.pid for child in line.supervisor.children.values()]
    line.supervisor.ensure_stopped()
    deadline = time.monotonic() + 5
    while is_alive(grandchild) and time.monotonic() < deadline:
        time.sleep(0.01)  # its new parent reaps it
    assert not any(is_alive(pid) for pid in (*pids, grandchild))
    line.supervisor.ensure_stopped()


def test_a_process_that_does_not_die_does_not_hang_the_parent(bench, monkeypatch, caplog):
    monkeypatch.setattr("streamer.supervisor.KILL_TIMEOUT_S", 0.05)
    line = bench()
    child = line.start(SLEEPS)
    with monkeypatch.context() as patched:
        patched.setattr(os, "killpg", lambda *_: None)
        line.supervisor.kill(("score-0",))
    assert child.exit_code == -signal.SIGKILL
    assert "does not die" in caplog.text


def test_a_process_whose_work_nobody_takes_ends_at_once_and_without_blame(bench):
    line = bench()
    child = line.start(SLEEPS)
    line.supervisor.abandon(("score-0",))
    assert child.exit_code == -signal.SIGKILL
    assert not is_alive(child.process.pid)
    assert not child.has_failed
    line.supervisor.abandon(("score-0",))


def test_a_command_that_cannot_be_started_is_an_os_error(bench, tmp_path):
    line = bench()
    with pytest.raises(FileNotFoundError):
        line.supervisor.start(Command("x", ("/no/such/program",), True, tmp_path / "x.log"))
    assert "x" not in line.supervisor.children


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exit code 0"), (3, "exit code 3"), (-9, "signal SIGKILL"), (-45, "signal 45")],
)
def test_exits_in_words(code, words):
    assert describe_exit(code) == words
