"""The configurations of backbone and score whose speed and accuracy are compared; runs none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamer import config
from streamer.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Candidate:
    """A named configuration of backbone and score."""

    name: str
    backbone: Mapping[str, object] = field(default_factory=dict)
    scoring: Mapping[str, object] = field(default_factory=dict)

    def settings(self, threads: int) -> config.Config:
        """The configuration on so many threads."""
        return config.Config(
            backbone=config.Backbone.model_validate({**self.backbone, "threads": threads}),
            scoring=config.Scoring.model_validate({**self.scoring, "threads": threads}),
        )


def _openvino(precision: str, **keys: object) -> dict[str, object]:
    return {"engine": "openvino", "precision": precision, **keys}


def candidates(onnx: Path | None) -> list[Candidate]:
    """What is measured: the presets, then one change at a time."""
    levels = {"levels": 8}
    found = [Candidate(n, dict(p["backbone"]), dict(p["scoring"])) for n, p in PRESETS.items()]
    fast = PRESETS["fast"]
    found += [
        Candidate(
            "fast, openvino int8", {**fast["backbone"], **_openvino("int8")}, fast["scoring"]
        ),
        Candidate("lite0 onnxruntime int8", {"precision": "int8"}),
        Candidate("lite0 torch fp32", {"engine": "torch"}),
        Candidate("lite0 openvino fp32", _openvino("fp32")),
        Candidate("lite0 openvino bf16", _openvino("bf16")),
        Candidate("lite0 openvino int8", _openvino("int8")),
        Candidate("lite0 128 channels", {"channels": 128}),
        Candidate("lite0 64 channels", {"channels": 64}),
        Candidate("lite0 8 levels", {}, levels),
        Candidate("lite0 64 channels 8 levels", {"channels": 64}, levels),
        Candidate(
            "lite0 openvino bf16 64 channels 8 levels", _openvino("bf16", channels=64), levels
        ),
        Candidate(
            "lite0 openvino int8 128 channels 8 levels", _openvino("int8", channels=128), levels
        ),
        Candidate(
            "lite0 onnxruntime int8 64 channels 8 levels",
            {"precision": "int8", "channels": 64},
            levels,
        ),
        Candidate("lite1 onnxruntime fp32", {"name": "efficientnet_lite1"}),
        Candidate("lite2 onnxruntime fp32", {"name": "efficientnet_lite2"}),
        Candidate("lite2 openvino int8", _openvino("int8", name="efficientnet_lite2")),
    ]
    if onnx is not None:
        # The ResNet-50 v2 of the ONNX model zoo up to stride 8; its receptive field as the layers.
        own: dict[str, object] = {"onnx_file": onnx, "onnx_stride": 8, "onnx_radius": 45}
        found += [
            Candidate(f"{onnx.stem} onnxruntime fp32", own),
            Candidate(f"{onnx.stem} openvino bf16", {**own, **_openvino("bf16")}),
            Candidate(f"{onnx.stem} openvino int8", {**own, **_openvino("int8")}),
        ]
    return found
