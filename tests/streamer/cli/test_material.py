"""Images for calibrating and comparing: a folder's middle parts, or simulated webs."""

import cv2
import numpy as np
import pytest

from streamer.cli.material import (
    MOST_IMAGES,
    MOST_PIXELS,
    calibration_material,
    comparison_material,
)
from streamer.cli.options import UsageFault
from streamer.compose.calibration_web import simulated_defects, simulated_webs


@pytest.fixture
def folder(tmp_path):
    chosen = tmp_path / "webs"
    chosen.mkdir()
    return chosen


def write(folder, name, pixels):
    cv2.imwrite(str(folder / name), pixels)


def test_a_folder_is_read_in_the_order_of_its_names(folder):
    write(folder, "b.png", np.full((16, 24), 2, np.uint8))
    write(folder, "a.png", np.full((16, 24), 1, np.uint8))
    (folder / "notes.txt").touch()
    found = calibration_material(str(folder))
    assert found.name == "webs"
    assert [int(pixels[0, 0]) for pixels in found.images] == [1, 2]
    assert comparison_material(str(folder)).digest == found.digest


def test_of_a_large_image_the_middle_is_used(folder):
    pixels = np.zeros((16, MOST_PIXELS + 20), np.uint8)
    pixels[:, 10] = 7
    write(folder, "wide.png", pixels)
    (found,) = calibration_material(str(folder)).images
    assert found.shape == (16, MOST_PIXELS)
    assert found[:, 0].tolist() == [7] * 16


def test_many_images_are_thinned_evenly(folder):
    for number in range(2 * MOST_IMAGES + 1):
        write(folder, f"{number:03}.png", np.full((8, 8), number, np.uint8))
    found = [int(pixels[0, 0]) for pixels in calibration_material(str(folder)).images]
    assert len(found) <= MOST_IMAGES
    assert found == list(range(0, 2 * MOST_IMAGES + 1, 3))


def test_simulated_webs_have_defects_only_for_comparing():
    assert calibration_material("simulator").digest == simulated_webs().digest
    assert comparison_material("simulator").digest == simulated_defects().digest
    assert simulated_webs().digest != simulated_defects().digest


@pytest.mark.parametrize(
    ("read", "option"),
    [(calibration_material, "--calibrate-on"), (comparison_material, "--verify")],
)
def test_what_is_no_folder_is_refused_by_the_option(read, option, folder):
    with pytest.raises(UsageFault, match=f"{option} must be a folder of images or 'simulator'"):
        read("simulater")
    with pytest.raises(UsageFault, match=f"{option} must be a folder of images, got: .*webs"):
        read(str(folder))
    (folder / "broken.png").write_bytes(b"\x89PNG")
    with pytest.raises(UsageFault, match=f"{option} must be a folder of images, got: .*broken"):
        read(str(folder))
