"""What becomes of a command whose reader leaves."""

import os
from contextlib import suppress

import pytest

from streamer.cli.console import AnswerConsole, ProgressConsole


@pytest.fixture
def unread():
    """A pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    file = os.fdopen(writing, "w")
    yield file
    with suppress(BrokenPipeError):
        file.close()


def test_an_answer_that_nobody_takes_is_a_fault(unread):
    with pytest.raises(BrokenPipeError):
        AnswerConsole(file=unread).print("the answer")


def test_progress_that_nobody_sees_goes_on_in_silence(unread):
    console = ProgressConsole(file=unread)
    console.print("12 %")
    console.print("13 %")
    assert console.quiet
