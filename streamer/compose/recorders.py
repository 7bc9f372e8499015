"""The recorders of a line from the configuration: one for each camera, and what they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.compose.cameras import camera_index, camera_names, numbered_endpoint
from streamer.stages.recorder_feed import RecorderFeed

if TYPE_CHECKING:
    from pathlib import Path

    from streamer.config import Config
    from streamer.ports import Outlet, WebFormat, WebRecord
    from streamer.transport.zeromq import ZmqHub

SINK_SHARE = 64  # alarms that may wait for a recorder


def recorder_processes(config: Config) -> dict[str, str]:
    """Processes and the cameras that they record; one alone is "recorder" of camera ""."""
    if config.recorder.mode == "off":
        return {}
    names = camera_names(config) if config.cameras else ()
    return {f"recorder-{name}": name for name in names} or {"recorder": ""}


def recordings_folder(config: Config, roll_folder: Path, camera: str) -> Path:
    """Where a camera's recordings of a roll go."""
    given = config.recorder.folder
    base = given / roll_folder.name if given else roll_folder / "recordings"
    return base / camera if config.cameras else base


def recorder_endpoint(config: Config, camera: str) -> str:
    """Where the recorder of a camera takes what it is handed.

    Raises:
        ConfigError: no such endpoint can be made from `recorder.endpoint`.
    """
    return numbered_endpoint(
        "recorder.endpoint", config.recorder.endpoint, camera_index(config, camera)
    )


def recorder_feed(
    config: Config, hub: ZmqHub, camera: str, plan: tuple[WebFormat, str, dict[str, float]]
) -> RecorderFeed | None:
    """Capture's way to the recorder; None when nothing is recorded.

    `plan` is the form of the web, capture's incarnation and where it keeps figures.
    """
    if config.recorder.mode == "off":
        return None
    endpoint = recorder_endpoint(config, camera)
    return RecorderFeed(hub.connect_outlet(endpoint, config.recorder.max_lag_blocks), *plan)


def alarm_outlets(config: Config, hub: ZmqHub) -> list[Outlet]:
    """The sink's ways to the recorders that wait for alarms."""
    if config.recorder.mode not in ("ring", "alarms"):
        return []
    return [
        hub.connect_outlet(recorder_endpoint(config, camera), SINK_SHARE)
        for camera in camera_names(config)
    ]


def open_record(config: Config, folder: Path) -> WebRecord:
    """What the configured mode keeps, below `folder`.

    Raises:
        ValueError, OSError: what is there cannot be continued; the text names it.
    """
    if config.recorder.mode == "all":
        from streamer.sources.recording_whole import WholeRecording

        return WholeRecording(folder / "roll", config.web)
    from streamer.sources.recording_ring import RingRecording, RingRules

    return RingRecording(folder, RingRules.of(config.recorder, config.web), config.web)
