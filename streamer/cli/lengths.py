"""Lengths as people write them on a command line; knows no command."""

from __future__ import annotations

import re

from streamer.cli.options import UsageFault

_MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "km": 1e6}
_LENGTH = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(mm|cm|m|km)\s*")


def read_length_mm(option: str, text: str) -> float:
    """Millimetres of "120m", "120 m" or "120000mm".

    Raises:
        UsageFault: it is no length, or has no unit.
    """
    found = _LENGTH.fullmatch(text)
    if found is None:
        msg = f"{option} must be a length with its unit, such as 120m or 850mm, got {text!r}"
        raise UsageFault(msg)
    return float(found[1]) * _MM[found[2]]
