"""One cache of exported models for all tests of the backbones: an export takes seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from streamer.backbones.cache import fetch_exported
from streamer.backbones.catalogue import find_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamer.backbones.exported import ExportedModel

_GOLDEN = Path(__file__).parents[2] / "golden"


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


@pytest.fixture
def golden() -> Callable[[str], dict[str, torch.Tensor]]:
    """Stored features of the published extractors; (h, w, c) arrays become (1, c, h, w)."""

    def read(stem: str) -> dict[str, torch.Tensor]:
        with np.load(_GOLDEN / f"{stem}.npz") as arrays:
            tensors = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        return {
            name: value.movedim(2, 0)[None] if value.ndim == 3 else value
            for name, value in tensors.items()
        }

    return read
