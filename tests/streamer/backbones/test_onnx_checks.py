"""User models: one image in, one grid out, stride and radius as declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamer.backbones.onnx_checks import Ports, probe_ports, require_radius

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx

    from streamer.backbones.exported import ExportedModel


def _port(
    name: str, shape: Sequence[int | str], kind: int = TensorProto.FLOAT
) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _session(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    weights: dict[str, np.ndarray] | None = None,  # type: ignore[type-arg]
) -> onnxruntime.InferenceSession:
    constants = [numpy_helper.from_array(value, key) for key, value in (weights or {}).items()]
    graph = helper.make_graph(nodes, "net", inputs, outputs, constants)
    opset = helper.make_opsetid("", 18)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def _convolution(size: int, stride: int, padding: int) -> onnxruntime.InferenceSession:
    weight = np.random.default_rng(0).normal(size=(2, 3, size, size)).astype(np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"], strides=[stride] * 2, pads=[padding] * 4)
    return _session(
        [node], [_port("x", ("n", 3, "h", "w"))], [_port("y", ("n", 2, "r", "c"))], {"w": weight}
    )


def _averaging() -> onnxruntime.InferenceSession:
    """What squeeze-and-excitation does: every feature depends on the whole image."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Mul", ["x", "mean"], ["y"]),
    ]
    return _session(nodes, [_port("x", ("n", 3, "h", "w"))], [_port("y", ("n", 3, "h", "w"))])


def test_ports_of_a_catalogue_model(lite0: ExportedModel) -> None:
    session = onnxruntime.InferenceSession(lite0.onnx, providers=["CPUExecutionProvider"])
    assert probe_ports(session, lite0.card.stride) == Ports("pixels", "features", 240)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_ports_of_a_users_model(stride: int) -> None:
    session = _convolution(size=stride, stride=stride, padding=0)
    assert probe_ports(session, stride) == Ports("x", "y", 2)


def test_wrong_stride_is_refused() -> None:
    with pytest.raises(ValueError, match="onnx_stride must be the model's total stride, got 4"):
        probe_ports(_convolution(size=2, stride=2, padding=0), 4)


def test_valid_padding_is_refused() -> None:
    with pytest.raises(ValueError, match="onnx_stride must be"):
        probe_ports(_convolution(size=3, stride=1, padding=0), 1)


@pytest.mark.parametrize(
    ("shape", "kind", "operator"),
    [
        (("n", 1, "h", "w"), TensorProto.FLOAT, "Relu"),
        (("n", "c", "h", "w"), TensorProto.FLOAT, "Relu"),
        ((3, "h", "w"), TensorProto.FLOAT, "Relu"),
        (("n", 3, "h", "w"), TensorProto.DOUBLE, "Relu"),
        (("n", "h", "w", 3), TensorProto.FLOAT, "Relu"),
    ],
)
def test_other_inputs_are_refused(shape: tuple[int | str, ...], kind: int, operator: str) -> None:
    node = helper.make_node(operator, ["x"], ["y"])
    session = _session([node], [_port("x", shape, kind)], [_port("y", shape, kind)])
    with pytest.raises(ValueError, match=r"must have one float32 input \(n, 3, h, w\), got"):
        probe_ports(session, 1)


def test_two_outputs_are_refused() -> None:
    image = ("n", 3, "h", "w")
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["z"])]
    session = _session(nodes, [_port("x", image)], [_port("y", image), _port("z", image)])
    with pytest.raises(ValueError, match="must have one float32 output"):
        probe_ports(session, 1)


def test_fixed_size_is_refused() -> None:
    image = (1, 3, 224, 224)
    session = _session(
        [helper.make_node("Relu", ["x"], ["y"])], [_port("x", image)], [_port("y", image)]
    )
    with pytest.raises(ValueError, match=r"must run on an input of \(1, 3, 9, 12\), got: "):
        probe_ports(session, 1)


@pytest.mark.parametrize(("size", "stride", "radius"), [(5, 1, 2), (7, 1, 3), (4, 2, 1), (1, 1, 0)])
def test_true_radius_passes_and_a_smaller_one_does_not(size: int, stride: int, radius: int) -> None:
    session = _convolution(size, stride, padding=(size - stride) // 2)
    require_radius(session, stride, radius)
    if radius > 0:
        with pytest.raises(ValueError, match=rf"onnx_radius must be at least .*, got {0}:"):
            require_radius(session, stride, 0)


def test_radius_of_the_catalogue_model_passes_and_a_cell_less_does_not(
    lite0: ExportedModel,
) -> None:
    session = onnxruntime.InferenceSession(lite0.onnx, providers=["CPUExecutionProvider"])
    require_radius(session, 8, lite0.card.radius)
    with pytest.raises(ValueError, match="onnx_radius must be at least 33, got 32"):
        require_radius(session, 8, lite0.card.radius - 1)


def test_too_small_a_radius_is_answered_with_one_that_passes(lite0: ExportedModel) -> None:
    session = onnxruntime.InferenceSession(lite0.onnx, providers=["CPUExecutionProvider"])
    with pytest.raises(ValueError, match="onnx_radius must be at least 33, got 0") as refusal:
        require_radius(session, 8, 0)
    assert "average" not in str(refusal.value)
    require_radius(session, 8, 33)


@pytest.mark.parametrize("size", [15, 41, 101])
def test_a_wide_filter_is_measured_in_full(size: int) -> None:
    session = _convolution(size, 1, padding=size // 2)
    with pytest.raises(ValueError, match=f"onnx_radius must be at least {size // 2}, got 0"):
        require_radius(session, 1, 0)


@pytest.mark.parametrize("radius", [0, 8, 400])
def test_average_over_the_image_is_refused_with_any_radius(radius: int) -> None:
    with pytest.raises(ValueError, match="does it average over the whole image"):
        require_radius(_averaging(), 1, radius)
