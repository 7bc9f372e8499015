"""An engine that is not there."""

from __future__ import annotations

import importlib.util

import pytest

from streamer.backbones.faults import ProviderError
from streamer.backbones.installed import (
    has_onnxruntime,
    has_openvino,
    require_onnxruntime,
    require_openvino,
)


def test_installed_engine_is_found() -> None:
    assert has_onnxruntime()
    require_onnxruntime()


def test_missing_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert not has_onnxruntime()
    with pytest.raises(ProviderError, match=r'pip install "linescan\[cpu\]" or "linescan\[gpu\]"'):
        require_onnxruntime()


def test_openvino_that_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert not has_openvino()
    with pytest.raises(ProviderError, match=r'pip install "linescan\[cpu,openvino\]"'):
        require_openvino()


def test_openvino_that_is_there_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "openvino" or None)
    require_openvino()
