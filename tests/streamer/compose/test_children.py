"""What a stage process builds: sink and capture with real sockets, files and a made-up worker."""

import json
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from streamer.compose import children
from streamer.compose.children import Setting, profile_tiles, roll_name, run_capture, run_sink
from streamer.compose.tile_links import tile_inlets
from streamer.config import Config, ConfigError
from streamer.config_file import load_config
from streamer.message import ScoreMap, Tile
from streamer.protocol import SEGMENT_PREFIX, Credit, Resume
from streamer.sources import open_source
from streamer.sources.camera_port import CameraFault
from streamer.transport import zeromq
from streamer.transport.segment import FOLDER
from streamer.transport.zeromq import EndpointError, ZmqHub


def free_endpoint():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setattr(zeromq, "LINGER_MS", 200)
    settings = {
        "roll.name": "r1",
        "roll.folder": tmp_path / "rolls",
        "source.columns": 160,
        "source.length_m": 0.4,
        "web.columns": 160,
        "tiles.lines": 256,
        "tiles.columns": 96,
        "alarms.publish": free_endpoint(),
        "alarms.snapshot": free_endpoint(),
        **{f"transport.{name}": f"ipc://{tmp_path}/{name}" for name in ("tiles", "results")},
        "transport.ledger": f"ipc://{tmp_path}/ledger",
    }
    return load_config(None, tuple(f"{key}={value}" for key, value in settings.items()))


def as_map(tile, value):
    shape = (-(-tile.line_count // 8), -(-tile.column_count // 8))
    scores = np.full(shape, value, np.float32)
    place = (tile.lane, tile.sequence, tile.first_line, tile.line_count)
    place += (tile.first_column, tile.column_count, 8)
    who = ("p", "m", tile.captured_ns, tile.captured_ns + 1, "w")
    return ScoreMap(tile.roll, tile.camera, *place, scores, 0.0, 1.0, *who)


def work(config, done):
    """Answer every tile with a map, as a worker would, until `done`."""
    hub = ZmqHub()
    tiles = tile_inlets(config, hub, "w")["cam0"]
    results = hub.connect_outlet(config.transport.results)
    tiles.send(Credit("w", 2, (), 0, 2))
    while not done.is_set():
        hub.wait(20)
        while (tile := tiles.receive()) is not None:
            if not isinstance(tile, Tile):
                continue  # capture also asks for profiles
            assert tiles.holds(tile)
            assert results.send(as_map(tile, 2.0 if tile.sequence == 1 else 0.0))
            tiles.send(Credit("w", 1, (), 0, 2))
        tiles.send(Credit("w", 0, (), 0, 2))
    hub.close()


@pytest.mark.parametrize("kind", ["sockets", "shared_memory"])
def test_capture_and_sink_make_a_roll_folder(config, monkeypatch, kind):
    config = config.model_copy(
        update={"transport": config.transport.model_copy(update={"kind": kind})}
    )
    opened = []

    def open_watched(*given):
        opened.append(open_source(*given))
        return opened[-1]

    monkeypatch.setattr("streamer.sources.open_source", open_watched)
    done = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        sink = pool.submit(run_sink, Setting(config, "sink", done.is_set))
        worker = pool.submit(work, config, done)
        outcome = pool.submit(run_capture, Setting(config, "capture", done.is_set)).result(30)
        summary = sink.result(30)
        done.set()
        worker.result(10)
    assert (outcome, summary.outcome) == ("", "complete")
    assert summary.last_line == 800
    assert summary.coverage.inspected == 800 * 160
    assert summary.defects == 1
    manifest = json.loads((config.roll.folder / "r1" / "manifest.json").read_text())
    assert manifest["roll"] == "r1"
    assert manifest["config_digest"] == config.digest
    assert manifest["truth"]["version"] == 1
    assert not list(FOLDER.glob(f"{SEGMENT_PREFIX}*-{os.getpid()}-*"))
    assert len(opened) == 1
    assert opened[0].read_into(np.empty((1, 160), np.uint8)) is None  # closed


def test_a_capture_that_is_stopped_before_it_begins_closes_its_source(config):
    assert run_capture(Setting(config, "capture", lambda: True)) == "stopped on request"


@pytest.mark.parametrize(
    ("resumed_at", "asked_for", "given_back"),
    [
        (Resume(0, 0), [(0, 0)], []),
        (Resume(512, 1, 77), [(0, 0), (512, 77)], [0]),
        (Resume(0, 0, 77), [(0, 0), (0, 77)], [0]),
    ],
)
def test_the_source_that_the_stage_takes_is_the_stages_to_close(
    config, monkeypatch, resumed_at, asked_for, given_back
):
    asked, closed = [], []

    class Stage:
        def __init__(self, _plan, _links, _pulse, open_source, _stopping):
            self.open_source = open_source

        def run(self):
            self.open_source(resumed_at)
            return ""

    def open_watched(_config, _camera, first_line, live):
        asked.append((first_line, live.since_ns))
        source = open_source(config.source, config.web, first_line)
        monkeypatch.setattr(source, "close", lambda: closed.append(first_line))
        return source

    monkeypatch.setattr(children, "CaptureStage", Stage)
    monkeypatch.setattr(children, "open_camera", open_watched)
    run_capture(Setting(config, "capture", lambda: False))
    assert asked == asked_for
    assert closed == given_back


@pytest.mark.parametrize("stage", [run_capture, run_sink])
def test_a_taken_endpoint_is_named(config, stage):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        names = dict.fromkeys(("tiles", "ledger", "results"), endpoint)
        transport = config.transport.model_copy(update=names)
        busy = config.model_copy(update={"transport": transport})
        with pytest.raises(EndpointError, match=endpoint):
            stage(Setting(busy, "x", lambda: True))
    assert not config.roll.folder.exists()


def test_a_web_of_another_width_is_refused(config):
    wide = config.model_copy(update={"web": config.web.model_copy(update={"columns": 200})})
    with pytest.raises(ConfigError, match="web.columns must be the source's 160, got 200"):
        run_capture(Setting(wide, "capture", lambda: True))


def test_a_sink_alone_must_be_told_the_width(config):
    untold = config.model_copy(update={"web": config.web.model_copy(update={"columns": None})})
    with pytest.raises(ConfigError, match="web.columns must be set when .* started alone"):
        run_sink(Setting(untold, "sink", lambda: True))


def test_a_roll_that_exists_is_not_written_over(config):
    run_sink(Setting(config, "sink", lambda: True))
    with pytest.raises(OSError, match="r1"):
        run_sink(Setting(config, "sink", lambda: True))


def test_a_roll_without_a_name_is_called_after_its_start(config):
    assert roll_name(config) == "r1"
    name = roll_name(Config())
    assert len(name) == len("20260101T000000Z")
    assert load_config(None, (f"roll.name={name}",)).roll.name == name


@pytest.mark.parametrize(
    ("settings", "tiles"),
    [
        ((), 6),  # 1.5 m of 0.5 mm lines are 3000: six tiles of 512
        (("tiles.lines=3008",), 1),
        (("web.line_mm=0.25",), 12),
        (("profile.mode=per_tile",), 0),
        (("profile.file=p.safetensors",), 0),
        (("profile.band_features=8",), 6),
        # A bootstrap of 2 segments of 4 tiles and one more, and 8 on their way.
        (("profile.mode=rolling",), 20),
    ],
)
def test_tiles_that_make_a_profile(settings, tiles):
    assert profile_tiles(load_config(None, settings)) == tiles


class Absent:
    """Opens nothing so often, then a source."""

    def __init__(self, times):
        self.times = times
        self.tries = 0

    def __call__(self, config, camera, first_line, live):
        self.tries += 1
        if self.tries <= self.times:
            msg = "nobody answers"
            raise CameraFault(msg)
        return first_line


@pytest.mark.parametrize(("beats", "tries"), [("ipc:///tmp/x", 3), ("", 1)])
def test_a_camera_may_come_back_first_where_a_parent_saw_it(monkeypatch, beats, tries):
    opening = Absent(2)
    monkeypatch.setattr(children, "open_camera", opening)
    monkeypatch.setattr(children.time, "sleep", lambda _: None)
    setting = Setting(load_config(None, (f"transport.beats={beats!r}",)), "capture", lambda: False)
    if beats:
        assert children.open_patiently(setting, "cam0", Resume(7, 1)) == 7
    else:
        with pytest.raises(CameraFault):
            children.open_patiently(setting, "cam0", Resume(7, 1))
    assert opening.tries == tries


def test_a_stop_ends_the_wait_for_a_camera(monkeypatch):
    opening = Absent(1000)
    monkeypatch.setattr(children, "open_camera", opening)
    setting = Setting(load_config(None, ("transport.beats=ipc:///tmp/x",)), "capture", lambda: True)
    with pytest.raises(CameraFault):
        children.open_patiently(setting, "cam0")
    assert opening.tries == 1
