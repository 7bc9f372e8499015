"""Means over cells of full-resolution features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer import config
from streamer.backbones.catalogue import find_entry
from streamer.backbones.colours import ColourTrunk
from streamer.backbones.laws import LawsTrunk
from streamer.backbones.pooled import PooledTrunk
from streamer.backbones.torch_eager import open_torch
from streamer.backbones.vgg import VggTrunk
from streamer.scoring.features import Edges, embed_web


def _noise(lines: int, columns: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(1, 3, lines, columns, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=20, deadline=None)
@given(
    size=st.sampled_from([2, 4, 8]),
    cells=st.tuples(st.integers(1, 4), st.integers(1, 4)),
)
def test_a_cell_is_the_mean_of_its_features(size: int, cells: tuple[int, int]) -> None:
    inner = LawsTrunk()
    pixels = _noise(cells[0] * size, cells[1] * size)
    full = inner(pixels)
    pooled = PooledTrunk(inner, size)(pixels)
    assert pooled.shape == (1, 9, *cells)
    for row in range(cells[0]):
        for column in range(cells[1]):
            cell = full[0, :, row * size : (row + 1) * size, column * size : (column + 1) * size]
            expected = cell.mean(dim=(1, 2))
            torch.testing.assert_close(pooled[0, :, row, column], expected)


@pytest.mark.parametrize("size", [2, 4, 8])
def test_the_cell_adds_to_the_stride_and_not_to_the_radius(size: int) -> None:
    field = PooledTrunk(LawsTrunk(), size).field
    assert (field.stride, field.radius) == (size, LawsTrunk().field.radius)


def test_a_range_holds_for_means() -> None:
    assert PooledTrunk(ColourTrunk(), 4).value_range == (0.0, 1.0)
    assert PooledTrunk(LawsTrunk(), 4).value_range is None


@pytest.mark.parametrize("name", ["laws", "laws_s4", "laws_s8", "random_projections_s2"])
@pytest.mark.parametrize("first", [0, 24, 40])
def test_the_edge_of_a_web_looks_the_same_however_it_is_cut(name: str, first: int) -> None:
    """The mirrored pixels of `embed_web` and those of the filter itself follow the web alone."""
    backbone = open_torch(config.Backbone(name=name, engine="torch", threads=1))
    stride, halo = backbone.spec.stride, 16
    web = np.random.default_rng(0).integers(0, 256, (48, 96), dtype=np.uint8)
    whole = embed_web(backbone, web, Edges())
    start, stop = max(first - halo, 0), first + 24 + halo
    cut = embed_web(backbone, web[:, start:stop], Edges(left=start == 0, right=stop == 96))
    skip = (first - start) // stride
    found = cut[:, :, skip : skip + 24 // stride]
    expected = whole[:, :, first // stride : (first + 24) // stride]
    torch.testing.assert_close(found, expected)


def test_every_form_has_a_digest_of_its_own() -> None:
    names = ["laws", *(f"laws_s{size}" for size in (2, 4, 8))]
    assert len({find_entry(name).load().digest for name in names}) == len(names)


def test_weights_are_those_of_the_inner_trunk() -> None:
    torch.manual_seed(0)
    inner = VggTrunk()
    published = {
        inner.published_name(key): value
        for key, value in inner.state_dict().items()
        if "normalisation" not in key
    }
    pooled = PooledTrunk(VggTrunk(), 2).requires_grad_(requires_grad=False)
    pooled.load_weights(published)
    expected = torch.nn.functional.avg_pool2d(inner(_noise(8, 8)), 2)
    torch.testing.assert_close(pooled(_noise(8, 8)), expected.detach())
