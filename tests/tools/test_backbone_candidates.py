"""The list of configurations that are compared."""

from __future__ import annotations

from pathlib import Path

from backbone_candidates import candidates

from streamer.config import Config
from streamer.config_file import load_config
from streamer.presets import PRESETS


def test_presets_are_measured_as_they_are() -> None:
    found = {one.name: one for one in candidates(None)}
    for name in PRESETS:
        measured, preset = found[name].settings(1), load_config(None, (f"preset={name}",))
        threads = {"threads": 1}
        assert measured.backbone == preset.backbone.model_copy(update=threads)
        assert measured.scoring == preset.scoring.model_copy(update=threads)


def test_every_engine_and_precision_is_there() -> None:
    backbones = [one.settings(1).backbone for one in candidates(None)]
    pairs = {(backbone.engine, backbone.precision) for backbone in backbones}
    assert pairs >= {
        ("onnxruntime", "fp32"),
        ("onnxruntime", "int8"),
        ("openvino", "fp32"),
        ("openvino", "bf16"),
        ("openvino", "int8"),
        ("torch", "fp32"),
    }


def test_an_own_file_is_measured_on_both_engines() -> None:
    own = [one for one in candidates(Path("net.onnx")) if one.name.startswith("net ")]
    assert [one.settings(1).backbone.onnx_stride for one in own] == [8, 8, 8]
    assert {one.settings(1).backbone.engine for one in own} == {"onnxruntime", "openvino"}
    assert all(isinstance(one.settings(2), Config) for one in own)
