"""Images and their labels as the sets lie on the disk."""

import cv2
import numpy as np
import pytest
from labelled_images import BOX_SETS, PIXEL_SETS, choose_sets, list_images, read_image


def write(folder, name, pixels, mask=None):
    for kind, values in (("images", pixels), ("masks", mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        if values is not None:
            cv2.imwrite(str(folder / kind / f"{name}.png"), values)
    return folder / "images" / f"{name}.png"


class TestSets:
    def test_no_name_is_all(self):
        assert choose_sets([]) == (*PIXEL_SETS, *BOX_SETS)

    def test_the_order_is_ours(self):
        assert choose_sets(["rail400", "aitex"]) == ("aitex", "rail400")

    def test_an_unknown_set(self):
        with pytest.raises(ValueError, match=r"--sets must be of leather_custom, .*, got wood"):
            choose_sets(["wood"])

    def test_classes_and_names_in_order(self, tmp_path):
        pixels = np.zeros((8, 8), np.uint8)
        for class_name in ("b", "a"):
            for name in ("2", "1"):
                write(tmp_path / "set" / class_name, name, pixels)
        found = list_images(tmp_path, "set")
        assert list(found) == ["a", "b"]
        assert [path.stem for path in found["b"]] == ["1", "2"]

    @pytest.mark.parametrize(("limit", "stems"), [(2, ["0", "3"]), (3, ["0", "2", "4"])])
    def test_a_limit_spreads(self, tmp_path, limit, stems):
        for name in range(6):
            write(tmp_path / "set" / "a", str(name), np.zeros((8, 8), np.uint8))
        assert [path.stem for path in list_images(tmp_path, "set", limit)["a"]] == stems

    def test_a_limit_above_the_number_is_all(self, tmp_path):
        write(tmp_path / "set" / "a", "0", np.zeros((8, 8), np.uint8))
        assert len(list_images(tmp_path, "set", 9)["a"]) == 1

    def test_no_images(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="aitex: images must exist, got no"):
            list_images(tmp_path, "aitex")


class TestImage:
    def test_colours_are_red_green_blue(self, tmp_path):
        pixels = np.zeros((20, 20, 3), np.uint8)
        pixels[:, :, 2] = 200  # OpenCV writes blue, green, red
        path = write(tmp_path, "a", pixels, np.zeros((20, 20), np.uint8))
        assert read_image(path).pixels[0, 0].tolist() == [200, 0, 0]

    def test_grey_has_three_equal_channels(self, tmp_path):
        path = write(tmp_path, "a", np.full((20, 20), 9, np.uint8), np.zeros((20, 20), np.uint8))
        assert read_image(path).pixels[3, 4].tolist() == [9, 9, 9]

    def test_what_the_crop_leaves_of_a_region_is_the_region(self, tmp_path):
        mask = np.zeros((40, 60), np.uint8)
        mask[2:8, 20:30] = 255  # half of it outside
        mask[0:2, 40:50] = 255  # all of it outside
        mask[20, 20] = mask[21, 21] = 255  # touch at a corner
        image = read_image(write(tmp_path, "a", np.zeros((40, 60), np.uint8), mask))
        assert image.regions.shape == (32, 48)
        assert np.bincount(image.regions.ravel())[1:].tolist() == [4 * 10, 2]

    def test_no_mask_is_not_clean(self, tmp_path):
        path = write(tmp_path, "a", np.zeros((20, 20), np.uint8))
        with pytest.raises(FileNotFoundError, match=r"must exist and be readable, got .*masks"):
            read_image(path)

    def test_no_image(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="image must exist"):
            read_image(tmp_path / "images" / "a.png")

    def test_a_mask_of_another_size(self, tmp_path):
        path = write(tmp_path, "a", np.zeros((20, 20), np.uint8), np.zeros((20, 21), np.uint8))
        with pytest.raises(ValueError, match=r"mask must be 20 x 20 as its image, got \(20, 21\)"):
            read_image(path)
