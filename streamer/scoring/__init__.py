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
        case _:
            assert_never(settings.method)
