"""The fault script refuses what cannot happen and says which key is wrong."""

import pytest
from pydantic import TypeAdapter, ValidationError

from streamer.fault_script import MOTION, OPTICAL, Fault, Overspeed, Reverse

ANY = TypeAdapter(Fault)


def test_a_kind_chooses_its_keys() -> None:
    fault = ANY.validate_python({"kind": "reverse", "at_m": 3, "back_m": 0.5})
    assert fault == Reverse(kind="reverse", at_m=3.0, back_m=0.5)
    assert isinstance(fault, MOTION)
    assert not isinstance(fault, OPTICAL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "earthquake"},
        {"kind": "reverse", "lines": 3},
        {"kind": "overspeed", "factor": 1.0},
        {"kind": "overspeed", "length_m": float("inf")},
        {"kind": "lost_lines", "lines": 0},
        {"kind": "partial_frame", "valid_share": 1.5},
        {"kind": "dust", "column": -1},
        {"kind": "stop", "at_m": -1},
    ],
)
def test_what_cannot_happen_is_refused(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        ANY.validate_python(wrong)


def test_every_key_has_a_default_that_shows_the_fault() -> None:
    assert Overspeed(kind="overspeed").factor > 1
