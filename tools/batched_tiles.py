"""Whether several tiles at once are faster than one by one, in the bare engine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from streamer.backbones.model import load_model
from streamer.backbones.onnx_checks import probe_ports
from streamer.backbones.onnx_session import start_session
from streamer.backbones.openvino_runtime import Compiler
from streamer.compose.calibration_web import simulated_webs

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer import config
    from streamer.backbones.planes import Planes

BATCH = 4
_LINES, _COLUMNS = 512, 1024


def batch_ratio(settings: config.Backbone, rounds: int) -> float:
    """CPU seconds per tile of `BATCH` tiles at once, relative to one at a time."""
    run = _runner(settings)
    planes = np.random.default_rng(0).random((BATCH, 3, _LINES, _COLUMNS), dtype=np.float32)
    best = {1: float("inf"), BATCH: float("inf")}
    for _ in range(rounds + 1):  # the first one warms up, and is never the best
        for size in best:
            started = time.process_time()
            run(planes[:size])
            best[size] = min(best[size], (time.process_time() - started) / size)
    return best[BATCH] / best[1]


def _runner(settings: config.Backbone) -> Callable[[Planes], object]:
    model = load_model(settings, simulated_webs)
    session = start_session(model.onnx, settings)
    ports = probe_ports(session, model.stride)
    if settings.engine == "onnxruntime":
        return lambda planes: session.run(None, {ports.input: planes})
    compiler = Compiler(model.onnx, ports, settings)
    shape = (ports.channels, _LINES // model.stride, _COLUMNS // model.stride)

    def run(planes: Planes) -> None:
        compiler.run(planes, torch.empty((len(planes), *shape)))

    return run
