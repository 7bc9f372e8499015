"""One line about a camera and its link, from the figures of a beat; knows no camera."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Shown when there were any; what they count is told in deploy/cameras.md.
_LOSSES = {
    "missing_packets": "missing packets",
    "incomplete_frames": "incomplete frames",
    "missed_frames": "missed frames",
    "underruns": "underruns",
    "timeouts": "timeouts",
    "reconnects": "reconnects",
}


def camera_text(figures: Mapping[str, float]) -> str:
    """What a person at the line wants to know; "" when the source is no camera."""
    if "connected" not in figures:
        return ""
    parts = [] if figures["connected"] else ["AWAY"]
    if "link_mb_s" in figures:
        parts.append(f"{figures['link_mb_s']:.1f} MB/s")
    if "temperature_c" in figures:
        parts.append(f"{figures['temperature_c']:.0f} C")
    parts += [f"{text} {figures[key]:.0f}" for key, text in _LOSSES.items() if figures.get(key)]
    return f"camera {', '.join(parts) or 'without loss'}"
