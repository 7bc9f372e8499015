"""The ONNX model that the settings name, as an engine is to run it; knows no engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from streamer.backbones.cache import cache_folder, fetch_exported
from streamer.backbones.catalogue import find_entry
from streamer.backbones.channel_subset import subset_digest
from streamer.backbones.exported import sha256
from streamer.backbones.int8 import to_int8

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streamer import config
    from streamer.backbones.calibration_set import CalibrationSet


@dataclass(frozen=True, slots=True)
class Model:
    """ONNX bytes and what is declared of them; lengths in pixels.

    `digest` changes with whatever changes a feature by more than rounding. `is_own`: a file of
    the user's, whose declarations are to be checked. `calibrated_on` is "" unless it is int8.
    """

    onnx: bytes
    name: str
    stride: int
    radius: int
    digest: str
    value_range: tuple[float, float] | None
    is_own: bool
    calibrated_on: str = ""


def load_model(
    settings: config.Backbone, webs: Callable[[], CalibrationSet] | None = None
) -> Model:
    """The catalogue's model, exported first if need be, or the user's file, as the settings say.

    `webs` gives what int8 is calibrated on when the settings name no calibrated model.

    Raises:
        ProviderError: it must be exported or calibrated, and what that takes is missing.
        ParityError: the export does not compute what torch computes.
        OSError: the ONNX file, the weights or the cache folder cannot be used.
        ValueError: unknown name, more channels than there are, or an int8 model of another one.
    """
    model = load_float_model(settings)
    match settings.precision:
        case "fp32":
            return model
        case "bf16":
            return replace(model, digest=sha256(f"{model.digest} bf16".encode()))
        case "int8":
            return to_int8(model, settings, webs)
        case _:
            assert_never(settings.precision)


def load_float_model(settings: config.Backbone) -> Model:
    """What `load_model` starts from: float32, with the channels of the settings."""
    whole = _listed(settings) if settings.onnx_file is None else _own(settings, settings.onnx_file)
    if settings.channels is None:
        return whole
    from streamer.backbones.onnx_subset import keep_channels

    digest = sha256(subset_digest(whole.digest, settings.channels).encode())
    return replace(whole, onnx=keep_channels(whole.onnx, settings.channels), digest=digest)


def _listed(settings: config.Backbone) -> Model:
    made, _ = fetch_exported(find_entry(settings.name), cache_folder(settings.cache))
    card = made.card
    return Model(
        onnx=made.onnx,
        name=card.name,
        stride=card.stride,
        radius=card.radius,
        digest=card.weights_digest,
        value_range=card.value_range,
        is_own=False,
    )


def _own(settings: config.Backbone, file: Path) -> Model:
    if settings.onnx_stride is None or settings.onnx_radius is None:
        msg = "backbone.onnx_stride and backbone.onnx_radius must be given, got None"
        raise ValueError(msg)
    try:
        onnx = file.read_bytes()
    except OSError as error:
        msg = f"backbone.onnx_file must be a readable file, got {file} ({error.strerror})"
        raise FileNotFoundError(msg) from None
    return Model(
        onnx=onnx,
        name=file.stem,
        stride=settings.onnx_stride,
        radius=settings.onnx_radius,
        digest=sha256(onnx),
        value_range=None,
        is_own=True,
    )
