"""Single images on their way to the score: narrow webs beside margins, and blank pictures."""

import cv2
import numpy as np
import pytest

from streamer.cli.evaluate_maps import score_stills
from streamer.cli.stills import require_whole_windows, still_lesson, still_of
from streamer.config import Config
from streamer.correction.still import Still


@pytest.fixture
def noise():
    return np.random.default_rng(3).integers(0, 256, (128, 160), np.uint8)


@pytest.fixture
def strip(noise):
    """Web of 40 columns, the others are no web."""
    off_web = np.zeros(noise.shape, bool)
    off_web[:, 40:] = True
    return Still(noise, off_web)


def test_windows_are_those_that_the_web_beside_a_margin_holds(strip, noise, blocks):
    assert still_lesson(strip, Config(), blocks.spec).method.patch_size == 5
    assert still_lesson(Still(noise), Config(), blocks.spec).method.patch_size == 9


def test_an_image_that_holds_no_window_is_told_so_before_its_web_is_sought(blocks):
    tiny = Still(np.zeros((8, 8), np.uint8), np.ones((8, 8), bool))
    with pytest.raises(ValueError, match="at least 17 pixels"):
        still_lesson(tiny, Config(), blocks.spec)
    blank = Still(np.zeros((64, 64), np.uint8), np.ones((64, 64), bool))
    with pytest.raises(ValueError, match="image must show web"):
        still_lesson(blank, Config(), blocks.spec)


def test_the_rate_is_the_share_of_100_m_that_the_image_is_long(noise, blocks):
    # 128 lines of 0.5 mm are 0.064 m.
    lesson = still_lesson(Still(noise), Config(), blocks.spec)
    assert lesson.target.false_alarms_per_100m == pytest.approx(0.01 * 100 / 0.064)


def test_windows_of_a_profile_do_not_shrink(strip, noise, blocks):
    narrow = still_lesson(strip, Config(), blocks.spec)
    with pytest.raises(ValueError, match="windows of 72 pixels"):
        require_whole_windows(strip, Config(), narrow)
    whole = Still(noise)
    require_whole_windows(whole, Config(), still_lesson(whole, Config(), blocks.spec))


def test_a_blank_picture_is_judged_by_a_profile_alone():
    black = np.zeros((128, 160), np.uint8)
    assert still_of(black, Config(), has_profile=False).off_web.all()
    assert still_of(black, Config(), has_profile=True).off_web is None
    mask = np.ones(black.shape, bool)
    assert still_of(black, Config(), has_profile=True, off_web=mask).off_web is mask


def test_an_evaluation_shrinks_the_windows_of_a_narrow_web_as_inspect_does(
    tmp_path, noise, blocks, monkeypatch
):
    off_web = np.zeros(noise.shape, bool)
    off_web[:, 40:] = True
    monkeypatch.setattr("streamer.correction.still.find_off_web", lambda _: off_web)
    path = tmp_path / "narrow.png"
    cv2.imwrite(str(path), noise)
    found = score_stills([path], Config(), blocks, normalised=False)
    assert found.faults == ()
    assert found.maps[0].patch_size == 5
    assert np.isnan(found.maps[0].scores[:, 5:]).all()
    assert np.isfinite(found.maps[0].scores[:, :5]).all()
