"""A camera's features by name through GenApi's own implementation; knows no setting, no stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genicam import genapi

if TYPE_CHECKING:
    from streamer.sources.camera_port import FeatureValue

_USABLE = (genapi.EAccessMode.RO, genapi.EAccessMode.RW, genapi.EAccessMode.WO)


class GentlFeatures:
    """See FeatureAccess; `node_map` is the remote device's."""

    def __init__(self, node_map: Any) -> None:
        self._node_map = node_map

    def has(self, name: str) -> bool:
        """See FeatureAccess."""
        if not self._node_map.has_node(name):
            return False
        return self._node_map.get_node(name).get_access_mode() in _USABLE

    def read(self, name: str) -> FeatureValue | None:
        """See FeatureAccess."""
        node = getattr(self._node_map, name)
        if isinstance(node, genapi.ICommand):
            return None
        node.node.invalidate_node()
        value: FeatureValue = node.value
        return value

    def write(self, name: str, value: FeatureValue) -> None:
        """See FeatureAccess."""
        node = getattr(self._node_map, name)
        try:
            if isinstance(node, genapi.ICommand):
                node.execute()
            else:
                node.value = _as_wanted(node, value)
        except genapi.GenericException as error:
            raise ValueError(_first_line(error)) from None

    def allowed(self, name: str) -> str:
        """See FeatureAccess."""
        node = getattr(self._node_map, name)
        if isinstance(node, genapi.IEnumeration):
            return ", ".join(node.symbolics)
        if isinstance(node, genapi.IInteger | genapi.IFloat):
            return f"{node.min:g} to {node.max:g}"
        return ""


def _as_wanted(node: Any, value: FeatureValue) -> FeatureValue:
    """GenApi's Python setters take the one type of the feature."""
    if isinstance(node, genapi.IInteger):
        return round(float(value))
    if isinstance(node, genapi.IFloat):
        return float(value)
    if isinstance(node, genapi.IBoolean):
        return value in (True, "true", "True", "On")
    return str(value)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
