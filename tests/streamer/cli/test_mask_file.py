import cv2
import numpy as np
import pytest

from streamer.cli.mask_file import read_mask
from streamer.cli.options import UsageFault


def test_no_file_no_mask() -> None:
    assert read_mask(None) is None


@pytest.mark.parametrize("value", [1, 128, 255])
@pytest.mark.parametrize("channels", [1, 3])
def test_whatever_is_not_black_is_masked(tmp_path, value, channels) -> None:
    drawn = np.zeros((20, 30, 3), np.uint8)
    drawn[5:10, 7:9, -1] = value
    cv2.imwrite(str(tmp_path / "m.png"), drawn if channels == 3 else drawn[..., -1])
    flags = read_mask(tmp_path / "m.png")
    assert flags.dtype == bool
    np.testing.assert_array_equal(flags, drawn[..., -1] > 0)


def test_what_is_no_image_is_named(tmp_path) -> None:
    (tmp_path / "m.png").write_text("no image")
    with pytest.raises(UsageFault, match=r"m\.png: file must be a PNG, TIFF, BMP or JPEG image"):
        read_mask(tmp_path / "m.png")
    with pytest.raises(UsageFault, match=r"--mask must be readable, got No such file"):
        read_mask(tmp_path / "gone.png")
