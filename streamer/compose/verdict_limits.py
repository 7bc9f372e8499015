"""What the configuration says of verdicts: whose level it is, when the line counts as blind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.compose.cameras import camera_sources
from streamer.stages.status_board import StatusLimits

if TYPE_CHECKING:
    from streamer.config import Config
    from streamer.web import WebGeometry


def threshold(config: Config, geometry: WebGeometry) -> tuple[str, int]:
    """Where the alarm level comes from, and up to which line it is the default's."""
    calibration, profile = config.calibration, config.profile
    if calibration.alarm_level is not None:
        return f"configured: {calibration.alarm_level:g}", 0
    wanted = f"{calibration.false_alarms_per_100m:g} false alarms per 100 m"
    if profile.mode == "per_tile":
        return f"default: each tile by itself, for {wanted}", 0
    learnt = 0 if profile.file is not None else geometry.lines(profile.bootstrap_m)
    return f"calibrated: {wanted}", learnt


def status_limits(config: Config, geometry: WebGeometry) -> StatusLimits:
    """When the line counts as blind; a camera whose blocks take longer may be silent longer."""
    block_lines = max(source.block_lines for source in camera_sources(config))
    block_ms = 1000 * geometry.metres(block_lines) / geometry.speed_m_min * 60
    known = StatusLimits(max_lag_ms=config.alarms.max_lag_ms)
    return StatusLimits(
        known.silent_ms,
        max(known.no_lines_ms, round(2.5 * block_ms)),
        config.alarms.max_lag_ms,
        config.alarms.actuator_mm or 0.0,
    )
