"""A call that hangs holds nobody up; what it returns or raises is there once it is done."""

import threading
import time

import pytest

from streamer.sources.errand import Errand


def test_the_result_is_that_of_the_work():
    errand = Errand(lambda: 7)
    assert errand.wait(2.0)
    assert errand.result() == 7
    assert errand.result() == 7


@pytest.mark.parametrize("fault", [OSError("away"), ValueError("refused")])
def test_a_fault_is_raised_to_the_one_who_asks(fault):
    def work():
        raise fault

    errand = Errand(work)
    assert errand.wait(2.0)
    with pytest.raises(type(fault), match=str(fault)):
        errand.result()


def test_a_call_that_hangs_is_not_waited_for():
    released = threading.Event()
    started_s = time.monotonic()
    errand = Errand(lambda: released.wait(10))
    assert not errand.wait(0.05)
    assert time.monotonic() - started_s < 5
    released.set()
    assert errand.result() is True
