"""`linescan schema`: JSON schemas that describe what the program really reads and writes."""

import json

import pytest

from streamer.cli import run_command
from streamer.config import Config


@pytest.fixture
def schema(capsys):
    def show(*of):
        assert run_command(["schema", *of]) == 0
        return json.loads(capsys.readouterr().out)

    return show


def test_every_section_and_its_ranges_are_there(schema):
    shown = schema()
    assert shown == schema("config")
    assert set(shown["properties"]) == set(Config.model_fields)
    assert shown["additionalProperties"] is False
    tiles = shown["$defs"]["Tiles"]["properties"]
    assert (tiles["lines"]["minimum"], tiles["lines"]["default"]) == (8, 512)
    assert set(shown["$defs"]) >= {"SimulatorSource", "ReplaySource"}


def test_alarms_have_one_too(schema):
    assert schema("alarm") != schema("config")
    assert "properties" in schema("alarm")
