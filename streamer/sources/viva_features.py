"""A camera's features by name through viva-genicam; knows no setting and no stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import viva_genicam as viva

if TYPE_CHECKING:
    from streamer.sources.camera_port import FeatureValue

_WHOLE = frozenset({"Integer", "IntConverter", "IntSwissKnife"})
_REAL = frozenset({"Float", "Converter", "SwissKnife"})


class VivaFeatures:
    """See FeatureAccess; what the library keeps of earlier reads is never used."""

    def __init__(self, camera: viva.Camera) -> None:
        self._camera = camera

    def has(self, name: str) -> bool:
        """See FeatureAccess."""
        if self._camera.node_info(name) is None:
            return False
        state = self._camera.feature_state(name)
        return state.is_implemented and state.is_available

    def read(self, name: str) -> FeatureValue | None:
        """See FeatureAccess."""
        self._camera.invalidate(name)
        return self._camera.feature_state(name).value

    def write(self, name: str, value: FeatureValue) -> None:
        """See FeatureAccess."""
        try:
            self._write(self._camera.feature_state(name).kind, name, value)
        except (viva.GenApiError, viva.ParseError) as error:
            raise ValueError(str(error)) from None

    def _write(self, kind: str, name: str, value: FeatureValue) -> None:
        camera = self._camera
        if kind == "Command":
            camera.execute(name)
        elif kind in _WHOLE:
            camera.set_integer(name, round(float(value)))
        elif kind in _REAL:
            camera.set_float(name, float(value))
        elif kind == "Boolean":
            camera.set_bool(name, value in (True, "true", "True", "On"))
        else:
            camera.set(name, str(value))

    def allowed(self, name: str) -> str:
        """See FeatureAccess."""
        state = self._camera.feature_state(name)
        if state.enum_entries:
            return ", ".join(state.enum_entries)
        if state.range is None:
            return ""
        step = f" in steps of {state.range.inc:g}" if state.range.inc else ""
        return f"{state.range.min:g} to {state.range.max:g}{step}"
