"""ONNX Runtime sessions that run where they were told, or say why not; knows no model."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as faults

from streamer.backbones.faults import ProviderError

if TYPE_CHECKING:
    from streamer import config

# ONNX Runtime's own exceptions have no common base but Exception; bound runs raise RuntimeError.
ENGINE_FAULTS = (
    RuntimeError,
    faults.EngineError,
    faults.EPFail,
    faults.Fail,
    faults.InvalidArgument,
    faults.InvalidGraph,
    faults.InvalidProtobuf,
    faults.NoModel,
    faults.NotImplemented,
    faults.RuntimeException,
)
_LOGGER = logging.getLogger(__name__)
_CPU = "CPUExecutionProvider"
_INTEGER_LAYERS = ("QLinearConv", "ConvInteger", "QLinearMatMul", "QGemm", "MatMulInteger")
_FLOAT_LAYERS = ("Conv", "FusedConv", "MatMul", "Gemm", "FusedMatMul")
_FATAL = 4  # ONNX Runtime's severity; what goes wrong is raised, and need not be on stderr too
_WAYS_OUT = "set backbone.provider: cpu, or backbone.allow_fallback: true"


def available_providers() -> tuple[str, ...]:
    """The execution providers that the installed onnxruntime was built with."""
    return tuple(onnxruntime.get_available_providers())


def choose_providers(settings: config.Backbone) -> list[str]:
    """What to ask a session for, best first.

    Raises:
        ProviderError: the installed onnxruntime lacks what was asked for.
    """
    chain = _chain(settings)
    if chain[0] in available_providers():
        return chain
    built = ", ".join(available_providers())
    _refuse_unless_allowed(
        settings,
        f"backbone.provider must be one that onnxruntime was built with ({built}), got "
        f"{settings.provider!r}; replace onnxruntime by onnxruntime-gpu",
    )
    return [_CPU]


def start_session(onnx: bytes, settings: config.Backbone) -> onnxruntime.InferenceSession:
    """Load a model on the configured provider; `require_provider` follows after the first run.

    Raises:
        ProviderError: the provider does not start.
        ValueError: the model cannot be loaded at all.
    """
    providers = choose_providers(settings)
    try:
        return _load(onnx, providers, settings.threads)
    except ENGINE_FAULTS as error:
        if providers == [_CPU]:
            raise _not_loadable(error) from None
        text = f"backbone.provider must start, got {settings.provider!r} and: {error}"
        _refuse_unless_allowed(settings, text)
    try:
        return _load(onnx, [_CPU], settings.threads)
    except ENGINE_FAULTS as error:
        raise _not_loadable(error) from None


def require_provider(session: onnxruntime.InferenceSession, settings: config.Backbone) -> None:
    """Raise ProviderError if another provider runs than was asked for; call after a first run."""
    wanted, running = _chain(settings)[0], session.get_providers()[0]
    if running == wanted:
        return
    _refuse_unless_allowed(
        settings,
        f"backbone.provider must be what runs, got {running} instead of {wanted}: the device, its "
        "driver or the provider's libraries are missing or do not fit; see `linescan doctor`",
    )


def integer_layers(onnx: bytes) -> tuple[int, int]:
    """How many convolutions and products run on integers on the CPU, and how many there are.

    It is read from the graph as ONNX Runtime has rewritten it for this processor.
    """
    from onnx import load

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    with tempfile.TemporaryDirectory(prefix="linescan-onnx-") as folder:
        file = Path(folder) / "rewritten.onnx"
        options.optimized_model_filepath = str(file)
        onnxruntime.InferenceSession(onnx, options, providers=[_CPU])
        kinds = [node.op_type for node in load(file).graph.node]
    integer = sum(kinds.count(kind) for kind in _INTEGER_LAYERS)
    return integer, integer + sum(kinds.count(kind) for kind in _FLOAT_LAYERS)


def _chain(settings: config.Backbone) -> list[str]:
    match settings.provider:
        case "cpu":
            return [_CPU]
        case "cuda":
            return ["CUDAExecutionProvider", _CPU]
        case "tensorrt":
            return ["TensorrtExecutionProvider", "CUDAExecutionProvider", _CPU]
        case _:
            assert_never(settings.provider)


def _load(onnx: bytes, providers: list[str], threads: int) -> onnxruntime.InferenceSession:
    onnxruntime.set_default_logger_severity(_FATAL)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    # Threads that spin between two tiles take the cores from the other stages.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(onnx, options, providers=providers, enable_fallback=0)


def _refuse_unless_allowed(settings: config.Backbone, reason: str) -> None:
    if not settings.allow_fallback:
        msg = f"{reason}; or {_WAYS_OUT}"
        raise ProviderError(msg)
    _LOGGER.warning("%s; falling back, as backbone.allow_fallback says", reason)


def _not_loadable(error: Exception) -> ValueError:
    return ValueError(f"the ONNX model must be one that onnxruntime can load, got: {error}")
