"""The int8 form of a model: from the user's file, the cache, or made now; knows no engine."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from streamer.backbones.cache import cache_folder
from streamer.backbones.exported import ExportedModel, ModelCard, read_exported, sha256
from streamer.backbones.faults import ProviderError
from streamer.backbones.installed import require_onnxruntime

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streamer import config
    from streamer.backbones.calibration_set import CalibrationSet
    from streamer.backbones.model import Model

_LOGGER = logging.getLogger(__name__)
_COMMAND = "linescan export --int8 --calibrate-on IMAGE_FOLDER --out FILE.onnx"


def to_int8(
    model: Model, settings: config.Backbone, webs: Callable[[], CalibrationSet] | None
) -> Model:
    """The int8 form of the float `model`, as the settings say.

    It is `int8_file`, or what was calibrated on `webs` before, or is calibrated on them now: the
    same model and images always give the same int8 model.

    Raises:
        ProviderError: there is no file and nothing to calibrate on.
        ValueError: the file was made from another model.
        OSError: the file cannot be read, or the cache not written.
    """
    if settings.int8_file is not None:
        made = _own(settings.int8_file, model)
    elif webs is not None:
        made = fetch_int8(model, webs(), cache_folder(settings.cache))
    else:
        msg = (
            "backbone.int8_file must name a calibrated model here, got null; "
            f"run `{_COMMAND}` and set backbone.int8_file"
        )
        raise ProviderError(msg)
    digest, origin = made.card.onnx_digest, made.card.calibrated_on
    return replace(model, onnx=made.onnx, digest=digest, calibrated_on=origin)


def fetch_int8(model: Model, calibration: CalibrationSet, folder: Path) -> ExportedModel:
    """The int8 form of `model` for the calibration set, from `folder`, or made and put there.

    Raises:
        OSError: the folder cannot be written.
    """
    file = int8_file(model, calibration, folder)
    found = read_exported(file)
    if found is not None:
        return found
    _LOGGER.info("%s is calibrated for int8 on %s", model.name, calibration.name)
    made = make_int8(model, calibration)
    try:
        made.write(file)
    except OSError as error:
        msg = (
            f"backbone.cache must be a folder that can be written, got {folder} ({error.strerror})"
        )
        raise OSError(msg) from None
    return made


def int8_file(model: Model, calibration: CalibrationSet, folder: Path) -> Path:
    """Where `fetch_int8` keeps it."""
    return folder / f"{model.name}-int8-{_content_key(model, calibration)[:16]}.onnx"


def make_int8(model: Model, calibration: CalibrationSet) -> ExportedModel:
    """The int8 form of the float `model` with its card.

    Raises:
        ProviderError: onnxruntime is not installed.
    """
    require_onnxruntime()
    import onnxruntime

    from streamer.backbones.quantise import quantise

    made = quantise(model.onnx, calibration, model.stride)
    card = replace(
        _card(model),
        onnx_digest=sha256(made.onnx),
        parity=made.largest_error,
        versions={"onnxruntime": str(onnxruntime.__version__)},
        precision="int8",
        base_digest=model.digest,
        calibrated_on=calibration.name,
        calibration_digest=calibration.digest,
        calibration_images=len(calibration.images),
        mean_error=made.mean_error,
    )
    return ExportedModel(made.onnx, card)


def _channels(model: Model) -> int:
    """Channels of the output; 0 when the file does not say."""
    import onnx

    from streamer.backbones.onnx_subset import count_channels

    return count_channels(onnx.load_from_string(model.onnx)) or 0


def _card(model: Model) -> ModelCard:
    """What is known of any float model; of a user's file there is no normalisation to tell."""
    from streamer.backbones.onnx_subset import opset_of

    return ModelCard(
        name=model.name,
        stride=model.stride,
        radius=model.radius,
        channels=_channels(model),
        value_range=model.value_range,
        mean=(),
        std=(),
        weights_digest=model.digest,
        onnx_digest="",
        opset=opset_of(model.onnx),
        parity=0.0,
        versions={},
    )


def _own(file: Path, model: Model) -> ExportedModel:
    made = read_exported(file)
    if made is None:
        msg = (
            "backbone.int8_file must be a model with its undamaged sidecar (.json) beside it, "
            f"got {file}; make one with `{_COMMAND}`"
        )
        raise FileNotFoundError(msg)
    if made.card.precision != "int8" or made.card.base_digest != model.digest:
        msg = (
            f"backbone.int8_file must be made from {model.name} with {_channels(model)} channels, "
            f"got {made.card.precision} of {made.card.name} with {made.card.channels} channels; "
            f"make it with `{_COMMAND}` and the same backbone settings"
        )
        raise ValueError(msg)
    return made


def _content_key(model: Model, calibration: CalibrationSet) -> str:
    import onnxruntime

    from streamer.backbones.quantise import RECIPE

    parts = (sha256(model.onnx), calibration.digest, RECIPE, str(onnxruntime.__version__))
    return sha256(" ".join(parts).encode())
