"""Torch trunk to ONNX with dynamic shapes, checked against torch; knows no cache."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import torch

from streamer.backbones.exported import ExportedModel, ModelCard, sha256
from streamer.backbones.faults import ParityError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer.backbones.trunk import Trunk

OPSET = 18
PARITY_LIMIT = 1e-4  # relative to the largest feature
INPUT, OUTPUT = "pixels", "features"
_PARITY_SHAPES = ((1, 3, 64, 96), (2, 3, 136, 72))


def export_trunk(name: str, trunk: Trunk) -> ExportedModel:
    """Export `trunk` and compare it with torch on two shapes.

    Raises:
        ParityError: ONNX Runtime computes something else than torch.
    """
    model = _to_onnx(trunk)
    parity = _require_parity(name, trunk, model)
    card = ModelCard(
        name=name,
        stride=trunk.field.stride,
        radius=trunk.field.radius,
        channels=trunk.channels,
        value_range=trunk.value_range,
        mean=trunk.normalisation.mean_values,
        std=trunk.normalisation.std_values,
        weights_digest=trunk.digest,
        onnx_digest=sha256(model),
        opset=OPSET,
        parity=parity,
        versions={
            module.__name__: str(module.__version__) for module in (torch, onnx, onnxruntime)
        },
    )
    return ExportedModel(model, card)


def _to_onnx(trunk: Trunk) -> bytes:
    side = 8 * trunk.field.stride
    example = torch.zeros(2, 3, side, side + trunk.field.stride)
    with _quiet_exporter():
        program = torch.onnx.export(
            trunk,
            (example,),
            dynamo=True,
            dynamic_shapes=({0: "n", 2: "h", 3: "w"},),
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            verbose=False,
        )
    if program is None:
        msg = "torch.onnx.export must return a program, got None; use torch >= 2.6"
        raise RuntimeError(msg)
    return _without_traces(program.model_proto)


def _without_traces(model: onnx.ModelProto) -> bytes:
    """The exporter notes for each node where its Python source stood; that is nobody's business."""
    graph = model.graph
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
    serialized: bytes = model.SerializeToString(deterministic=True)
    return serialized


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """The exporter warns of its own deprecations and of libraries that no trunk needs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logger.setLevel(level)


def _require_parity(name: str, trunk: Trunk, model: bytes) -> float:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    worst = max(_relative_error(trunk, session, shape) for shape in _PARITY_SHAPES)
    if not worst <= PARITY_LIMIT:
        msg = (
            f"exported {name} must agree with torch within {PARITY_LIMIT} of the largest feature, "
            f"got {worst:.3g}; try another version of onnxruntime, or backbone.engine: torch"
        )
        raise ParityError(msg)
    return worst


def _relative_error(
    trunk: Trunk, session: onnxruntime.InferenceSession, shape: tuple[int, ...]
) -> float:
    pixels = np.random.default_rng(0).random(shape, dtype=np.float32)
    with torch.no_grad():
        expected = trunk(torch.from_numpy(pixels)).numpy()
    (found,) = session.run([OUTPUT], {INPUT: pixels})
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / np.abs(expected).max())
