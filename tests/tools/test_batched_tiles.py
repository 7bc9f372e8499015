"""Batches in the bare engines: really so many tiles, and the time of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import batched_tiles
import pytest
from batched_tiles import BATCH, batch_ratio

from streamer import config

if TYPE_CHECKING:
    import numpy as np


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batched_tiles, "_LINES", 32)
    monkeypatch.setattr(batched_tiles, "_COLUMNS", 48)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_batch_takes_about_as_long_per_tile(engine: str) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino")
    settings = config.Backbone.model_validate({"engine": engine, "threads": 1})
    assert 0.02 < batch_ratio(settings, rounds=2) < 50


def test_the_ratio_is_per_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that takes 2 s for one tile and 4 s for a batch is twice as fast per tile."""
    clock, sizes = [0.0], []

    def run(planes: np.ndarray) -> None:  # type: ignore[type-arg]
        sizes.append(len(planes))
        clock[0] += 2.0 if len(planes) == 1 else 4.0

    monkeypatch.setattr(batched_tiles, "_runner", lambda _: run)
    monkeypatch.setattr(batched_tiles.time, "process_time", lambda: clock[0])
    assert batch_ratio(config.Backbone(), rounds=1) == pytest.approx(4.0 / BATCH / 2.0)
    assert sizes == [1, BATCH] * 2
