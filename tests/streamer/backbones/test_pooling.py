"""Names of pooled features."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.backbones.pooling import SIZES, split_pooling


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("family", ["laws", "random_projections", "vgg19"])
def test_an_ending_says_how_far(family: str, size: int) -> None:
    assert split_pooling(f"{family}_s{size}") == (family, size)


@pytest.mark.parametrize(
    "name",
    ["laws", "laws_s3", "laws_s16", "laws_e4", "_s4", "resnet18", "wide_resnet50_2", "laws_s1", ""],
)
def test_other_names_are_families(name: str) -> None:
    assert split_pooling(name) == (name, 1)


@given(st.text(st.characters(codec="ascii"), max_size=20))
def test_a_name_is_never_lost(name: str) -> None:
    family, cell = split_pooling(name)
    assert family + ("" if cell == 1 else f"_s{cell}") == name
