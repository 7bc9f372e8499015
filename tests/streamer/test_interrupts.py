"""When signals take effect."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib import import_module

import pytest

from streamer.interrupts import interrupts_held, terminated_like_interrupted

# A stand-in for a slow import of a library that has a thread of its own.
SLOW_IMPORT = """
import sys, threading, time
from streamer.interrupts import interrupts_held
threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
try:
    with interrupts_held():
        print("importing", flush=True)
        sys.stdin.readline()
        print("imported", flush=True)
    for _ in range(1000):  # The other thread may be slow to receive it.
        time.sleep(0.01)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.fixture
def other_thread() -> Iterator[None]:
    """A thread that the process's signals may go to."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    yield
    end.set()
    thread.join()


@pytest.fixture
def wait_for_signal() -> Iterator[Callable[[], bytes]]:
    """Waits until a signal has reached any thread of the process; returns its number."""
    reads, writes = socket.socketpair()
    reads.settimeout(10)
    writes.setblocking(False)
    before = signal.set_wakeup_fd(writes.fileno())
    yield lambda: reads.recv(1)
    signal.set_wakeup_fd(before)
    reads.close()
    writes.close()


def test_a_held_interrupt_takes_effect_at_the_end():
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts_held():  # noqa: PT012 - where it comes matters
        signal.raise_signal(signal.SIGINT)  # To this thread, whatever others there are.
        reached.append("end")
    assert reached == ["end"]


@pytest.mark.usefixtures("other_thread")
def test_an_interrupt_that_another_thread_receives_is_held_too(wait_for_signal):
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts_held():  # noqa: PT012 - where it comes matters
        os.kill(os.getpid(), signal.SIGINT)
        assert wait_for_signal() == bytes([signal.SIGINT])
        reached.append("end")
    assert reached == ["end"]


def test_an_interrupt_from_outside_during_slow_imports_takes_effect_after_them():
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_IMPORT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        process.stdin.write("go on\n")
        process.stdin.close()
        assert process.stdout.read() == "imported\ninterrupted\n"
    assert process.returncode == 0


def test_an_error_goes_on_when_no_interrupt_came():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ImportError, match="no_such_library"), interrupts_held():
        import_module("no_such_library")
    assert signal.getsignal(signal.SIGINT) is before


def test_without_an_interrupt_nothing_happens_and_nothing_stays_changed():
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    handler = signal.getsignal(signal.SIGINT)
    with interrupts_held():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
    assert signal.getsignal(signal.SIGINT) is handler


def test_an_ignored_interrupt_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_held():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_sigterm_interrupts_so_that_what_was_begun_is_cleaned_up():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminated_like_interrupted():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
