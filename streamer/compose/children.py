"""What each stage process builds from the configuration."""

from __future__ import annotations

import os
import time
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.compose.alarm_books import open_alarm_book
from streamer.compose.cameras import (
    camera_edges,
    camera_index,
    camera_light,
    camera_names,
    camera_places,
    camera_sources,
    open_camera,
    tiles_endpoint,
)
from streamer.compose.decision import decision_settings, repeat_settings, severity_rules
from streamer.compose.geometry import largest_tile, tile_grid, web_geometry
from streamer.compose.heap import keep_freed_memory
from streamer.compose.recorders import (
    alarm_outlets,
    open_record,
    recorder_endpoint,
    recorder_feed,
    recordings_folder,
)
from streamer.compose.tile_links import chosen_slots, tile_inlets, tile_outlet
from streamer.compose.verdict_limits import status_limits, threshold
from streamer.config import Config, ConfigError
from streamer.dispatch import DispatchSettings
from streamer.message import Interval
from streamer.protocol import Resume
from streamer.scoring.rolling_plan import RollingPlan
from streamer.sources.camera_port import CameraFault
from streamer.sources.live import Live
from streamer.stages.announcer import AlarmOrigin
from streamer.stages.capture import CaptureLinks, CapturePlan, CaptureStage
from streamer.stages.pulse import Pulse
from streamer.stages.queued_record import QueuedRecord
from streamer.stages.recorder import RecorderLinks, RecorderStage
from streamer.stages.score import ScoreLinks, ScoreStage
from streamer.stages.sink import SinkStage
from streamer.stages.sink_plan import SinkLinks, SinkOutputs, SinkPlan
from streamer.tiling import Origin
from streamer.transport.zeromq import ZmqHub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamer.decision import DecisionSettings
    from streamer.ports import LineSource, Outlet, RollSummary, WebFormat
    from streamer.web import WebGeometry

ORPHAN_TIMEOUT_MS = 3000
LAST_BEAT_MS = 200  # a recorder outlives the sink, which takes no beat then
_BEGINNING = Resume(0, 0)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a stage process is told besides the configuration; `camera` "": the first one."""

    config: Config
    process: str
    stopping: Callable[[], bool]
    camera: str = ""


def roll_name(config: Config) -> str:
    """The configured name of the roll, or one from the UTC time."""
    return config.roll.name or time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


def open_configured_source(config: Config, first_line: int = 0) -> LineSource:
    """All that the first camera shows, from `first_line` on."""
    from streamer.sources import open_source

    edges, light = camera_edges(config, 0), camera_light(config, 0)
    return open_source(config.source, config.web, first_line, edges, light)


def open_patiently(setting: Setting, camera: str, resume: Resume = _BEGINNING) -> LineSource:
    """As open_camera; under a parent, which saw the camera, it may come back first.

    What passed of a live web since the resumed ledger ends is lost, and the source says so.

    Raises:
        CameraFault: the camera stays away for half of `supervisor.start_timeout_ms`.
    """
    config = setting.config
    patience_s = config.supervisor.start_timeout_ms / 2000 if config.transport.beats else 0.0
    deadline = time.monotonic() + patience_s
    live = Live(resume.captured_ns, setting.stopping)
    while True:
        try:
            return open_camera(config, camera, resume.first_line, live)
        except CameraFault:
            if setting.stopping() or time.monotonic() >= deadline:
                raise
            time.sleep(0.5)


def run_capture(setting: Setting) -> str:
    """Run the capture stage of one camera; returns what ended the roll too early, or ""."""
    keep_freed_memory()
    config, name = setting.config, setting.camera or setting.config.source.camera
    with _as_configured():
        source = open_patiently(setting, name)
    hub = ZmqHub()
    unused = [source]  # a source that the stage has taken is the stage's to close

    def take_source(resume: Resume) -> LineSource:
        if resume == _BEGINNING:
            return unused.pop()
        unused.pop().close()
        return open_patiently(setting, name, resume)

    try:
        form = source.format
        if not config.cameras and config.web.columns not in (None, form.columns):
            msg = f"web.columns must be the source's {form.columns}, got {config.web.columns}"
            raise ConfigError(msg)
        workers = hub.bind_switchboard(tiles_endpoint(config, camera_index(config, name)))
        ledger = hub.connect_link(config.transport.ledger, f"capture-{name}")
        pulse = stage_pulse(setting, hub, "capture", ledger)
        plan = capture_plan(config, form, name)
        slots = chosen_slots(config, plan, form)
        with tile_outlet(slots, name, workers, pulse.figures) as (outlet, allocate):
            feed = recorder_feed(config, hub, name, (form, plan.incarnation, pulse.figures))
            links = CaptureLinks(outlet, ledger, hub.wait, allocate, feed)
            return CaptureStage(plan, links, pulse, take_source, setting.stopping).run()
    finally:
        for left in unused:
            left.close()
        hub.close()


def capture_plan(config: Config, form: WebFormat, camera: str = "") -> CapturePlan:
    """What capture does with a web of this form; `camera` "": the first one."""
    camera = camera or config.source.camera
    tiles, grid = config.tiles, tile_grid(config, form.columns)
    lanes = len(grid.lanes)
    return CapturePlan(
        origin=Origin(roll_name(config), camera, config.digest),
        grid=grid,
        dispatch=DispatchSettings(
            tiles.overload,
            max(tiles.capacity, 2 * lanes),
            tiles.max_attempts,
            tiles.worker_timeout_ms,
            tiles.verdict_timeout_ms,
            profile_tiles(config),
        ),
        block_lines=camera_sources(config)[camera_index(config, camera)].block_lines,
        drain_timeout_ms=tiles.drain_timeout_ms,
        incarnation=uuid.uuid4().hex,
        source=form.description,
    )


def profile_tiles(config: Config) -> int:
    """Tiles of a lane that its profile is made from; 0 when it is not made on the line.

    Of a rolling one, those that another worker needs besides the last state.
    """
    if config.profile.mode == "rolling":
        return RollingPlan.of(config, web_geometry(config, 1)).replay_tiles
    if config.profile.mode != "fixed" or config.profile.file is not None:
        return 0
    lines = web_geometry(config, 1).lines(config.profile.bootstrap_m)
    return -(-lines // config.tiles.lines)


def run_score(setting: Setting) -> str:
    """Run one score worker until it is stopped; returns what ended it too early, or "".

    Raises:
        KernelError: it would score on what `kernels.require` rules out.
    """
    from streamer.backbones import open_backbone
    from streamer.compose.calibration_web import simulated_webs
    from streamer.scoring.fca import use_threads
    from streamer.scoring.kernel_gate import require_kernels
    from streamer.scoring.tile_scorer import open_tile_scorer

    config = setting.config
    require_kernels(config)
    hub = ZmqHub()
    try:
        results = hub.connect_outlet(config.transport.results)
        pulse = stage_pulse(setting, hub, "score", results)
        # Engines are loaded, built and warmed up before the worker asks for its first tile.
        pulse.announce_busy(config.supervisor.start_timeout_ms)
        use_threads(config.scoring.threads)
        geometry = web_geometry(config, web_columns(config))
        with _as_configured():
            backbone = open_backbone(config.backbone, simulated_webs)
            scorer = open_tile_scorer(backbone, config, geometry, setting.process)
        grids = (tile_grid(config, place.columns.size) for place in camera_places(config))
        scorer.warm_up(max(map(largest_tile, grids)), 8)
        # A restarted worker is another one to capture: what the dead one held is sent again.
        name = f"{setting.process}-{os.getpid()}"
        tiles = tile_inlets(config, hub, name)
        links = ScoreLinks(tiles, results, hub.wait, lambda t: tiles[t.camera].holds(t))
        stage = ScoreStage(
            name, links, pulse, scorer, setting.stopping, config.score.tile_timeout_ms
        )
        fault = stage.run()
        backbone.close()
        return fault
    finally:
        hub.close()


@contextmanager
def _as_configured() -> Iterator[None]:
    """What cannot be opened as configured is a fault of the configuration, not of the program."""
    try:
        yield
    except ValueError as error:
        raise ConfigError(str(error)) from None


def web_columns(config: Config) -> int:
    """Width of the web in pixels, which a stage without a source must be told.

    Raises:
        ConfigError: `web.columns` is not set.
    """
    if config.web.columns is None:
        msg = "web.columns must be set when score or sink are started alone, got null"
        raise ConfigError(msg)
    return config.web.columns


def run_sink(setting: Setting) -> RollSummary:
    """Run the sink to the end of the roll; returns what its manifest says."""
    from streamer.outputs import open_zmq_alarms
    from streamer.outputs.recorder_alarms import RecorderAlarms
    from streamer.outputs.roll_folder import RollFolder

    config = setting.config
    geometry = web_geometry(config, web_columns(config))
    stride = tile_grid(config, geometry.columns).stride
    name = roll_name(config)
    with ExitStack() as opened:
        hub = ZmqHub()
        opened.callback(hub.close)
        ledger = hub.bind_switchboard(config.transport.ledger)
        links = SinkLinks(ledger, hub.bind_inlet(config.transport.results), hub.wait)
        to_recorders = RecorderAlarms(alarm_outlets(config, hub))
        subscribers = open_zmq_alarms(config.alarms)
        alarms = (subscribers, to_recorders)
        for output in alarms:
            opened.callback(output.close)
        book, memory, left_over = open_alarm_book(config, time.time_ns())
        opened.callback(memory.close)
        subscribers.adopt(book.present, book.sequence - len(left_over))
        for alarm in left_over:
            subscribers.publish(alarm)
        # Last, so that a taken endpoint leaves no roll behind that never began.
        rules = severity_rules(config)
        folder = config.roll.folder / name
        record = QueuedRecord(lambda: RollFolder(folder, config, geometry, stride, rules))
        opened.callback(record.close)
        cameras = "+".join(camera_names(config))
        level = threshold(config, geometry)
        origin = AlarmOrigin(name, cameras, config.digest, geometry, *level, rules)
        plan = SinkPlan(
            origin,
            _decision_settings(config, geometry),
            stride,
            config.supervisor.stall_ms,
            config.tiles.verdict_timeout_ms,
            ORPHAN_TIMEOUT_MS,
            camera_places(config),
            status_limits(config, geometry),
            repeat_settings(config),
        )
        pulse = stage_pulse(setting, hub, "sink")
        outputs = SinkOutputs(record, alarms, subscribers, book, memory)
        return SinkStage(plan, links, pulse, outputs, setting.stopping).run()


def run_recorder(setting: Setting) -> None:
    """Run the recorder of one camera until it is stopped.

    Raises:
        ConfigError: what is in its folder cannot be continued.
        OSError: the recording cannot be written.
    """
    config, name = setting.config, setting.camera or setting.config.source.camera
    folder = recordings_folder(config, config.roll.folder / roll_name(config), name)
    hub = ZmqHub()
    try:
        inlet = hub.bind_inlet(recorder_endpoint(config, name), 1)
        # The sink raises an alarm when it falls silent.
        pulse = stage_pulse(setting, hub, "recorder", hub.connect_outlet(config.transport.results))
        with _as_configured():
            record = open_record(config, folder)
            links = RecorderLinks(inlet, hub.wait)
            RecorderStage(name, links, pulse, record, setting.stopping).run()
    finally:
        hub.close(LAST_BEAT_MS)


def _decision_settings(config: Config, geometry: WebGeometry) -> DecisionSettings:
    places = camera_places(config)
    lanes = [
        Interval(place.columns.first + lane.first, place.columns.first + lane.end)
        for place in places
        for lane in tile_grid(config, place.columns.size).lanes
    ]
    return decision_settings(config, geometry, lanes)


def stage_pulse(setting: Setting, hub: ZmqHub, stage: str, *watchers: Outlet) -> Pulse:
    """Beats to those who watch the stage, and to the parent when there is one."""
    config = setting.config
    parent = (hub.connect_outlet(config.transport.beats),) if config.transport.beats else ()
    outlets = (*watchers, *parent)
    return Pulse(stage, setting.process, outlets, config.supervisor.beat_ms, time.time_ns)
