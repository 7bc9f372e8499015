"""Export to ONNX: shapes, parity, silence."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from streamer.backbones import export
from streamer.backbones.catalogue import find_entry
from streamer.backbones.export import PARITY_LIMIT, export_trunk
from streamer.backbones.faults import ParityError
from streamer.backbones.resnet import RESNET18, ResNetTrunk

if TYPE_CHECKING:
    from streamer.backbones.exported import ExportedModel
    from streamer.backbones.trunk import Trunk


def _resnet(seed: int) -> Trunk:
    torch.manual_seed(seed)
    return ResNetTrunk(RESNET18).eval().requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def resnet() -> ExportedModel:
    return export_trunk("resnet18", _resnet(1))


def _session(model: ExportedModel) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.onnx, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 64, 96), (3, 72, 16), (2, 8, 200)])
def test_any_multiple_of_the_stride_agrees_with_torch(
    lite0: ExportedModel, resnet: ExportedModel, shape: tuple[int, int, int]
) -> None:
    count, lines, columns = shape
    pixels = np.random.default_rng(3).random((count, 3, lines, columns), dtype=np.float32)
    originals = ((lite0, find_entry("efficientnet_lite0").load()), (resnet, _resnet(1)))
    for exported, trunk in originals:
        (found,) = _session(exported).run(None, {"pixels": pixels})
        expected = trunk(torch.from_numpy(pixels)).numpy()
        assert found.shape == expected.shape == (count, trunk.channels, lines // 8, columns // 8)
        assert np.abs(found - expected).max() <= PARITY_LIMIT * np.abs(expected).max()


def test_card_says_what_was_exported(lite0: ExportedModel, resnet: ExportedModel) -> None:
    trunk = find_entry("efficientnet_lite0").load()
    card = lite0.card
    assert (card.name, card.stride, card.radius, card.channels) == (
        "efficientnet_lite0",
        8,
        33,
        240,
    )
    assert card.value_range == (0.0, 6.0)
    assert card.weights_digest == trunk.digest
    assert card.mean == pytest.approx((127 / 255,) * 3)
    assert 0 < card.parity <= PARITY_LIMIT
    assert set(card.versions) == {"torch", "onnx", "onnxruntime"}
    assert resnet.card.value_range is None


def test_model_is_checked_onnx_of_the_opset_and_names(lite0: ExportedModel) -> None:
    model = onnx.load_from_string(lite0.onnx)
    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    assert [port.name for port in model.graph.input] == ["pixels"]
    assert [port.name for port in model.graph.output] == ["features"]


def test_padding_and_batch_norm_are_folded_into_the_convolutions(lite0: ExportedModel) -> None:
    kinds = {node.op_type for node in onnx.load_from_string(lite0.onnx).graph.node}
    assert kinds == {"Sub", "Mul", "Conv", "Clip", "Add"}


def test_no_source_path_is_in_the_file(lite0: ExportedModel, resnet: ExportedModel) -> None:
    for model in (lite0, resnet):
        assert b".py" not in model.onnx
        assert b"stack_trace" not in model.onnx


def test_export_is_silent_and_deterministic(
    resnet: ExportedModel, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    level = logging.getLogger("torch.onnx").level
    again = export_trunk("resnet18", _resnet(1))
    assert again == resnet
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
    assert logging.getLogger("torch.onnx").level == level


def test_disagreement_is_a_parity_error(
    lite0: ExportedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    trunk = find_entry("efficientnet_lite0").load()
    trunk.stem.conv.weight[0] *= 1.01
    monkeypatch.setattr(export, "_to_onnx", lambda _: lite0.onnx)
    with pytest.raises(
        ParityError, match=r"exported net must agree with torch within 0.0001 of th"
    ):
        export_trunk("net", trunk)


def test_another_shape_is_a_parity_error(
    resnet: ExportedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_to_onnx", lambda _: resnet.onnx)
    with pytest.raises(ParityError, match="got inf"):
        export_trunk("net", find_entry("efficientnet_lite0").load())


def test_nan_is_a_parity_error(lite0: ExportedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    trunk = find_entry("efficientnet_lite0").load()
    trunk.stem.conv.weight[0] = float("nan")
    monkeypatch.setattr(export, "_to_onnx", lambda _: lite0.onnx)
    with pytest.raises(ParityError, match="got nan"):
        export_trunk("net", trunk)
