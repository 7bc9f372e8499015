"""Whether the optional engines are installed; imports none of them."""

from __future__ import annotations

import importlib.util

from streamer.backbones.faults import ProviderError


def has_onnxruntime() -> bool:
    """Whether onnxruntime, or onnxruntime-gpu in its place, can be imported."""
    return importlib.util.find_spec("onnxruntime") is not None


def require_onnxruntime() -> None:
    """Raise ProviderError unless onnxruntime is installed."""
    if not has_onnxruntime():
        msg = (
            "backbone.engine must be installed, got 'onnxruntime' without the package; "
            'pip install "linescan[cpu]" or "linescan[gpu]", or set backbone.engine: torch'
        )
        raise ProviderError(msg)


def has_openvino() -> bool:
    """Whether openvino can be imported."""
    return importlib.util.find_spec("openvino") is not None


def require_openvino() -> None:
    """Raise ProviderError unless openvino is installed."""
    if not has_openvino():
        msg = (
            "backbone.engine must be installed, got 'openvino' without the package; "
            'pip install "linescan[cpu,openvino]", or set backbone.engine: onnxruntime'
        )
        raise ProviderError(msg)
