import subprocess
import sys

import pytest

from streamer.compose import heap

PROGRAM = """
import resource, sys
import numpy as np
from streamer.compose.heap import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def tiles():
    return [np.ones(1 << 20, np.uint8) for _ in range(12)]
tiles()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    tiles()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    command = [sys.executable, "-c", PROGRAM, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_freed_memory_is_used_again_without_new_pages():
    assert faults("keep") < 200
    assert faults("leave") > 2000  # else this is of no use


def test_without_mallopt_nothing_happens(monkeypatch):
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _name: object())
    assert heap.keep_freed_memory() is False
