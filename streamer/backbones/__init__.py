"""Feature extractors: one factory that opens what the configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer import config
    from streamer.backbones.calibration_set import CalibrationSet
    from streamer.ports import Backbone


def open_backbone(
    settings: config.Backbone, webs: Callable[[], CalibrationSet] | None = None
) -> Backbone:
    """Open the configured feature extractor, warmed up; the first opening of a name exports it.

    `webs` gives what int8 is calibrated on when the settings name no calibrated model.

    Raises:
        ProviderError: the engine is not installed, or does not run on what was asked for and no
            fallback is allowed, or int8 has nothing to be calibrated on.
        ParityError: the export does not compute what torch computes.
        OSError: the weights, the ONNX file or the cache folder cannot be used.
        ValueError: settings that name nothing or do not fit.
    """
    backbone = _open_engine(settings, webs)
    if settings.reduce == 1:
        return backbone
    from streamer.backbones.reduced import ReducedBackbone

    return ReducedBackbone(backbone, settings.reduce)


def _open_engine(settings: config.Backbone, webs: Callable[[], CalibrationSet] | None) -> Backbone:
    match settings.engine:
        case "onnxruntime":
            from streamer.backbones.installed import require_onnxruntime

            require_onnxruntime()
            from streamer.backbones.onnx_runtime import open_onnx

            return open_onnx(settings, webs)
        case "openvino":
            from streamer.backbones.installed import require_onnxruntime, require_openvino

            require_openvino()
            require_onnxruntime()
            from streamer.backbones.openvino_runtime import open_openvino

            return open_openvino(settings, webs)
        case "torch":
            from streamer.backbones.torch_eager import open_torch

            return open_torch(settings)
        case _:
            assert_never(settings.engine)
