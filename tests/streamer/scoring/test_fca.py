import numpy as np
import pytest
import torch

import kernels
from streamer.config import Scoring
from streamer.scoring.fca import FcaExact, FcaFast, use_threads
from streamer.scoring.features import ChannelScale

FAST = FcaFast.of(Scoring(levels=16))
EXACT = FcaExact.of(Scoring())
METHODS = pytest.mark.parametrize("method", [FAST, EXACT], ids=["fast", "exact"])


def scale(channels: int) -> ChannelScale:
    return ChannelScale(torch.zeros(channels), torch.full((channels,), 1 / 6))


def features(channels: int = 3, rows: int = 30, columns: int = 33) -> torch.Tensor:
    return 6 * torch.rand(channels, rows, columns, generator=torch.Generator().manual_seed(1))


def test_levels_are_rounded_shares_of_the_range() -> None:
    values = torch.tensor([[[-1.0, 0.0, 0.1999, 0.2001, 3.0, 5.9, 6.0, 7.0]]])
    levels = FAST.quantise(values, scale(1))
    assert levels.dtype == torch.uint8
    # A step is 6 / 15 = 0.4: the border of levels 0 and 1 lies at 0.2, 3.0 is level 7.5 upwards.
    assert levels.flatten().tolist() == [0, 0, 0, 1, 8, 15, 15, 15]


def test_exact_features_are_only_scaled() -> None:
    values = features()
    torch.testing.assert_close(EXACT.quantise(values, scale(3)), values / 6)


@METHODS
def test_quantising_leaves_the_features_as_they_were(method) -> None:
    values = features()
    before = values.clone()
    method.quantise(values, scale(3))
    torch.testing.assert_close(values, before, rtol=0, atol=0)


@METHODS
def test_a_map_of_one_texture_with_a_flaw_scores_highest_at_the_flaw(method) -> None:
    texture = features()
    texture[:, 12:16, 20:24] = 6.0
    quantised = method.quantise(texture, scale(3))
    scores = method.score(quantised, method.reference([quantised]))
    assert scores.shape == (30, 33)
    assert scores.dtype == np.float32
    row, column = np.unravel_index(scores.argmax(), scores.shape)
    assert 11 <= row <= 16
    assert 19 <= column <= 24


@METHODS
def test_reference_is_what_the_kernels_say(method) -> None:
    quantised = method.quantise(features(), scale(3))
    reference = method.reference([quantised])
    assert reference.shape == (3, 81)
    assert reference.dtype == quantised.dtype
    torch.testing.assert_close(reference, kernels.median_reference(quantised, 9))


def test_every_setting_reaches_the_kernel() -> None:
    """A setting that did not would leave the map as it was."""
    quantised = FAST.quantise(features(), scale(3))
    maps = [FAST.score(quantised, FAST.reference([quantised]))]
    for change in ({"window_stride": 1}, {"sigma_blur": 2.0}):
        other = FcaFast.of(Scoring(levels=16, **change))
        maps.append(other.score(quantised, other.reference([quantised])))
    exact = EXACT.quantise(features().round(), scale(3))
    for change in ({}, {"sigma_p": 1.0}, {"sigma_s": None}, {"ties": "first"}, {"precision": "u8"}):
        other = FcaExact.of(Scoring(method="fca", **change))
        maps.append(other.score(exact, other.reference([exact])))
    for index, one in enumerate(maps):
        assert all(not np.allclose(one, other, atol=1e-6) for other in maps[:index])


@pytest.mark.parametrize(
    "change", [{"patch_size": 5}, {"levels": 8}, {"window_stride": 1}, {"sigma_blur": 2.0}]
)
def test_whatever_changes_a_fast_score_is_a_parameter(change: dict[str, float]) -> None:
    assert FcaFast.of(Scoring(**change)).parameters != FAST.parameters


@pytest.mark.parametrize(
    "change",
    [
        {"patch_size": 5},
        {"sigma_p": 2.0},
        {"sigma_s": None},
        {"ties": "first"},
        {"precision": "u8"},
    ],
)
def test_whatever_changes_an_exact_score_is_a_parameter(change: dict[str, object]) -> None:
    assert FcaExact.of(Scoring(method="fca", **change)).parameters != EXACT.parameters


@METHODS
def test_the_kernel_of_a_method_is_one_that_reports_its_backend(method) -> None:
    assert kernels.backends()[method.kernel]["cpu"]


@METHODS
def test_nan_scores_are_an_error(method, monkeypatch) -> None:
    broken = torch.full((30, 33), torch.nan)
    monkeypatch.setattr(kernels, method.kernel, lambda *_, **__: broken)
    quantised = method.quantise(features(), scale(3))
    with pytest.raises(RuntimeError, match="scores must be finite"):
        method.score(quantised, torch.zeros(3, 81))


def test_use_threads_sets_the_number_of_this_process() -> None:
    before = torch.get_num_threads()
    try:
        use_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        use_threads(before)
    with pytest.raises(ValueError, match="count must be > 0, got 0"):
        use_threads(0)
