"""What can be asked for by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from streamer.backbones.catalogue import entries, find_entry
from streamer.backbones.weights import DownloadedWeights

if TYPE_CHECKING:
    from pathlib import Path


def test_names_are_found_and_unique() -> None:
    names = [entry.name for entry in entries()]
    assert len(set(names)) == len(names) == 16
    assert all(find_entry(name).name == name for name in names)


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        ValueError,
        match=r"backbone.name must be one of efficientnet_lite0, .*, "
        r"got 'resnet19'; those of full resolution \(vgg19, .*\) also take _s2, ",
    ):
        find_entry("resnet19")


@pytest.mark.parametrize("name", ["colours_s4", "laws_s8", "steerable_s2", "random_projections_s8"])
def test_pooled_forms_are_found_by_name(name: str) -> None:
    entry = find_entry(name)
    trunk = entry.load()
    assert entry.name == name
    assert trunk.field.stride == int(name[-1])
    assert name not in {listed.name for listed in entries()}


@pytest.mark.parametrize("name", ["resnet18_s4", "laws_e4", "laws_s3", "nothing_s4"])
def test_other_pooled_forms_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"backbone.name must be one of .*, got '{name}'"):
        find_entry(name)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"])
def test_packaged_entry_loads_ready_for_inference(name: str) -> None:
    entry = find_entry(name)
    assert entry.weights.obstacle() == ""
    trunk = entry.load()
    assert not trunk.training
    assert not any(parameter.requires_grad for parameter in trunk.parameters())
    assert trunk.digest == entry.load().digest != entry.build().digest


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "wide_resnet50_2", "vgg19"])
def test_downloaded_entry_names_a_file_with_its_digest(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = find_entry(name).weights
    assert isinstance(weights, DownloadedWeights)
    assert weights.file.name.startswith(f"{name}-")
    assert len(weights.file.stem.rsplit("-", 1)[1]) == 8
    assert weights.url in weights.obstacle()


def test_features_tell_textures_apart() -> None:
    """Trained weights answer to an edge where there is one: a smoke test of the whole loading."""
    trunk = find_entry("efficientnet_lite0").load()
    flat = torch.full((1, 3, 128, 128), 0.5)
    edge = flat.clone()
    edge[..., 64:] = 0.9
    difference = (trunk(flat) - trunk(edge)).abs().amax(dim=(0, 1, 2))
    assert float(difference[7:9].max()) > 1.0
    assert float(difference[:2].max()) < 1e-5
