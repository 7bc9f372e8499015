"""Stop requests: real signals, and a parent that is no longer there."""

import os
import signal
import subprocess
import sys

import pytest

from streamer.compose.signals import StopRequest


@pytest.fixture
def stop():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield StopRequest().install()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_a_request(stop, number):
    assert not stop()
    signal.raise_signal(number)
    assert stop()
    assert stop()


def test_a_second_interrupt_interrupts(stop):
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_terminating_twice_only_asks_twice(stop):
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    assert stop()


def test_the_first_interrupt_after_a_terminate_does_not_cut_the_draining_short(stop):
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)
    assert stop()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_the_death_of_the_parent_is_a_request():
    assert not StopRequest(parent=os.getppid())()
    gone = StopRequest(parent=1 << 30)
    assert gone()
    assert gone.requested


def test_a_process_that_listens_ends_by_itself():
    code = (
        "import time; from streamer.compose.signals import StopRequest\n"
        "stop = StopRequest().install(); print('ready', flush=True)\n"
        "while not stop(): time.sleep(0.005)\n"
        "print('drained')"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        child.send_signal(signal.SIGTERM)
        assert child.communicate(timeout=10)[0] == b"drained\n"
        assert child.returncode == 0
