"""What all tests share: properties are judged by what they find, and Ctrl-C means Ctrl-C."""

import signal

import pytest
from hypothesis import settings

settings.register_profile(
    "linescan", deadline=None
)  # the machine is shared, and timing proves nothing
settings.load_profile("linescan")

# A job in the background of a shell starts with interrupts ignored, and so would all that it
# starts: tests of Ctrl-C, in this process and in the program's, would wait for nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _interrupts_are_obeyed():
    """A test that leaves them ignored, as a worker does, must not change those after it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
