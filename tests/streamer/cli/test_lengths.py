"""Lengths on the command line: a unit is never guessed."""

import pytest

from streamer.cli.lengths import read_length_mm
from streamer.cli.options import UsageFault


@pytest.mark.parametrize(
    ("text", "mm"),
    [("120m", 120_000), ("120 m", 120_000), ("120000mm", 120_000), (" 2.5 cm ", 25), (".5m", 500),
     ("1.km", 1e6), ("0m", 0)],
)  # fmt: skip
def test_a_length_has_a_number_and_a_unit(text, mm):
    assert read_length_mm("--from", text) == mm


@pytest.mark.parametrize("text", ["120", "m", "", "-1m", "1e3m", "1,5m", "nanm", "3 yards"])
def test_anything_else_is_refused(text):
    refused = "--from must be a length with its unit, such as 120m or 850mm, got "
    with pytest.raises(UsageFault, match=refused):
        read_length_mm("--from", text)
