"""Numerics of the anomaly scores on torch tensors; knows nothing of streamer or files."""

from kernels.choice import Running, running
from kernels.cuda import load_cuda
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
    "LoadReport",
    "MedianAccumulator",
    "MedianMemory",
    "Running",
    "backends",
    "channel_range",
    "fca_score",
    "fca_score_batch",
    "fca_score_fast",
    "load_cuda",
    "load_native",
    "median_reference",
    "running",
]
