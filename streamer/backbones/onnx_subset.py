"""ONNX models that compute only some of their channels; knows no engine and no weights' origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from google.protobuf.message import DecodeError
from onnx import helper, numpy_helper

from streamer.backbones.channel_subset import chosen_channels

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# They work on each value by itself: channels that are dropped before them are dropped behind them.
_ELEMENTWISE = ("Relu", "Clip", "LeakyRelu", "Sigmoid", "HardSwish", "Identity")


def opset_of(content: bytes) -> int:
    """Version of the standard operators that a model uses."""
    model = onnx.load_from_string(content)
    return next((int(one.version) for one in model.opset_import if one.domain == ""), 0)


def count_channels(model: onnx.ModelProto) -> int | None:
    """Channels of the only output (n, channels, h, w), if the model says so."""
    outputs = model.graph.output
    dimensions = list(outputs[0].type.tensor_type.shape.dim) if len(outputs) == 1 else []
    known = len(dimensions) == 4 and dimensions[1].HasField("dim_value")
    return int(dimensions[1].dim_value) if known else None


def keep_channels(content: bytes, count: int) -> bytes:
    """The model with `count` channels of its output.

    Where the output is a convolution, or one behind functions of single values, its weights are
    sliced, so that the others are not computed; else they are computed and dropped.

    Raises:
        ValueError: it is no model, does not say how many channels it has, or has less.
    """
    try:
        model = onnx.load_from_string(content)
    except DecodeError as error:
        msg = f"the ONNX model must be one that can be read, got: {error}"
        raise ValueError(msg) from None
    total = count_channels(model)
    if total is None:
        msg = f"the ONNX model must say how many channels it gives to keep {count}, got none"
        raise ValueError(msg)
    kept = chosen_channels(count, total)
    graph = model.graph
    convolution = _last_convolution(graph)
    if convolution is None:
        _gather(graph, kept)
    else:
        for name in convolution.input[1:]:
            _slice(graph, name, kept)
    # Shapes noted in the file are those of all channels.
    graph.ClearField("value_info")
    graph.output[0].type.tensor_type.shape.dim[1].dim_value = count
    sliced: bytes = model.SerializeToString(deterministic=True)
    return sliced


def _last_convolution(graph: onnx.GraphProto) -> onnx.NodeProto | None:
    """The convolution whose output channels are those of the model, if its weights may be cut."""
    by_output = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name for tensor in graph.initializer}
    uses = [name for node in graph.node for name in node.input]
    node = by_output.get(graph.output[0].name)
    while node is not None and node.op_type in _ELEMENTWISE and uses.count(node.input[0]) == 1:
        node = by_output.get(node.input[0])
    if node is None or node.op_type != "Conv" or _groups(node) != 1:
        return None
    own = [name for name in node.input[1:] if name]
    may_be_cut = all(name in constants and uses.count(name) == 1 for name in own)
    return node if may_be_cut and len(own) == len(node.input) - 1 else None


def _groups(node: onnx.NodeProto) -> int:
    return next((int(a.i) for a in node.attribute if a.name == "group"), 1)


def _slice(graph: onnx.GraphProto, name: str, kept: npt.NDArray[np.int64]) -> None:
    """Weights (out, in, h, w) and bias (out,) have the output channels first."""
    tensor = next(tensor for tensor in graph.initializer if tensor.name == name)
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[kept], name))


def _gather(graph: onnx.GraphProto, kept: npt.NDArray[np.int64]) -> None:
    output = graph.output[0].name
    whole, indices = f"{output}_of_all_channels", f"{output}_kept_channels"
    for node in graph.node:
        node.output[:] = [whole if name == output else name for name in node.output]
        node.input[:] = [whole if name == output else name for name in node.input]
    graph.initializer.append(numpy_helper.from_array(kept, indices))
    graph.node.append(helper.make_node("Gather", [whole, indices], [output], axis=1))
