"""Sections of the configuration: what follows from them, and that they cannot change."""

from typing import get_args

import pytest

from streamer import config
from streamer.config import Config


def test_line_rate_follows_speed_and_line():
    web = config.Web(pixel_mm=0.5, web_speed_m_min=60)
    assert (web.down_mm, web.line_rate_hz) == (0.5, 2000)
    assert config.Web(pixel_mm=0.5, line_mm=0.25, web_speed_m_min=60).line_rate_hz == 4000


def test_sections_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Config().web.pixel_mm = 1


def test_both_kinds_of_source_are_known():
    kinds = {kind.model_fields["kind"].default for kind in get_args(get_args(config.Source)[0])}
    assert kinds == {"simulator", "replay"}
