"""Every form of a backbone against torch, on features, scores and decisions; prints nothing."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from streamer.backbones import open_backbone
from streamer.backbones.channel_subset import chosen_channels
from streamer.backbones.faults import ProviderError
from streamer.cli.agreement import Judgement, Tolerance, compare, departures, worst
from streamer.cli.image_report import find_regions
from streamer.cli.stills import still_lesson
from streamer.compose.calibration_web import simulated_webs
from streamer.compose.decision import decision_settings
from streamer.compose.geometry import web_geometry
from streamer.correction.still import Still
from streamer.scoring.features import Edges, embed_web
from streamer.scoring.image_scorer import score_image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamer import config as configuration
    from streamer.backbones.calibration_set import CalibrationSet
    from streamer.cli.agreement import Agreement
    from streamer.config import Config
    from streamer.message import PixelArray
    from streamer.ports import Backbone

# Features, scores (largest, mean), flipped cells, peak of a region that one of them misses. The
# figures are about twice the largest seen on simulated webs and on real fabric and leather.
TOLERANCES = {
    "fp32": Tolerance(1e-5, 0.02, 0.001, 0.001, 1.02),
    "bf16": Tolerance(0.015, 0.15, 0.03, 0.01, 1.2),
    "int8": Tolerance(0.03, 0.25, 0.04, 0.03, 1.5),
}
SUBSET_TOLERANCE = Tolerance(0.0, 0.8, 0.12, 0.05, 2.0)
_ENGINES = {"fp32": ("onnxruntime", "openvino"), "bf16": ("openvino",)}
_ENGINES["int8"] = _ENGINES["fp32"]


@dataclass(frozen=True, slots=True)
class Form:
    """A way to run the backbone, and how far it may depart from the reference."""

    name: str
    settings: configuration.Backbone
    tolerance: Tolerance


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one form; `agreement` is None where it did not run, and `reason` says why."""

    form: Form
    engine: str
    agreement: Agreement | None
    departures: tuple[str, ...] = ()
    reason: str = ""


def forms_of(settings: configuration.Backbone) -> tuple[Form, ...]:
    """All forms of the configured backbone, the reference first.

    The reference is torch in float32 with all channels, or ONNX Runtime for a user's file. Where
    the settings keep a subset of the channels, each form comes with all of them and with those.
    """
    plain = {"precision": "fp32", "channels": None, "int8_file": None, "allow_fallback": False}
    engine = "torch" if settings.onnx_file is None else "onnxruntime"
    first = settings.model_copy(update={**plain, "engine": engine, "provider": "cpu"})
    forms = [
        _form(first, settings, channels, (one, precision))
        for channels in dict.fromkeys((None, settings.channels))
        for precision, engines in _ENGINES.items()
        for one in engines
    ]
    others = (form for form in forms if form.settings != first)
    return (Form(f"{engine} fp32", first, TOLERANCES["fp32"]), *others)


def _form(
    first: configuration.Backbone,
    settings: configuration.Backbone,
    channels: int | None,
    running: tuple[str, str],
) -> Form:
    engine, precision = running
    update: dict[str, object] = {"engine": engine, "precision": precision, "channels": channels}
    # The file was made for the configured channels, and holds no others.
    if precision == "int8" and channels == settings.channels:
        update["int8_file"] = settings.int8_file
    tolerance = TOLERANCES[precision]
    subset = "" if channels is None else f" {channels} channels"
    if channels is not None:
        tolerance = tolerance + SUBSET_TOLERANCE
    return Form(f"{engine} {precision}{subset}", first.model_copy(update=update), tolerance)


def verify(
    config: Config,
    forms: Sequence[Form],
    material: CalibrationSet,
    note: Callable[[str], None] = lambda _: None,
) -> list[Outcome]:
    """Compare every form but the first with the first; `note` is told which one runs.

    Raises:
        ProviderError: the reference, or the form that is configured, does not run here.
        ParityError, OSError, ValueError: as `open_backbone`.
    """
    note(forms[0].name)
    with closing(open_backbone(forms[0].settings)) as backbone:
        reference = [judge(pixels, backbone, config) for pixels in material.images]
        outcomes = [Outcome(forms[0], backbone.spec.engine, None, reason="the reference")]
    for form in forms[1:]:
        note(form.name)
        outcomes.append(_outcome(form, config, material, reference))
    return outcomes


def _outcome(
    form: Form, config: Config, material: CalibrationSet, reference: Sequence[Judgement]
) -> Outcome:
    try:
        backbone = open_backbone(form.settings, simulated_webs)
    except ProviderError as error:
        if _is_configured(form, config.backbone):
            raise
        return Outcome(form, "", None, reason=str(error))
    with closing(backbone):
        found = worst(
            [
                compare(
                    _as_form(expected, form),
                    judge(pixels, backbone, config),
                    own_scale=form.settings.channels is not None,
                )
                for pixels, expected in zip(material.images, reference, strict=True)
            ]
        )
        engine = backbone.spec.engine
    return Outcome(form, engine, found, tuple(departures(found, form.tolerance)))


def _is_configured(form: Form, settings: configuration.Backbone) -> bool:
    keys = ("engine", "precision", "channels")
    return all(getattr(form.settings, key) == getattr(settings, key) for key in keys)


def _as_form(expected: Judgement, form: Form) -> Judgement:
    """The reference with the channels that the form has; its scores are of all channels."""
    if form.settings.channels is None:
        return expected
    kept = chosen_channels(form.settings.channels, len(expected.features))
    return replace(expected, features=expected.features[kept])


def judge(pixels: PixelArray, backbone: Backbone, config: Config) -> Judgement:
    """Features, scores and decisions on one image by itself, nothing of it masked or evened.

    Raises:
        ValueError: the image is too small for any window.
    """
    spec, geometry = backbone.spec, web_geometry(config, pixels.shape[1])
    lesson = still_lesson(Still(pixels), config, spec)
    verdict = score_image(pixels, backbone, lesson)
    limits = decision_settings(config, geometry)
    whole = [size // spec.stride * spec.stride for size in pixels.shape[:2]]
    features = embed_web(backbone, pixels[: whole[0], : whole[1]], Edges())
    return Judgement(
        features=np.asarray(features.cpu().numpy()),
        scores=verdict.scores,
        levels=verdict.profile.calibration.normalise(verdict.scores),
        regions=find_regions(verdict, pixels.shape[0], limits),
    )
