"""Whether the optional engine is installed; imports it not."""

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
