"""What the settings say of the counters reaches those who turn frames into lines."""

import pytest
from pydantic import ValidationError

from streamer.camera_sections import ChunkNames, GenicamSource
from streamer.config import Web
from streamer.sources.camera_lines import line_rules
from streamer.sources.frame import CounterBits


def source(**keys):
    return GenicamSource(address="10.0.0.2", **keys)


def test_the_line_rate_is_the_camera_s_else_that_of_the_web():
    web = Web(pixel_mm=0.5, web_speed_m_min=60)
    assert line_rules(source(), web).line_rate_hz == 2000
    assert line_rules(source(line_rate_hz=5000), web).line_rate_hz == 5000


def test_the_encoder_counts_only_with_a_chunk_that_holds_it():
    chunks = ChunkNames(encoder_first="ChunkEncoderValue", encoder_bits=16)
    rules = line_rules(source(chunks=chunks, encoder_counts_per_line=-2.5), Web())
    assert rules.counts_per_line == -2.5
    assert rules.bits == CounterBits(64, 32, 16)
    assert line_rules(source(), Web()).counts_per_line is None
    with pytest.raises(ValidationError, match=r"needs chunks.encoder_first, got null"):
        source(encoder_counts_per_line=2)
    with pytest.raises(ValidationError, match="must not be 0"):
        source(chunks=chunks, encoder_counts_per_line=0)
