"""The plain numbers of each backbone against the network that they describe."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer import config
from streamer.backbones.catalogue import entries, find_entry
from streamer.backbones.footprint import FOOTPRINTS, Footprint, find_footprint


def test_every_entry_of_the_catalogue_has_one() -> None:
    assert set(FOOTPRINTS) == {entry.name for entry in entries()}


@pytest.mark.parametrize("name", FOOTPRINTS)
def test_numbers_are_those_of_the_layers(name: str) -> None:
    field = find_entry(name).build().field
    assert find_footprint(config.Backbone(name=name)) == Footprint(field.stride, field.radius)


@pytest.mark.parametrize("name", ["colours_s2", "laws_s8", "steerable_s4", "vgg19_s4"])
def test_numbers_of_pooled_forms_are_those_of_the_layers(name: str) -> None:
    field = find_entry(name).build().field
    assert find_footprint(config.Backbone(name=name)) == Footprint(field.stride, field.radius)


def test_own_file_declares_its_own() -> None:
    settings = config.Backbone(onnx_file=Path("own.onnx"), onnx_stride=4, onnx_radius=20)
    assert find_footprint(settings) == Footprint(4, 20)


@pytest.mark.parametrize("name", ["resnet19", "resnet18_s4", "laws_s3"])
def test_unknown_name_is_refused_in_the_words_of_the_catalogue(name: str) -> None:
    with pytest.raises(ValueError, match="backbone.name must be one of") as here:
        find_footprint(config.Backbone(name=name))
    with pytest.raises(ValueError, match="backbone.name must be one of") as there:
        find_entry(name)
    assert str(here.value) == str(there.value)
