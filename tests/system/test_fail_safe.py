"""Whatever breaks, the registers of the PLC say so, and that it is over (see RELIABILITY.md)."""

import ctypes
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
from aravis_camera import LIBRARY  # noqa: E402
from fail_safe import FAULTS, try_fault  # noqa: E402

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

PATIENCE_S = 1.5  # try_fault looks no longer: a fault that is seen is seen within it
CHOSEN = (
    "kill -9 of the score worker",
    "kill -9 of capture",
    "camera hangs",
    "SIGSTOP of the sink",
    "disk full",
    "kill -9 of the parent",
)


@pytest.mark.parametrize("name", CHOSEN)
def test_the_plc_is_told_of_a_fault_and_of_its_end(name):
    (fault,) = [known for known in FAULTS if known.name == name]
    if fault.settings.get("source.kind") == "genicam":
        _require_camera()
    outcome = try_fault(fault)
    assert outcome.sighting.blind_s is not None
    assert outcome.sighting.blind_s <= PATIENCE_S
    assert (outcome.recovered_s is not None) == fault.recovers


def _require_camera() -> None:
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        if os.environ.get("CI") == "true":
            pytest.fail("libaravis-0.8-0 must be installed in CI")
        pytest.skip("libaravis-0.8-0 is not installed")
