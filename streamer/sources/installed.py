"""Whether the optional camera libraries are here; imports none of them."""

from __future__ import annotations

from importlib.util import find_spec

from streamer.sources.camera_port import CameraFault


def require_installed(kind: str, module: str, extra: str) -> None:
    """Raise CameraFault with the command that installs what `source.kind` needs."""
    if find_spec(module) is None:
        msg = (
            f"source.kind {kind} must have the package {module.replace('_', '-')}, got none; "
            f'pip install "linescan[{extra}]"'
        )
        raise CameraFault(msg)
