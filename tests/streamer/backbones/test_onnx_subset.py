"""Channel subsets of ONNX models: the same features, fewer of them, and less work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from streamer.backbones.channel_subset import chosen_channels
from streamer.backbones.export import export_trunk
from streamer.backbones.onnx_subset import count_channels, keep_channels, opset_of
from streamer.backbones.resnet import RESNET18, ResNetTrunk

if TYPE_CHECKING:
    from streamer.backbones.exported import ExportedModel


def _features(content: bytes) -> np.ndarray:  # type: ignore[type-arg]
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(5).random((1, 3, 32, 40), dtype=np.float32)
    (features,) = session.run(None, {"pixels": pixels})
    return np.asarray(features)


def _weights(content: bytes) -> int:
    return sum(int(np.prod(one.dims)) for one in onnx.load_from_string(content).graph.initializer)


@pytest.mark.parametrize("count", [1, 64, 128, 240])
def test_a_subset_is_that_of_the_whole(lite0: ExportedModel, count: int) -> None:
    kept = _features(keep_channels(lite0.onnx, count))
    whole = _features(lite0.onnx)[:, chosen_channels(count, 240)]
    np.testing.assert_allclose(kept, whole, rtol=0, atol=1e-5)


def test_what_is_dropped_is_not_computed(lite0: ExportedModel) -> None:
    """240 -> 64 channels behind 40: 176 rows of 40 weights and a bias are gone."""
    sliced = keep_channels(lite0.onnx, 64)
    assert _weights(lite0.onnx) - _weights(sliced) == (240 - 64) * (40 + 1)
    assert not [
        node for node in onnx.load_from_string(sliced).graph.node if node.op_type == "Gather"
    ]
    onnx.checker.check_model(onnx.load_from_string(sliced), full_check=True)


def test_a_sum_at_the_end_is_computed_and_then_chosen_from() -> None:
    torch.manual_seed(2)
    trunk = ResNetTrunk(RESNET18).eval().requires_grad_(requires_grad=False)
    whole = export_trunk("resnet18", trunk).onnx
    sliced = keep_channels(whole, 30)
    model = onnx.load_from_string(sliced)
    onnx.checker.check_model(model, full_check=True)
    assert model.graph.node[-1].op_type == "Gather"
    expected = _features(whole)[:, chosen_channels(30, 128)]
    np.testing.assert_allclose(_features(sliced), expected, rtol=0, atol=1e-5)


def test_a_shared_weight_is_left_alone(lite0: ExportedModel) -> None:
    """Cutting a weight that another node uses as well would change that node."""
    model = onnx.load_from_string(lite0.onnx)
    convolution = [node for node in model.graph.node if node.op_type == "Conv"][-1]
    weight = convolution.input[1]
    model.graph.node.append(onnx.helper.make_node("Identity", [weight], ["spare"]))
    sliced = onnx.load_from_string(keep_channels(model.SerializeToString(), 8))
    assert "Gather" in {node.op_type for node in sliced.graph.node}
    kept = next(tensor for tensor in sliced.graph.initializer if tensor.name == weight)
    assert kept.dims[0] == 240


def test_the_same_subset_has_the_same_bytes(lite0: ExportedModel) -> None:
    assert keep_channels(lite0.onnx, 16) == keep_channels(lite0.onnx, 16)


def test_output_says_its_channels(lite0: ExportedModel) -> None:
    assert count_channels(onnx.load_from_string(lite0.onnx)) == 240
    assert count_channels(onnx.load_from_string(keep_channels(lite0.onnx, 16))) == 16


def test_a_model_that_does_not_say_its_channels_is_refused(lite0: ExportedModel) -> None:
    model = onnx.load_from_string(lite0.onnx)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "c"
    with pytest.raises(ValueError, match="must say how many channels it gives to keep 8, got none"):
        keep_channels(model.SerializeToString(), 8)


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ValueError, match="the ONNX model must be one that can be read, got"):
        keep_channels(b"hello", 8)


def test_opset_is_that_of_the_standard_operators(lite0: ExportedModel) -> None:
    assert opset_of(lite0.onnx) == lite0.card.opset == 18
