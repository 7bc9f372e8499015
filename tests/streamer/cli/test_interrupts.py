"""When signals take effect."""

import os
import signal

import pytest

from streamer.cli.interrupts import interrupts_held, terminated_like_interrupted


def test_a_held_interrupt_takes_effect_at_the_end():
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts_held():  # noqa: PT012 - where it comes matters
        os.kill(os.getpid(), signal.SIGINT)
        reached.append("end")
    assert reached == ["end"]


def test_without_an_interrupt_nothing_happens_and_nothing_stays_blocked():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with interrupts_held():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_sigterm_interrupts_so_that_what_was_begun_is_cleaned_up():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminated_like_interrupted():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
