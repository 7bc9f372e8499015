"""Random projections against the stored ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch

from streamer.backbones.catalogue import find_entry
from streamer.backbones.random_projections import RandomTrunk, random_kernels

if TYPE_CHECKING:
    from collections.abc import Callable

    Golden: TypeAlias = Callable[[str], dict[str, torch.Tensor]]


def _error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference, relative to the largest feature."""
    return float((found - expected).abs().max() / expected.abs().max())


def test_stored_features_of_stored_kernels(golden: Golden) -> None:
    golden = golden("fe_random")
    found = RandomTrunk(golden["kernels"])(golden["image"])
    assert _error(found, golden["features"]) < 1e-5


def test_kernels_have_unit_length_over_all_colours() -> None:
    kernels = random_kernels()
    assert kernels.shape == (128, 3, 5, 5)
    lengths = kernels.square().sum(dim=(1, 2, 3))
    torch.testing.assert_close(lengths, torch.ones(128))


def test_weights_are_normally_distributed() -> None:
    weights = random_kernels(1000).flatten() * 75**0.5
    assert abs(float(weights.mean())) < 0.01
    assert abs(float(weights.std()) - 1) < 0.02
    assert abs(float(weights.pow(4).mean()) - 3) < 0.2  # a uniform one has 1.8


def test_the_seed_decides() -> None:
    first, again, other = random_kernels(4), random_kernels(4), random_kernels(4, seed=1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_numbers_are_the_same_everywhere() -> None:
    """A saved profile rests on them: these are numpy's for seed 0, over the kernel's length."""
    kernel = random_kernels()[0].flatten()
    torch.testing.assert_close(kernel[1] / kernel[0], torch.tensor(0.40015721 / 1.76405235))
    torch.testing.assert_close(kernel[2] / kernel[0], torch.tensor(0.97873798 / 1.76405235))


def test_entry_loads_without_weights() -> None:
    entry = find_entry("random_projections")
    assert entry.weights.obstacle() == ""
    assert entry.load().digest == entry.load().digest != RandomTrunk(random_kernels(seed=1)).digest
