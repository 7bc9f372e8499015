"""Names of pooled features."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.backbones.pooling import SIZES, Pooling, split_pooling


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("family", ["laws", "random_projections", "vgg19"])
def test_an_ending_says_how_and_how_far(family: str, size: int) -> None:
    assert split_pooling(f"{family}_s{size}") == (family, Pooling(size, of_magnitude=False))
    assert split_pooling(f"{family}_e{size}") == (family, Pooling(size, of_magnitude=True))


@pytest.mark.parametrize(
    "name", ["laws", "laws_s3", "laws_s16", "laws_x4", "_s4", "resnet18", "wide_resnet50_2", ""]
)
def test_other_names_are_families(name: str) -> None:
    assert split_pooling(name) == (name, None)


@given(st.text(st.characters(codec="ascii"), max_size=20))
def test_a_name_is_never_lost(name: str) -> None:
    family, pooling = split_pooling(name)
    ending = "" if pooling is None else f"_{'se'[pooling.of_magnitude]}{pooling.size}"
    assert family + ending == name
