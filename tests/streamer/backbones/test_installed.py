"""An engine that is not there."""

from __future__ import annotations

import importlib.util

import pytest

from streamer.backbones.faults import ProviderError
from streamer.backbones.installed import has_onnxruntime, require_onnxruntime


def test_installed_engine_is_found() -> None:
    assert has_onnxruntime()
    require_onnxruntime()


def test_missing_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert not has_onnxruntime()
    with pytest.raises(ProviderError, match=r'pip install "linescan\[cpu\]" or "linescan\[gpu\]"'):
        require_onnxruntime()
