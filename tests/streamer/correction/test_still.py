import numpy as np
import pytest

from streamer.config import Config
from streamer.correction.still import Still, prepare_still


def settings(mode: str = "auto", light: str = "off") -> Config:
    return Config.model_validate({"edges": {"mode": mode}, "correction": {"light": light}})


@pytest.fixture
def strip(weave) -> np.ndarray:
    pixels = weave(256, 600, 0)
    pixels[:, :120] = 255
    return pixels


def test_a_margin_is_found_when_asked_for(strip):
    found = prepare_still(strip, settings())
    assert found.off_web[:, :120].all()
    assert found.pixels is strip
    assert prepare_still(strip, settings("off")).off_web is None


def test_a_mask_of_the_user_takes_the_place_of_the_search(strip):
    own = np.zeros(strip.shape, bool)
    own[:, 300:320] = True
    for mode in ("auto", "off"):
        np.testing.assert_array_equal(prepare_still(strip, settings(mode), own).off_web, own)


def test_light_is_evened_over_the_web_alone(strip):
    strip[:, 120:] = (strip[:, 120:] * np.linspace(1, 0.6, 480)).astype(np.uint8)
    evened = prepare_still(strip, settings(light="slow")).pixels
    ends = evened[:, 140:240].mean(), evened[:, 500:].mean()
    assert ends[0] == pytest.approx(ends[1], rel=0.05)


def test_a_mask_of_another_size_is_refused(strip):
    with pytest.raises(ValueError, match=r"mask must be 256 x 600 as its image, got \(600, 256\)"):
        Still(strip, np.zeros((600, 256), bool))


def test_the_background_is_evened_as_configured(strip):
    assert prepare_still(strip, settings()).evens_background
    off = Config.model_validate({"correction": {"background": "off"}})
    assert not prepare_still(strip, off).evens_background
