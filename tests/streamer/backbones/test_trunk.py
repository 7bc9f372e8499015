"""What every trunk must hold: receptive field, independence of the cut, weights, digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.backbones.catalogue import find_entry
from streamer.backbones.colours import ColourTrunk
from streamer.backbones.efficientnet_levels import (
    LiteBlockTrunk,
    LiteFineTrunk,
    LiteStride4Trunk,
)
from streamer.backbones.efficientnet_lite import LITE0, LITE1, LITE2, LiteTrunk
from streamer.backbones.laws import LawsTrunk
from streamer.backbones.pooled import PooledTrunk
from streamer.backbones.random_projections import RandomTrunk
from streamer.backbones.resnet import RESNET18, RESNET50, WIDE_RESNET50_2, ResNetTrunk
from streamer.backbones.steerable import SteerableTrunk
from streamer.backbones.trunk import Normalisation, Trunk
from streamer.backbones.vgg import VggTrunk

if TYPE_CHECKING:
    from collections.abc import Callable

_BUILDERS: dict[str, Callable[[], Trunk]] = {
    "lite0": lambda: LiteTrunk(LITE0),
    "lite1": lambda: LiteTrunk(LITE1),
    "lite2": lambda: LiteTrunk(LITE2),
    "lite0_block": lambda: LiteBlockTrunk(LITE0),
    "lite0_fine": lambda: LiteFineTrunk(LITE0),
    "lite0_stride4": lambda: LiteStride4Trunk(LITE0),
    "resnet18": lambda: ResNetTrunk(RESNET18),
    "resnet50": lambda: ResNetTrunk(RESNET50),
    "wide_resnet50_2": lambda: ResNetTrunk(WIDE_RESNET50_2),
    "vgg19": VggTrunk,
    "vgg19_s8": lambda: PooledTrunk(VggTrunk(), 8),
    "colours": ColourTrunk,
    "colours_s4": lambda: PooledTrunk(ColourTrunk(), 4),
    "random_projections": RandomTrunk,
    "laws": LawsTrunk,
    "laws_s4": lambda: PooledTrunk(LawsTrunk(), 4),
    "laws_s8": lambda: PooledTrunk(LawsTrunk(), 8),
    "steerable": SteerableTrunk,
    "steerable_s4": lambda: PooledTrunk(SteerableTrunk(), 4),
}
_LEARNED = (
    "lite0",
    "lite1",
    "lite2",
    "lite0_fine",
    "lite0_stride4",
    "resnet18",
    "resnet50",
    "wide_resnet50_2",
    "vgg19",
)
_SAME = 1e-5  # of the largest feature: the order of float32 sums differs with the size


def _build(kind: str) -> Trunk:
    torch.manual_seed(1)
    return _BUILDERS[kind]().eval().requires_grad_(requires_grad=False)


def _noise(lines: int, columns: int) -> torch.Tensor:
    return torch.rand(1, 3, lines, columns, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module", params=_BUILDERS)
def trunk(request: pytest.FixtureRequest) -> Trunk:
    return _build(request.param)


@pytest.fixture(scope="module")
def published() -> Trunk:
    """A trunk with its real weights, on which a missing pixel of halo has a visible effect."""
    return find_entry("efficientnet_lite0").load()


def _reach(trunk: Trunk, axis: int) -> tuple[int, int]:
    """Pixels before and after stride * i on which a feature depends, by its gradient."""
    stride = trunk.field.stride
    cells = max(20, 2 * (trunk.field.radius // stride + 2))
    sizes = [5 * stride, 5 * stride]
    sizes[axis] = cells * stride
    pixels = _noise(sizes[0], sizes[1]).requires_grad_()
    trunk(pixels).select(2 + axis, cells // 2).square().sum().backward()
    assert pixels.grad is not None
    touched = pixels.grad.abs().amax(dim=(0, 1, 3 - axis)).nonzero().flatten()
    origin = cells // 2 * stride
    return origin - int(touched.min()), int(touched.max()) - origin


@pytest.mark.parametrize("axis", [0, 1])
def test_a_feature_depends_on_its_receptive_field_and_no_further(trunk: Trunk, axis: int) -> None:
    before, after = _reach(trunk, axis)
    field = trunk.field
    assert field.before - field.stride < before <= field.before
    assert field.after - field.stride < after <= field.after


def test_a_pixel_changes_nothing_beyond_the_radius(trunk: Trunk) -> None:
    stride, radius = trunk.field.stride, trunk.field.radius
    cells = -(-radius // stride)
    centre = cells + 2
    pixels = _noise(stride, (2 * centre + 1) * stride)
    touched = pixels.clone()
    touched[..., centre * stride : (centre + 1) * stride] = 0
    changed = (trunk(pixels) != trunk(touched)).any(dim=1)[0, 0].nonzero().flatten()
    assert int((changed - centre).abs().max()) <= cells
    assert len(changed) > 0


def test_output_is_the_stride_grid(trunk: Trunk) -> None:
    features = trunk(_noise(48, 72))
    stride = trunk.field.stride
    assert features.shape == (1, trunk.channels, 48 // stride, 72 // stride)


def test_features_stay_in_their_range(trunk: Trunk) -> None:
    features = trunk(_noise(64, 64))
    low, high = trunk.value_range or (-float("inf"), float("inf"))
    assert float(features.min()) >= low
    assert float(features.max()) <= high


def _cut_difference(trunk: Trunk, halo: int, first: int, last_too: bool) -> float:
    """Largest difference between a core cut out with `halo` and the same core of the whole.

    The core is four cells wide and stands `first` cells from the left border, at the upper border
    of the web and, if `last_too`, at its lower border as well.
    """
    stride = trunk.field.stride
    below = 0 if last_too else 6 * stride + halo
    whole = _noise(4 * stride + below, (first + 4 + 6) * stride + halo)
    start = max(first * stride - halo, 0)
    lines = 4 * stride + min(below, halo)
    cut = whole[..., :lines, start : (first + 4) * stride + halo].contiguous()
    skip = first - start // stride
    expected = trunk(whole)[..., :4, first : first + 4]
    found = trunk(cut)[..., :4, skip : skip + 4]
    return float((found - expected).abs().max() / expected.abs().max())


def _full_halo(trunk: Trunk) -> int:
    return -(-trunk.field.radius // trunk.field.stride) * trunk.field.stride


@pytest.mark.parametrize("last_too", [False, True])
@pytest.mark.parametrize("first", [0, 1, 2, 7])
def test_a_cut_with_halo_gives_the_features_of_the_whole(
    trunk: Trunk, first: int, last_too: bool
) -> None:
    assert _cut_difference(trunk, _full_halo(trunk), first, last_too) < _SAME


@settings(max_examples=20, deadline=None)
@given(first=st.integers(0, 12), more=st.integers(0, 3), last_too=st.booleans())
def test_any_cut_with_halo_gives_the_features_of_the_whole(
    published: Trunk, first: int, more: int, last_too: bool
) -> None:
    halo = _full_halo(published) + more * published.field.stride
    assert _cut_difference(published, halo, first, last_too) < _SAME


@pytest.mark.parametrize("first", [0, 2, 7])
def test_a_cell_of_halo_less_shows(published: Trunk, first: int) -> None:
    halo = _full_halo(published) - published.field.stride
    assert _cut_difference(published, halo, first, last_too=False) > 5 * _SAME


def test_a_batch_gives_each_image_its_own_features(trunk: Trunk) -> None:
    first, second = _noise(32, 40), _noise(32, 40).flip(3)
    both = trunk(torch.cat([first, second]))
    torch.testing.assert_close(both, torch.cat([trunk(first), trunk(second)]))


def _as_published(trunk: Trunk) -> dict[str, torch.Tensor]:
    """As a publisher keeps them: no normalisation, and in old files no batch counters."""
    return {
        trunk.published_name(key): value
        for key, value in trunk.state_dict().items()
        if "normalisation" not in key and "num_batches" not in key
    }


@pytest.mark.parametrize("kind", _LEARNED)
def test_weights_of_another_shape_are_refused(kind: str) -> None:
    trunk = _build(kind)
    weights = _as_published(trunk)
    name = next(name for name, value in weights.items() if value.ndim == 4)
    weights[name] = weights[name][:1]
    with pytest.raises(ValueError, match=r"weights\['.*'\] must have shape .*, got \(1, "):
        trunk.load_weights(weights)


@pytest.mark.parametrize("kind", _LEARNED)
def test_missing_weights_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="must have shape .*, got None"):
        _build(kind).load_weights({})


@pytest.mark.parametrize("kind", ["colours", "laws_s8", "random_projections", "steerable"])
def test_fixed_filters_need_no_weights_and_count_in_the_digest(kind: str) -> None:
    trunk = _build(kind)
    before = trunk.digest
    trunk.load_weights({})
    assert trunk.digest == before
    for key, value in trunk.state_dict().items():
        value.view(-1)[0] += 1
        assert trunk.digest != before, key
        before = trunk.digest


@pytest.mark.parametrize("kind", ["lite0", "resnet18"])
def test_loaded_weights_are_what_counts(kind: str) -> None:
    source = _build(kind)
    torch.manual_seed(2)
    target = _BUILDERS[kind]().eval().requires_grad_(requires_grad=False)
    before = target.digest
    # Published state dicts hold the layers behind the cut as well.
    target.load_weights({**_as_published(source), "fc.weight": torch.zeros(1)})
    assert before != target.digest == source.digest
    torch.testing.assert_close(target(_noise(16, 16)), source(_noise(16, 16)))


def test_digest_follows_every_constant() -> None:
    trunk = _build("lite0")
    digests = {trunk.digest}
    for key in ("stem.conv.weight", "expand.norm.running_var", "normalisation.mean"):
        trunk.state_dict()[key].view(-1)[0] += 1
        digests.add(trunk.digest)
    assert len(digests) == 4
    assert all(len(digest) == 64 for digest in digests)


def test_normalisation_is_per_channel() -> None:
    layer = Normalisation([0.5, 0.0, 1.0], [0.5, 1.0, 2.0])
    found = layer(torch.ones(1, 3, 1, 1)).flatten()
    torch.testing.assert_close(found, torch.tensor([1.0, 1.0, 0.0]))
