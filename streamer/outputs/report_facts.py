"""What the report says in words of source, threshold and settings; knows no page."""

from __future__ import annotations

from typing import Any

Section = dict[str, Any]


def source_text(config: Section) -> str:
    """Where the pixels came from: simulator, recording or camera."""
    source: Section = config.get("source") or {}
    kind, camera = source.get("kind", "unknown"), source.get("camera", "")
    details = {
        "simulator": f"simulated {source.get('surface')}, seed {source.get('seed')}",
        "replay": f"recording {source.get('path')}",
        "stream": f"stream {source.get('address')}",
        "genicam": f"{source.get('transport')} camera {_identity(source)}",
        "gentl": f"GenTL camera {_identity(source)}",
    }
    names = [camera, *(side["source"]["camera"] for side in config.get("cameras") or ())]
    found = details.get(kind, str(kind))
    return f"{found} ({', '.join(name for name in names if name)})" if any(names) else found


def threshold_text(config: Section) -> str:
    """Where the alarm level came from; a level that was not calibrated says so."""
    calibration, profile = config.get("calibration") or {}, config.get("profile") or {}
    if calibration.get("alarm_level") is not None:
        return f"set by hand: raw score {calibration['alarm_level']:g}"
    rate = calibration.get("false_alarms_per_100m")
    if rate is None or profile.get("mode") is None:
        return "not stated"
    aim = f"{rate:g} false alarm{'' if rate == 1 else 's'} per 100 m"
    if profile["mode"] == "per_tile":
        return f"robust default: each tile by its own scores, aimed at {aim}"
    if profile.get("file"):
        return f"calibrated: {aim}, profile {profile['file']}"
    bootstrap = f"the first {profile.get('bootstrap_m', 0):g} m"
    goes_on = ", learnt on as the web runs" if profile["mode"] == "rolling" else ""
    return f"calibrated: {aim}, on {bootstrap} of this roll{goes_on}"


def duration_text(seconds: float) -> str:
    """Seconds below a minute, else hours, minutes and seconds."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min {rest:02d} s" if hours else f"{minutes} min {rest:02d} s"


def _identity(source: Section) -> str:
    return str(source.get("serial") or source.get("address") or "of no stated number")
