"""Margins are found wherever they are, and nothing else is: a false mask hides defects."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.correction.off_web import find_off_web

MANY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SEEDS = st.integers(0, 10_000)
SIZES = st.tuples(st.integers(100, 420), st.integers(100, 420))
SIDES = st.sampled_from(["left", "right", "top", "bottom"])
# What lies beside webs: level and noise of the table, and texture none of them has.
TABLES = st.sampled_from([(255, 0), (250, 2), (8, 2), (5, 1), (235, 4), (14, 3)])


def from_left(pixels: np.ndarray, side: str) -> np.ndarray:
    """A view whose left side is `side`."""
    turned = pixels if side in ("left", "right") else pixels.swapaxes(0, 1)
    return turned if side in ("left", "top") else turned[:, ::-1]


def add_margin(pixels, side, table, border, seed=0):
    """Write a table up to `border` (pixels from the side, for each line of the view)."""
    view = from_left(pixels, side)
    level, noise = table
    values = np.random.default_rng(seed).normal(level, noise, view.shape)
    margin = np.arange(view.shape[1]) < border[:, None]
    view[margin] = np.clip(values, 0, 255).astype(np.uint8)[margin]
    truth = np.zeros(pixels.shape, dtype=bool)
    from_left(truth, side)[margin] = True
    return truth


class TestNothingIsMaskedWithoutAMargin:
    @MANY
    @given(size=SIZES, seed=SEEDS)
    def test_plain_textures(self, texture, size, seed):
        assert not find_off_web(texture(*size, seed)).any()

    @MANY
    @given(size=SIZES, seed=SEEDS, value=st.sampled_from([0, 20, 255]), place=st.floats(0, 1))
    def test_a_patch_in_the_middle(self, weave, size, seed, value, place):
        pixels = weave(*size, seed)
        lines, columns = size
        top = int(lines * (0.15 + 0.2 * place))
        pixels[top : top + lines // 2, columns // 4 : columns // 4 + columns // 2] = value
        assert not find_off_web(pixels).any()

    @MANY
    @given(
        size=SIZES, seed=SEEDS, side=SIDES, value=st.sampled_from([0, 15, 255]),
        depth=st.floats(0.03, 0.4), length=st.floats(0.1, 0.85), place=st.floats(0, 1),
    )  # fmt: skip
    def test_a_hole_that_touches_the_border(
        self, weave, size, seed, side, value, depth, length, place
    ):
        pixels = weave(*size, seed)
        view = from_left(pixels, side)
        long = int(length * view.shape[0])
        first = int(place * (view.shape[0] - long))
        view[first : first + long, : int(depth * view.shape[1])] = value
        assert not find_off_web(pixels).any()

    @MANY
    @given(seed=SEEDS, side=SIDES, radius=st.integers(30, 260))
    def test_a_round_stain_over_a_side(self, weave, seed, side, radius):
        pixels = weave(256, 256, seed)
        view = from_left(pixels, side)
        y, x = np.mgrid[: view.shape[0], : view.shape[1]]
        view[(y - 128) ** 2 + (x + radius // 2) ** 2 < radius**2] //= 6
        assert not find_off_web(pixels).any()

    @MANY
    @given(seed=SEEDS, side=SIDES, darkest=st.floats(0.05, 0.9), reach=st.floats(0.2, 1))
    def test_light_that_falls_off(self, weave, seed, side, darkest, reach):
        pixels = weave(200, 300, seed)
        view = from_left(pixels, side)
        gain = np.clip(np.arange(view.shape[1]) / (reach * view.shape[1]), 0, 1)
        view[:] = (view * (darkest + (1 - darkest) * gain)).astype(np.uint8)
        assert not find_off_web(pixels).any()

    @pytest.mark.parametrize("size", [(1, 1), (17, 17), (17, 900), (90, 95), (900, 60)])
    def test_pictures_too_small_to_tell(self, weave, size):
        pixels = weave(*size, 0)
        pixels[:, : size[1] // 4] = 255
        assert not find_off_web(pixels).any()

    def test_margins_that_leave_hardly_any_web_are_none(self, weave):
        pixels = weave(300, 300, 1)
        pixels[:, :100], pixels[:, 200:] = 255, 255
        pixels[:100], pixels[200:] = 255, 255
        assert not find_off_web(pixels).any()


class TestMarginsAreFound:
    @MANY
    @given(
        size=st.tuples(st.integers(200, 420), st.integers(200, 420)), seed=SEEDS, side=SIDES,
        table=TABLES, depth=st.floats(0.08, 0.35), tilt=st.floats(-0.04, 0.04),
        wobble=st.floats(0, 3),
    )  # fmt: skip
    def test_at_every_side_with_every_table(
        self, weave, size, seed, side, table, depth, tilt, wobble
    ):
        pixels = weave(*size, seed)
        along, across = from_left(pixels, side).shape
        line = np.arange(along)
        border = depth * across + tilt * (line - along / 2) + wobble * np.sin(line / 30)
        truth = add_margin(pixels, side, table, border, seed)
        found = find_off_web(pixels)
        assert (truth & ~found).sum() <= 2 * along
        # The border itself, the guard and the roundness of the cells: no more.
        assert (found & ~truth).sum() <= 14 * along

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_in_every_kind_of_picture(self, weave, dtype, channels):
        pixels = weave(256, 1000, 3).astype(dtype)
        pixels[:, :300] = 255
        if dtype == np.uint16:
            pixels *= 257
        if channels == 3:
            pixels = np.stack([pixels] * 3, axis=2)
        found = find_off_web(pixels)
        assert found.shape == (256, 1000)
        assert found[:, :300].all()
        assert not found[:, 316:].any()

    def test_a_table_as_grey_as_the_web_by_its_lack_of_texture(self, weave):
        pixels = weave(256, 800, 4)
        table = np.random.default_rng(0).normal(115, 3, (256, 200))
        pixels[:, :200] = table.astype(np.uint8)
        found = find_off_web(pixels)
        assert found[:, :200].all()
        assert not found[:, 216:].any()

    def test_a_speck_on_the_table_does_not_end_it(self, weave):
        pixels = weave(256, 800, 4)
        texture = pixels[100:130, 40:70].copy()
        pixels[:, :240] = 250
        pixels[100:130, 40:70] = texture
        assert find_off_web(pixels)[:, :240].all()

    def test_a_frame_on_all_sides(self, weave):
        pixels = weave(300, 400, 5)
        pixels[:24], pixels[-16:], pixels[:, :20], pixels[:, -40:] = 4, 4, 4, 4
        found = find_off_web(pixels)
        assert (found[:24].all(), found[-16:].all()) == (True, True)
        assert (found[:, :20].all(), found[:, -40:].all()) == (True, True)
        assert not found[40:-32, 36:-56].any()

    def test_bright_edge_lines_follow_a_margin_but_are_web_without_one(self, weave):
        lined = weave(256, 900, 6)
        lined[:, 160:166], lined[:, 180:190] = 240, 30
        assert not find_off_web(lined).any()
        lined[:, :160] = 12
        found = find_off_web(lined)
        assert found[:, :190].all()
        assert not found[:, 205:].any()

    @MANY
    @given(seed=SEEDS, place=st.integers(20, 200), value=st.sampled_from([0, 255]))
    def test_a_defect_at_a_margin_is_still_judged(self, weave, seed, place, value):
        pixels = weave(256, 600, seed)
        pixels[:, :100] = 255
        defect = (slice(place, place + 32), slice(100, 148))
        pixels[defect] = value
        found = find_off_web(pixels)
        assert found[:, :100].all()
        assert (~found[defect]).mean() > 0.6

    @pytest.mark.parametrize("value", [0, 255])
    def test_a_blank_picture_shows_no_web_at_all(self, value):
        pixels = np.full((120, 150), value, np.uint8)
        pixels[5, 5] = 128
        assert find_off_web(pixels).all()

    def test_a_picture_is_not_changed(self, weave):
        pixels = weave(256, 600, 0)
        pixels[:, :100] = 255
        before = pixels.copy()
        find_off_web(pixels)
        np.testing.assert_array_equal(pixels, before)
