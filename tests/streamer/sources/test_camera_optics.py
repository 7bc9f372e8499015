"""Light and lens change pixels where they should and nowhere else."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from streamer.fault_script import Fault
from streamer.sources.camera_optics import MARGIN, Optics
from streamer.web import WebGeometry

GEOMETRY = WebGeometry(20, 1.0, 1.0, 60.0)
LINES = np.arange(100, 200)


def spoiled(fault, dtype=np.uint8, channels=()) -> np.ndarray:
    pixels = np.full((100, 20, *channels), 100, dtype)
    script = TypeAdapter(list[Fault]).validate_python([fault])
    Optics(script, GEOMETRY).spoil(pixels, LINES)
    return pixels


def test_the_lamp_fades_from_its_place_on() -> None:
    pixels = spoiled({"kind": "lamp_ageing", "at_m": 0.15, "percent_per_m": 1000})
    assert np.all(pixels[:51] == 100)
    assert pixels[60, 0] == 90
    assert pixels[99, 0] == 51


def test_the_lamp_never_goes_out() -> None:
    pixels = spoiled({"kind": "lamp_ageing", "percent_per_m": 99_999})
    assert pixels.min() == 10


@pytest.mark.parametrize("kind", ["exposure_jump", "seam"])
def test_a_stretch_is_brighter_or_darker(kind: str) -> None:
    pixels = spoiled({"kind": kind, "at_m": 0.12, "length_m": 0.005, "gain": 0.5})
    assert np.flatnonzero(pixels[:, 7] != 100).tolist() == [20, 21, 22, 23, 24]
    assert np.all(pixels[20:25] == 50)


def test_brightness_is_clipped() -> None:
    assert spoiled({"kind": "exposure_jump", "gain": 4, "length_m": 9}).max() == 255


def test_dust_lies_in_its_columns() -> None:
    pixels = spoiled({"kind": "dust", "at_m": 0.15, "column": 4, "columns": 2, "gain": 0.6})
    assert np.all(pixels[50:, 4:6] == 60)
    assert np.count_nonzero(pixels != 100) == 100


@pytest.mark.parametrize("channels", [(), (3,)])
def test_the_margin_wanders(channels: tuple[int, ...]) -> None:
    fault = {"kind": "edge_wander", "at_m": 0.1, "width": 4, "amplitude": 2, "period_m": 0.1}
    pixels = spoiled(fault, np.uint16, channels)
    white = pixels == int(MARGIN * 65535)
    widths = white[..., 0].sum(axis=1) if channels else white.sum(axis=1)
    assert widths[0] == 8
    assert widths[25] == 12
    assert widths[75] == 4
    assert np.array_equal(white, white[:, ::-1])


def test_faults_of_frames_change_no_pixel() -> None:
    assert np.all(spoiled({"kind": "lost_frames", "at_m": 0.1}) == 100)
