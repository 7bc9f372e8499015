"""The forms: which there are, that each is what its name says, and what it leaves alone."""

import numpy as np
import pytest
import torch
from fca_forms import BASE, choose_forms, known_forms, round_to_levels, scale_features, score_form

import kernels
from streamer.scoring.fca import FcaExact, FcaFast
from streamer.scoring.features import ChannelScale
from streamer.scoring.quantized_fca import QuantizedFca


@pytest.fixture(scope="module")
def features():
    generator = np.random.default_rng(11)
    values = np.maximum(generator.normal(0.3, 1, (130, 24, 26)), 0) * 2
    return torch.tensor(np.minimum(values, 6), dtype=torch.float32)


@pytest.fixture(scope="module")
def scale():
    return ChannelScale(torch.zeros(130), torch.full((130,), 1 / 6))


def score(name, features, scale):
    (form,) = (form for form in known_forms() if form.name == name)
    return score_form(form, features, scale).scores


class TestChoice:
    def test_the_published_form_is_the_base_and_first(self):
        assert known_forms()[0].name == BASE == "exact_first"

    def test_names_are_unique(self):
        names = [form.name for form in known_forms()]
        assert len(names) == len(set(names))

    def test_every_level_and_stride_of_the_fast_form(self):
        fast = {
            (form.levels, form.stride)
            for form in known_forms()
            if form.kind == "fast" and form.components is None and form.blur == 1
        }
        assert fast == {(levels, stride) for levels in (8, 16, 32) for stride in (1, 2, 3)}

    def test_the_base_is_always_chosen(self):
        chosen = [form.name for form in choose_forms(["u8_first", "fast_8_stride3"])]
        assert chosen == [BASE, "u8_first", "fast_8_stride3"]

    def test_no_name_is_all(self):
        assert choose_forms([]) == known_forms()

    def test_an_unknown_form(self):
        with pytest.raises(ValueError, match=r"--forms must be of exact_first, .*, got best"):
            choose_forms(["best"])


class TestForms:
    @pytest.mark.parametrize("form", known_forms(), ids=lambda form: form.name)
    def test_each_gives_a_finite_map_and_leaves_the_features(self, form, features, scale):
        before = features.clone()
        scored = score_form(form, features, scale)
        assert scored.scores.shape == (24, 26)
        assert scored.scores.dtype == np.float32
        assert np.isfinite(scored.scores).all()
        assert scored.scores.max() > 0
        assert scored.seconds > 0
        assert torch.equal(features, before)

    @pytest.mark.parametrize(("levels", "stride"), [(8, 1), (16, 2), (32, 3)])
    def test_the_fast_form_is_that_of_the_line(self, levels, stride, features, scale):
        method = FcaFast(9, levels, stride, 1.0)
        quantised = method.quantise(features, scale)
        expected = method.score(quantised, method.reference([quantised]))
        assert np.array_equal(score(f"fast_{levels}_stride{stride}", features, scale), expected)

    @pytest.mark.parametrize("ties", ["first", "mid", "mean"])
    def test_the_exact_form_is_that_of_the_line(self, ties, features, scale):
        method = FcaExact(9, 3.0, 1.0, ties)
        quantised = method.quantise(features, scale)
        expected = method.score(quantised, method.reference([quantised]))
        assert np.allclose(score(f"exact_{ties}", features, scale), expected, atol=1e-6)

    @pytest.mark.parametrize(
        ("name", "levels", "sigma"),
        [
            ("fast_16_stride2_unblurred", 16, None),
            ("fast_16_stride2_blur0.6", 16, 0.6),
            ("fast_8_stride2_blur0.6", 8, 0.6),
        ],
    )
    def test_another_blur_of_the_finished_map(self, name, levels, sigma, features, scale):
        whole = FcaFast(9, levels, 2, 1.0).quantise(features, scale)
        reference = kernels.median_reference(whole, 9)
        expected = kernels.fca_score_fast(whole, reference, levels, 9, 2, sigma).numpy()
        assert np.array_equal(score(name, features, scale), expected)

    def test_the_published_form_without_its_blur(self, features, scale):
        scaled = scale_features(features, scale)
        reference = kernels.median_reference(scaled, 9)
        expected = kernels.fca_score(scaled, reference, 9, 3.0, None, "first").numpy()
        assert np.allclose(score("exact_first_unblurred", features, scale), expected, atol=1e-6)

    def test_u8_ranks_256_levels(self, features, scale):
        scaled = scale_features(features, scale)
        levels = (scaled * 255 + 0.5).floor()
        reference = kernels.median_reference(levels, 9)
        expected = kernels.fca_score(levels, reference, ties="first").numpy() / 255
        assert np.allclose(score("u8_first", features, scale), expected, atol=1e-5)

    def test_quantized_fca(self, features, scale):
        method = QuantizedFca(9, 16)
        levels = method.quantise(features, scale)
        expected = method.score(levels, method.reference([levels]))
        assert np.array_equal(score("quantized_16", features, scale), expected)

    def test_components_come_before_the_scaling(self, features, scale):
        """They are scaled by their own range: the scale of the features says nothing of them."""
        other = ChannelScale(scale.offset, scale.factor * 0.5)
        name = "fast_16_stride2_pca64_own"
        assert np.array_equal(score(name, features, scale), score(name, features, other))
        plain = "fast_16_stride2"
        assert not np.array_equal(score(plain, features, scale), score(plain, features, other))


class TestScale:
    def test_fixed(self, features, scale):
        scaled = scale_features(features, scale)
        assert torch.allclose(scaled, features / 6, atol=1e-6)

    def test_values_outside_are_clipped(self, features, scale):
        scaled = scale_features(features * 3, scale)
        assert scaled.min() == 0
        assert scaled.max() == 1

    def test_without_one_it_comes_from_the_image(self, features):
        scaled = scale_features(features * 100 - 7, None)
        assert scaled.min() == 0
        assert scaled.max() == 1
        assert torch.allclose(scaled, scale_features(features, None), atol=1e-4)


def test_levels_round_half_up():
    shares = torch.tensor([[[0.0, 0.5 / 15, 0.49 / 15, 1.0]]])
    assert round_to_levels(shares, 16).flatten().tolist() == [0, 1, 0, 15]
