"""The factory picks the source that the settings name."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from streamer import config
from streamer.message import Interval
from streamer.sources import open_source
from streamer.sources.line_buffer import new_buffer

WEB = config.Web(pixel_mm=0.5, web_speed_m_min=60.0)  # 2 kHz


@pytest.fixture
def array(tmp_path):
    pixels = np.arange(4000, dtype=np.uint8).reshape(100, 40)
    np.save(tmp_path / "a.npy", pixels)
    return tmp_path / "a.npy"


def test_simulator():
    settings = config.SimulatorSource(columns=96, length_m=0.05)
    source = open_source(settings, WEB, 10)
    block = source.read_into(new_buffer(source.format, 8))
    assert (block.first_line, block.columns) == (10, 96)
    source.close()


def test_replay(array):
    source = open_source(config.ReplaySource(path=array), WEB, 10)
    block = source.read_into(new_buffer(source.format, 8))
    assert block.first_line == 10
    np.testing.assert_array_equal(block.pixels, np.load(array)[10:18])
    source.close()


def test_line_rate_holds_the_source_back(array):
    source = open_source(config.ReplaySource(path=array, pace="line_rate"), WEB)
    buffer = new_buffer(source.format, 100)
    block = source.read_into(buffer)
    assert source.format.columns == 40
    again = open_source(config.ReplaySource(path=array), WEB).read_into(buffer)
    assert type(source).__name__ == "PacedSource"
    assert block.valid_lines == again.valid_lines == 100
    source.close()


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"source\.path must exist, got .*none"):
        open_source(config.ReplaySource(path=tmp_path / "none"), WEB)


def test_importing_the_factory_imports_no_decoder():
    code = "import sys, streamer.sources; print([m for m in ('cv2', 'PIL') if m in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_edges_are_masked_where_they_are_asked_for(array):
    settings = config.ReplaySource(path=array)
    fixed = config.Edges(stream="fixed", margin_left_mm=2)
    masked = [
        source.read_into(new_buffer(source.format, 8)).masked
        for edges in (None, config.Edges(), fixed)
        for source in [open_source(settings, WEB, 0, edges)]
    ]
    assert masked == [(), (), (Interval(0, 4),)]
