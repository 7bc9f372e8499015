"""Numerics of anomaly scores (torch) and of light (numpy); knows nothing of streamer or files.

What needs torch is imported when it is first asked for: a process that only corrects pixels starts
without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernels.choice import Running, running
    from kernels.cuda import load_cuda
    from kernels.light import LightTable, LineCorrection, SampleFill, flat_field
    from kernels.memory import MedianMemory
    from kernels.native import LoadReport, load_native
    from kernels.ops import (
        backends,
        channel_range,
        fca_score,
        fca_score_batch,
        fca_score_fast,
        median_reference,
    )
    from kernels.streaming import MedianAccumulator

__all__ = [
    "LightTable",
    "LineCorrection",
    "LoadReport",
    "MedianAccumulator",
    "MedianMemory",
    "Running",
    "SampleFill",
    "backends",
    "channel_range",
    "fca_score",
    "fca_score_batch",
    "fca_score_fast",
    "flat_field",
    "load_cuda",
    "load_native",
    "median_reference",
    "running",
]
_MODULES = {
    "choice": ("Running", "running"),
    "cuda": ("load_cuda",),
    "light": ("LightTable", "LineCorrection", "SampleFill", "flat_field"),
    "memory": ("MedianMemory",),
    "native": ("LoadReport", "load_native"),
    "ops": (
        "backends",
        "channel_range",
        "fca_score",
        "fca_score_batch",
        "fca_score_fast",
        "median_reference",
    ),
    "streaming": ("MedianAccumulator",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """A public name, from its module (PEP 562)."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
