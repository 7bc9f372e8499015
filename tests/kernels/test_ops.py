from __future__ import annotations

import pytest
import torch

from kernels import (
    channel_range,
    fca_score,
    fca_score_batch,
    fca_score_fast,
    median_reference,
)
from kernels.ops import OPERATORS, backends

FEATURES = torch.rand(2, 9, 8, generator=torch.Generator().manual_seed(0))
REFERENCE = torch.linspace(0, 1, 9).expand(2, 9)
LEVELS = (FEATURES * 15).to(torch.uint8)
LEVEL_REFERENCE = (REFERENCE * 15).to(torch.uint8)


def spoiled(value: float) -> torch.Tensor:
    features = FEATURES.clone()
    features[1, 4, 7] = value
    return features


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"patch_size": 4}, "patch_size must be odd and >= 3, got 4"),
        ({"patch_size": 1}, "patch_size must be odd and >= 3, got 1"),
        ({"sigma_p": 0.0}, "sigma_p must be > 0, got 0.0"),
        ({"sigma_p": float("nan")}, "sigma_p must be > 0, got nan"),
        ({"sigma_s": -1.0}, "sigma_s must be > 0 or None, got -1.0"),
        ({"ties": "last"}, "ties must be one of first, mid, mean, got 'last'"),
        ({"precision": "u16"}, "precision must be one of exact, u8, got 'u16'"),
        ({"window_stride": 0}, "window_stride must be 1, 2, 3 or 4, got 0"),
        ({"window_stride": 4}, r"window_stride must be <= patch_size 3 .*, got 4"),
        ({"band_width": 0}, "band_width must be >= 1 or None, got 0"),
        ({"first_column": -2}, "first_column must be >= 0, got -2"),
        ({"first_column": 2**53 + 1}, r"first_column must be <= 2 \*\* 53, got 9007199254740993"),
        ({"features": FEATURES[0]}, r"features must be \(C, H, W\), got shape \(9, 8\)"),
        (
            {"features": FEATURES.double()},
            "features must be torch.float32 or .*, got torch.float64",
        ),
        ({"features": FEATURES[:, :2]}, r"at least 3 x 3 \(patch_size\), got 2 x 8"),
        ({"features": FEATURES[:0]}, "features must be of at least one channel, got 0"),
        (
            {"features": spoiled(float("nan"))},
            "features must be finite, got nan at channel 1, row 4, column 7",
        ),
        (
            {"features": spoiled(-float("inf"))},
            "features must be finite, got -inf at channel 1, row 4, column 7",
        ),
        ({"reference": REFERENCE[0]}, r"must be \(C, T\*T\) or \(K, C, T\*T\), got shape \(9,\)"),
        ({"reference": REFERENCE[:1]}, r"reference must be \(..., 2, 9\) .* got shape"),
        ({"reference": REFERENCE[:, :8]}, r"reference must be \(..., 2, 9\) .* got shape"),
        ({"reference": REFERENCE.double()}, "reference must be torch.float32, got torch.float64"),
        ({"reference": REFERENCE.flip(1)}, "reference must be ascending along its last axis"),
        ({"reference": REFERENCE / 0}, "reference must be finite, got nan at band 0, reference 0"),
        ({"band_width": 4}, r"reference with band_width must be \(bands, C, T\*T\) or"),
        (
            {"band_width": 4, "first_column": 2, "reference": REFERENCE.expand(2, 2, 9)},
            r"reference must hold 3 bands \(band_width 4, columns up to 9\), got 2",
        ),
    ],
)
def test_fca_score_says_what_is_wrong(options: dict[str, object], text: str) -> None:
    arguments = {"features": FEATURES, "reference": REFERENCE, "patch_size": 3} | options
    with pytest.raises(ValueError, match=text):
        fca_score(**arguments)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"levels": FEATURES}, "levels must be torch.uint8, got torch.float32"),
        ({"levels": LEVELS + 16}, "levels must be below levels_count 16, got [23][0-9]"),
        ({"reference": LEVEL_REFERENCE + 1}, "reference must be below levels_count 16, got 16"),
        ({"reference": REFERENCE}, "reference must be torch.uint8, got torch.float32"),
        (
            {"reference": LEVEL_REFERENCE[None]},
            r"reference must be \(C, T\*T\), got shape \(1, 2, 9\)",
        ),
        (
            {"band_width": 4},
            r"reference must be \(bands, C, T\*T\), got shape \(2, 9\)",
        ),
        ({"levels_count": 3}, r"levels_count must be 4..32, got 3"),
        ({"levels_count": 33}, r"levels_count must be 4..32, got 33"),
        ({"sigma_blur": 0.0}, "sigma_blur must be > 0 or None, got 0.0"),
        ({"window_stride": 5}, "window_stride must be 1, 2, 3 or 4, got 5"),
        ({"patch_size": 9}, r"levels must be at least 9 x 9 \(patch_size\), got 9 x 8"),
    ],
)
def test_fca_score_fast_says_what_is_wrong(options: dict[str, object], text: str) -> None:
    levels = LEVELS.clone()
    levels[0, 0, 0] = 15
    arguments = {"levels": levels, "reference": LEVEL_REFERENCE, "patch_size": 3} | options
    with pytest.raises(ValueError, match=text):
        fca_score_fast(**arguments)


@pytest.mark.parametrize(
    ("features", "reference", "text"),
    [
        (FEATURES, REFERENCE, r"features must be \(B, C, H, W\), got shape \(2, 9, 8\)"),
        (FEATURES[None].int(), REFERENCE, "features must be float32, .*, got torch.int32"),
        (
            FEATURES.expand(3, 2, 9, 8),
            REFERENCE.expand(2, 2, 9),
            r"shared or hold one per item \(3\), got shape \(2, 2, 9\)",
        ),
        (
            torch.stack([FEATURES, spoiled(float("inf"))]),
            REFERENCE,
            r"features\[1\] must be finite, got inf at channel 1, row 4, column 7",
        ),
    ],
)
def test_fca_score_batch_says_what_is_wrong(
    features: torch.Tensor, reference: torch.Tensor, text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        fca_score_batch(features, reference, 3)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_is_scored_as_the_float32_that_it_is(kind: torch.dtype) -> None:
    features, reference = FEATURES.to(kind), REFERENCE.to(kind)
    expected = fca_score(features.float(), reference.float(), 3)
    assert torch.equal(fca_score(features, reference, 3), expected)
    assert torch.equal(fca_score(features, reference.float(), 3), expected)
    assert torch.equal(fca_score_batch(features[None], reference, 3)[0], expected)
    assert torch.equal(channel_range(features).float(), channel_range(features.float()))
    median = median_reference(features, 3, 1)
    assert median.dtype == kind
    assert torch.equal(median.float(), median_reference(features.float(), 3, 1))


@pytest.mark.parametrize("reference", [REFERENCE, REFERENCE.expand(0, 2, 9)])
def test_an_empty_batch_has_no_scores(reference: torch.Tensor) -> None:
    assert fca_score_batch(torch.empty(0, 2, 9, 8), reference, 3).shape == (0, 9, 8)


def test_channel_range_refuses_nan() -> None:
    with pytest.raises(ValueError, match="got nan at channel 1, row 4, column 7"):
        channel_range(spoiled(float("nan")))


@pytest.mark.parametrize("banded", [False, True])
def test_an_item_of_a_batch_has_the_bits_it_has_alone(make_map, make_reference, banded) -> None:
    batch = torch.stack([make_map((3, 9, 11), seed=seed) for seed in range(3)])
    options = {"patch_size": 3, "band_width": 4 if banded else None}
    extra = (3,) if banded else ()
    shared, own = make_reference((*extra, 3, 9)), make_reference((3, *extra, 2, 3, 9))
    together = fca_score_batch(batch, shared, **options)
    apart = [fca_score(one, shared, **options) for one in batch]
    assert torch.equal(together, torch.stack(apart))
    together = fca_score_batch(batch, own, **options)
    apart = [fca_score(one, its, **options) for one, its in zip(batch, own, strict=True)]
    assert torch.equal(together, torch.stack(apart))


def test_each_item_of_a_batch_may_have_one_reference(make_map, make_reference) -> None:
    batch = torch.stack([make_map((3, 9, 11), seed=seed) for seed in range(2)])
    own = make_reference((2, 3, 9))
    scores = fca_score_batch(batch, own, 3)
    assert torch.equal(scores[1], fca_score(batch[1], own[1], 3))


def test_shared_alternatives_are_expanded(make_map, make_reference) -> None:
    batch = torch.stack([make_map((3, 9, 11), seed=seed) for seed in range(2)])
    shared = make_reference((4, 3, 9))
    scores = fca_score_batch(batch, shared.expand(2, -1, -1, -1), 3)
    assert torch.equal(scores[1], fca_score(batch[1], shared, 3))


def test_every_operator_is_registered_and_has_a_backend() -> None:
    assert set(backends()) == set(OPERATORS)
    assert all(hasattr(torch.ops.linescan, name) for name in OPERATORS)
