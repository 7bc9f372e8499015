"""Laws' filters against the stored maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest
import torch

from streamer.backbones.laws import LawsTrunk, laws_kernels

if TYPE_CHECKING:
    from collections.abc import Callable

    Golden: TypeAlias = Callable[[str], dict[str, torch.Tensor]]


def _error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference, relative to the largest feature."""
    return float((found - expected).abs().max() / expected.abs().max())


def test_stored_maps(golden: Golden) -> None:
    golden = golden("fe_ltem")
    assert _error(LawsTrunk()(golden["image"]), golden["features"]) < 1e-5


def test_stored_maps_without_a_local_mean(golden: Golden) -> None:
    golden = golden("fe_ltem")
    grey = golden["image"].mean(dim=1, keepdim=True)
    assert _error(LawsTrunk().filter(grey), golden["features_nomean"]) < 1e-5


def test_plain_grey_answers_nothing() -> None:
    features = LawsTrunk()(torch.full((1, 3, 30, 40), 0.7))
    assert float(features.abs().max()) < 1e-5


def test_kernels_have_no_mean() -> None:
    assert float(laws_kernels().sum(dim=(2, 3)).abs().max()) < 1e-5


@pytest.mark.parametrize("axes", [(2, 3), (3, 2)])
def test_a_turned_image_has_turned_maps(axes: tuple[int, int]) -> None:
    """Both orders of two vectors are averaged, so no map prefers an axis."""
    pixels = torch.rand(1, 3, 24, 31, generator=torch.Generator().manual_seed(0))
    found = LawsTrunk()(pixels.transpose(*axes))
    torch.testing.assert_close(found, LawsTrunk()(pixels).transpose(*axes))


def test_finest_stripes_answer_in_the_ripple_filters() -> None:
    stripes = torch.zeros(1, 3, 40, 40)
    stripes[..., ::2] = 1
    strengths = LawsTrunk()(stripes)[0, :, 10:30, 10:30].abs().amax(dim=(1, 2))
    assert int(strengths.argmax()) == 5  # LR


def test_geometry() -> None:
    field = LawsTrunk().field
    assert (field.stride, field.radius) == (1, 9)
