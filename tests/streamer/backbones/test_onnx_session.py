"""The gate: what was asked for is what runs, or it is refused, or it is said aloud."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as faults

from streamer import config
from streamer.backbones import onnx_session
from streamer.backbones.calibration_set import CalibrationSet
from streamer.backbones.faults import ProviderError
from streamer.backbones.onnx_session import (
    available_providers,
    choose_providers,
    integer_layers,
    require_provider,
    start_session,
)
from streamer.backbones.quantise import quantise

if TYPE_CHECKING:
    from streamer.backbones.exported import ExportedModel

_CPU, _CUDA, _TENSORRT = (f"{name}ExecutionProvider" for name in ("CPU", "CUDA", "Tensorrt"))
Provider = Literal["cpu", "cuda", "tensorrt"]


class _Session:
    """A session that reports `running` as its providers."""

    def __init__(self, *running: str) -> None:
        self._running = list(running)

    def get_providers(self) -> list[str]:
        return self._running


def _settings(provider: Provider, allow_fallback: bool = False) -> config.Backbone:
    return config.Backbone(provider=provider, allow_fallback=allow_fallback, threads=1)


@pytest.fixture
def gpu_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """An onnxruntime that was built with everything."""
    monkeypatch.setattr(onnx_session, "available_providers", lambda: (_TENSORRT, _CUDA, _CPU))


@pytest.fixture
def cpu_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_session, "available_providers", lambda: (_CPU,))


def test_every_build_has_the_cpu() -> None:
    assert _CPU in available_providers()


@pytest.mark.usefixtures("gpu_build")
@pytest.mark.parametrize(
    ("provider", "chain"),
    [("cpu", [_CPU]), ("cuda", [_CUDA, _CPU]), ("tensorrt", [_TENSORRT, _CUDA, _CPU])],
)
def test_chain_starts_with_what_was_asked_for(provider: Provider, chain: list[str]) -> None:
    assert choose_providers(_settings(provider)) == chain


@pytest.mark.usefixtures("cpu_build")
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_provider_that_was_not_built_in_is_refused(provider: Provider) -> None:
    with pytest.raises(ProviderError, match=rf"built with \({_CPU}\), got '{provider}'; replace"):
        choose_providers(_settings(provider))


@pytest.mark.usefixtures("cpu_build")
def test_allowed_fallback_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert choose_providers(_settings("cuda", allow_fallback=True)) == [_CPU]
    assert "falling back, as backbone.allow_fallback says" in caplog.text


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_silent_fallback_of_the_engine_is_refused(provider: Provider) -> None:
    with pytest.raises(ProviderError, match=rf"must be what runs, got {_CPU} instead of "):
        require_provider(_Session(_CPU), _settings(provider))


def test_tensorrt_that_fell_back_to_cuda_is_refused() -> None:
    with pytest.raises(ProviderError, match=rf"got {_CUDA} instead of {_TENSORRT}"):
        require_provider(_Session(_CUDA, _CPU), _settings("tensorrt"))


def test_allowed_fallback_of_the_engine_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        require_provider(_Session(_CPU), _settings("cuda", allow_fallback=True))
    assert "falling back" in caplog.text


def test_what_was_asked_for_passes_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    require_provider(_Session(_CUDA, _CPU), _settings("cuda"))
    require_provider(_Session(_CPU), _settings("cpu"))
    assert caplog.records == []


def _cpu_only_load(onnx: bytes, providers: list[str], threads: int) -> _Session:
    assert onnx
    assert threads == 1
    if providers[0] != _CPU:
        msg = "no CUDA-capable device is detected"
        raise faults.Fail(msg)
    return _Session(*providers)


@pytest.mark.usefixtures("gpu_build")
def test_provider_that_does_not_start_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_session, "_load", _cpu_only_load)
    with pytest.raises(ProviderError, match="got 'cuda' and: no CUDA-capable device is detected"):
        start_session(b"model", _settings("cuda"))


@pytest.mark.usefixtures("gpu_build")
def test_provider_that_does_not_start_may_fall_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_session, "_load", _cpu_only_load)
    session = start_session(b"model", _settings("cuda", allow_fallback=True))
    assert session.get_providers() == [_CPU]


@pytest.mark.parametrize("onnx", [b"", b"no protobuf at all", b"\x08\x0a"])
def test_bytes_that_are_no_model_are_refused(
    onnx: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match="the ONNX model must be one that onnxruntime can load"):
        start_session(onnx, _settings("cpu"))
    assert capfd.readouterr() == ("", "")


def test_real_session_runs_on_the_cpu(
    lite0: ExportedModel, capfd: pytest.CaptureFixture[str]
) -> None:
    session = start_session(lite0.onnx, _settings("cpu"))
    require_provider(session, _settings("cpu"))
    assert session.get_session_options().intra_op_num_threads == 1
    assert capfd.readouterr() == ("", "")


def test_a_float_model_has_no_integer_layer(lite0: ExportedModel) -> None:
    assert integer_layers(lite0.onnx) == (0, 16)


def test_all_layers_of_an_int8_model_are_integer(lite0: ExportedModel) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)
    made = quantise(lite0.onnx, CalibrationSet("noise", [pixels]), stride=8)
    assert integer_layers(made.onnx) == (16, 16)
