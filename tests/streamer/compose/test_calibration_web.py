"""Simulated webs for int8: always the same, and of every kind."""

from __future__ import annotations

import numpy as np

from streamer.compose.calibration_web import simulated_defects, simulated_webs


def test_they_are_the_same_pixels_each_time() -> None:
    assert simulated_webs().digest == simulated_webs().digest
    assert simulated_webs().name == "simulator"


def test_they_are_textures_in_mono_and_rgb() -> None:
    images = simulated_webs().images
    assert {pixels.ndim for pixels in images} == {2, 3}
    for pixels in images:
        assert pixels.shape[:2] == (512, 512)
        assert pixels.dtype == np.uint8
        assert pixels.std() > 2
        assert pixels[-1].std() > 1  # the whole buffer was filled


def test_half_of_them_use_the_whole_range() -> None:
    images = simulated_webs().images
    plain, stretched = images[: len(images) // 2], images[len(images) // 2 :]
    for before, after in zip(plain, stretched, strict=True):
        assert after.shape == before.shape
        assert (after.min(), after.max()) == (0, 255)
        assert after.std() > before.std()


def test_webs_with_defects_are_others_and_always_the_same() -> None:
    assert simulated_defects().digest == simulated_defects().digest
    assert len(simulated_defects().images) == 4
    clean = {pixels.tobytes() for pixels in simulated_webs().images}
    assert not clean & {pixels.tobytes() for pixels in simulated_defects().images}
