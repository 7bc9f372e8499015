"""The base of all sections: nothing unknown, nothing changed afterwards, no number that is none."""

import pytest
from pydantic import ValidationError

from streamer.section import Section


class Sample(Section):
    level: float = 1.0


@pytest.mark.parametrize("content", [{"levl": 1.0}, {"level": float("nan")}])
def test_a_section_refuses_unknown_keys_and_numbers_that_are_none(content):
    with pytest.raises(ValidationError):
        Sample(**content)


def test_a_section_does_not_change():
    sample = Sample(level=2.0)
    with pytest.raises(ValidationError, match="frozen"):
        sample.level = 3.0
    assert sample.level == 2.0
