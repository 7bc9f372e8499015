"""Scoring methods by name; knows neither pixels nor transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from streamer import config
    from streamer.scoring.method import Method


def open_scorer(settings: config.Scoring) -> Method:
    """The scoring method that `settings.method` names."""
    match settings.method:
        case "fca_fast":
            from streamer.scoring.fca import FcaFast

            return FcaFast.of(settings)
        case "fca":
            from streamer.scoring.fca import FcaExact

            return FcaExact.of(settings)
        case "quantized_fca":
            from streamer.scoring.quantized_fca import QuantizedFca

            return QuantizedFca.of(settings)
        case "sww":
            from streamer.scoring.sww import Sww

            return Sww.of(settings)
        case "histogram":
            from streamer.scoring.histogram import Histogram

            return Histogram.of(settings)
        case "moments":
            from streamer.scoring.moments import Moments

            return Moments.of(settings)
        case "aota":
            from streamer.scoring.aota import Aota

            return Aota.of(settings)
        case "aota_original":
            from streamer.scoring.aota import AotaOriginal

            return AotaOriginal.of(settings)
        case "grnr":
            from streamer.scoring.grnr import Grnr

            return Grnr.of(settings)
        case _:
            assert_never(settings.method)
