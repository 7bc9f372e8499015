"""One cache of exported models for all tests of the backbones: an export takes seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from streamer.backbones.cache import fetch_exported
from streamer.backbones.catalogue import find_entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streamer.backbones.exported import ExportedModel


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    fetch_exported(find_entry("efficientnet_lite0"), folder)
    return folder


@pytest.fixture(scope="session")
def lite0(cache: Path) -> ExportedModel:
    return fetch_exported(find_entry("efficientnet_lite0"), cache)[0]
