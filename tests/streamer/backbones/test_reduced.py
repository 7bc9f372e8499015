"""Coarser pixels before a backbone: what it sees, its place on the web, cuts, wrong sizes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from streamer import config
from streamer.backbones import open_backbone
from streamer.backbones.footprint import find_footprint
from streamer.backbones.reduced import ReducedBackbone
from streamer.ports import BackboneSpec


class Seeing:
    """Returns what it is shown, one feature per 4 x 4 pixels: the first of them."""

    def __init__(self) -> None:
        self.spec = BackboneSpec("seeing", 4, 6, 1, "5ee", "torch:cpu", (0.0, 6.0))
        self.closed = 0

    def embed(self, pixels):
        self.seen = pixels
        grey = pixels if pixels.ndim == 2 else pixels[:, :, 0]
        return torch.from_numpy(grey[::4, ::4].astype(np.float32))[None]

    def close(self):
        self.closed += 1


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("shape", [(32, 48), (32, 48, 3)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_squares_are_averaged(factor, shape, kind) -> None:
    within = Seeing()
    pixels = np.random.default_rng(factor).integers(0, np.iinfo(kind).max, shape, kind)
    ReducedBackbone(within, factor).embed(pixels)
    split = pixels.reshape(32 // factor, factor, 48 // factor, factor, *shape[2:])
    assert within.seen.dtype == kind
    np.testing.assert_allclose(within.seen, split.mean((1, 3)), atol=0.51)


def test_spec_is_in_pixels_of_the_web() -> None:
    within = Seeing()
    spec = ReducedBackbone(within, 2).spec
    assert (spec.stride, spec.radius, spec.channels, spec.engine) == (8, 12, 1, "torch:cpu")
    assert spec.value_range == (0.0, 6.0)
    assert "2 x 2" in spec.name
    digests = {within.spec.digest, spec.digest, ReducedBackbone(within, 4).spec.digest}
    assert len(digests) == 3  # no profile of one meets another


@given(top=st.integers(0, 5), left=st.integers(0, 5), seed=st.integers(0, 9))
def test_a_cut_on_the_grid_changes_nothing(top, left, seed) -> None:
    reduced = ReducedBackbone(Seeing(), 2)
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64), np.uint8)
    whole = reduced.embed(pixels)
    part = reduced.embed(pixels[8 * top : 8 * top + 16, 8 * left : 8 * left + 16])
    assert torch.equal(part, whole[:, top : top + 2, left : left + 2])


def test_sizes_off_the_grid_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be multiples of 8 lines and columns, got \(12, 16"):
        ReducedBackbone(Seeing(), 2).embed(np.zeros((12, 16), np.uint8))


def test_closing_reaches_the_engine() -> None:
    within = Seeing()
    reduced = ReducedBackbone(within, 2)
    reduced.close()
    reduced.close()
    assert within.closed == 2


def test_the_factory_reduces_and_its_footprint_agrees(cache) -> None:
    settings = config.Backbone(engine="torch", cache=cache, threads=1, reduce=2)
    backbone = open_backbone(settings)
    footprint = find_footprint(settings)
    assert (backbone.spec.stride, backbone.spec.radius) == (footprint.stride, footprint.radius)
    assert footprint.stride == 16
    assert backbone.embed(np.zeros((32, 16), np.uint8)).shape == (240, 2, 1)
    full = open_backbone(settings.model_copy(update={"reduce": 1}))
    assert full.spec.stride == 8


def test_a_footprint_of_a_file_is_reduced_too(tmp_path) -> None:
    given = {"onnx_file": tmp_path / "a.onnx", "onnx_stride": 4, "onnx_radius": 9}
    footprint = find_footprint(config.Backbone(**given, reduce=4))
    assert (footprint.stride, footprint.radius) == (16, 36)
