"""Opening a surface by name, at the scale of the web."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.config import SimulatorSource, Web
from streamer.sources.fabric import Fabric
from streamer.sources.lattice import CHUNK_LINES
from streamer.sources.rail import Rail
from streamer.sources.surfaces import open_surface, thread_pitch_mm


@pytest.mark.parametrize(("name", "kind"), [("fabric", Fabric), ("rail", Rail)])
def test_the_settings_name_the_surface(name: str, kind: type):
    surface = open_surface(SimulatorSource(surface=name, columns=90), Web())

    assert isinstance(surface, kind)
    assert surface.reflectance(0).shape == (CHUNK_LINES, 90)


def test_the_seed_reaches_the_surface():
    one, two = (open_surface(SimulatorSource(seed=seed), Web()).reflectance(0) for seed in (3, 6))

    assert not np.array_equal(one, two)


@pytest.mark.parametrize(
    ("web", "pitch"),
    [
        (Web(pixel_mm=0.02), 0.5),
        (Web(pixel_mm=0.1), 0.5),
        (Web(pixel_mm=0.5), 2.25),
        (Web(pixel_mm=0.1, line_mm=1.0), 4.5),
    ],
)
def test_threads_are_fine_but_never_finer_than_the_camera_resolves(web: Web, pitch: float):
    assert thread_pitch_mm(web) == pytest.approx(pitch)


def test_threads_follow_the_scale_of_lines_and_columns():
    web = Web(pixel_mm=0.25, line_mm=0.5)  # as many mm, hence twice as many columns as lines
    surface = open_surface(SimulatorSource(columns=512, seed=0), web)
    lines = np.concatenate([surface.reflectance(chunk) for chunk in range(8)])

    periods = []
    for signal in (lines, lines.T):
        power = (np.abs(np.fft.rfft(signal - signal.mean(), axis=1)) ** 2).mean(axis=0)
        power[:20] = 0
        periods.append(512 / power.argmax())

    assert periods[0] == pytest.approx(2 * periods[1], rel=0.1)
