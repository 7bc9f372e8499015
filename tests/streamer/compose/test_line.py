"""The parent: what it prepares, what it starts, and which exit code an ending has."""

import signal
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from streamer.compose import line
from streamer.compose.line import (
    LineRun,
    last_fault,
    prepare_roll,
    read_manifest,
    roll_folder,
    with_endpoints,
)
from streamer.config import ConfigError
from streamer.config_file import load_config
from streamer.correction.flat_field import LightReference
from streamer.correction.light_file import LightFacts, LightFile
from streamer.stages.capture import STOPPED_ON_REQUEST
from streamer.supervisor import Child, Command


@pytest.fixture
def config(tmp_path):
    settings = ("source.columns=256", "source.length_m=1", f"roll.folder={tmp_path / 'rolls'}")
    return lambda *more: load_config(None, settings + more)


def test_a_prepared_roll_has_a_name_a_place_and_a_width(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    effective = prepare_roll(config("roll.folder=here"))
    assert effective.web.columns == 256
    assert effective.roll.folder == tmp_path / "here"
    assert effective.roll.name
    assert roll_folder(effective) == tmp_path / "here" / effective.roll.name


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("web.columns=100", "web.columns must be source.columns = 256, got 100"),
        ("tiles.lines=500", "tiles.lines must be a multiple of 16"),
        ("backbone.name=alexnet", "backbone.name must be one of"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_starts(config, setting, text):
    with pytest.raises(ConfigError, match=text):
        prepare_roll(config(setting))


def test_a_light_file_that_does_not_fit_is_told_before_anything_starts(config, tmp_path):
    with pytest.raises(OSError, match="light.file must be readable, got /nowhere"):
        prepare_roll(config("light.file=/nowhere"))


def test_margins_that_leave_no_web_are_told_before_anything_starts(config):
    with pytest.raises(ValueError, match="must leave some of the 256 columns"):
        prepare_roll(config("edges.stream=fixed", "edges.margin_left_mm=1000"))


def test_every_camera_is_tried_with_its_own_light(config, tmp_path):
    made = {}
    for name, columns in (("left", 256), ("right", 128)):
        white = LightReference(8, np.full((columns, 1), 100.0, np.float32))
        facts = LightFacts("2026-01-02T03:04:05Z", name, "white", 64)
        made[name] = tmp_path / name
        made[name].write_bytes(LightFile(white, facts).to_bytes())
    side = "{first_mm: 112, source: {kind: simulator, camera: right, columns: 128}, light: {file: "
    cameras = f"cameras=[{side}{made['right']}}}}}]"
    effective = prepare_roll(config(f"light.file={made['left']}", cameras))
    assert effective.web.columns == 224 + 128
    with pytest.raises(ValueError, match="128"):
        prepare_roll(config(f"light.file={made['left']}", cameras.replace("/right}", "/left}")))


def test_a_roll_that_exists_is_refused(config):
    first = prepare_roll(config("roll.name=r1"))
    roll_folder(first).mkdir(parents=True)
    prepare_roll(config("roll.name=r1"))  # an empty folder is no roll
    (roll_folder(first) / "manifest.json").touch()
    with pytest.raises(ConfigError, match="roll.name must be new, got 'r1'"):
        prepare_roll(config("roll.name=r1"))


def test_a_source_that_cannot_be_opened_is_named(config, tmp_path):
    with pytest.raises((OSError, ValueError), match="gone.png"):
        prepare_roll(load_config(None, ("source.kind=replay", f"source.path={tmp_path}/gone.png")))


def test_endpoints_are_private_unless_given(config):
    filled = with_endpoints(config("transport.ledger=tcp://127.0.0.1:9"), Path("/run/x")).transport
    assert filled.endpoints == {
        "tiles": "ipc:///run/x/tiles",
        "results": "ipc:///run/x/results",
        "ledger": "tcp://127.0.0.1:9",
        "beats": "ipc:///run/x/beats",
    }


def test_a_folder_that_is_too_long_for_sockets_is_named(config):
    with pytest.raises(OSError, match="TMPDIR must be a shorter path"):
        with_endpoints(config(), Path("/" + "x" * 120))


@pytest.mark.parametrize("content", [None, "", "{broken", "[1]", '"text"'])
def test_what_is_no_manifest_reads_as_none(tmp_path, content):
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    assert read_manifest(tmp_path) == {}


@pytest.mark.parametrize(
    ("log", "fault"),
    [
        (None, ""),
        ("", ""),
        ("starting\nlast words\n", "last words"),
        ("error: disk full\nmore text\n", "disk full"),
        ("error: first\nerror: second\n", "second"),
        ("2026-01-01 10:00:00,1Z sink INFO page: acknowledge x: ok\n", ""),
        ("10 1Z sink ERROR damaged\n10 2Z sink INFO x\n", "10 1Z sink ERROR damaged"),
    ],
)
def test_the_last_fault_of_a_log(tmp_path, log, fault):
    path = tmp_path / "x.log"
    if log is not None:
        path.write_text(log)
    assert last_fault(path) == fault


def test_a_log_that_is_no_text_is_read_all_the_same(tmp_path):
    path = tmp_path / "x.log"
    path.write_bytes(b"error: \xff\xfe odd\n")
    assert "odd" in last_fault(path)


class EndedLine(LineRun):
    """A run whose children have these exit codes, and left this manifest."""

    def __init__(self, config, folder, *, stopped=False):
        super().__init__(prepare_roll(config), lambda _: None, lambda: stopped)
        self.folder = folder

    def code(self, manifest, asked=(), **codes):
        class Ended:
            children = {}

        for name, code in codes.items():
            command = Command(name, (), True, self.folder / f"{name}.log")
            child = Child(command, None, 0, asked_to_stop=name in asked, exit_code=code)
            Ended.children[name] = child
        return self._exit_code(Ended(), manifest)


def manifest(lost=0.0, outcome="complete", captured=1000):
    coverage = {"captured_px": captured, "not_inspected_percent": lost, "is_exact": True}
    return {"outcome": outcome, "totals": {"coverage": coverage}}


@pytest.fixture
def ended(config, tmp_path):
    def make(*settings, stopped=False):
        return EndedLine(config(*settings), tmp_path, stopped=stopped)

    return make


ALL_WELL = {"sink": 0, "score": 0, "capture": 0}


def test_a_complete_roll_is_0(ended):
    assert ended().code(manifest(), **ALL_WELL) == 0


def test_a_worker_that_died_at_the_very_end_does_not_spoil_a_complete_roll(ended):
    assert ended().code(manifest(), sink=0, score=-9, capture=0) == 0


@pytest.mark.parametrize("code", [2, 3, 4])
def test_the_code_of_a_stage_that_could_not_work_comes_first(ended, code):
    assert ended().code(manifest(100.0, "x"), sink=0, score=code, capture=1) == code


def test_loss_over_the_limit_is_5(ended):
    assert ended().code(manifest(0.2), **ALL_WELL) == 5
    assert ended("limits.not_inspected_percent=0.2").code(manifest(0.2), **ALL_WELL) == 0


def test_no_manifest_is_1_unless_it_was_stopped(ended):
    assert ended().code({}, **ALL_WELL) == 1
    assert ended(stopped=True).code({}, **ALL_WELL) == 0
    assert ended(stopped=True).code({}, sink=1) == 1


def test_a_sink_that_failed_is_1(ended):
    assert ended().code(manifest(), sink=-9, score=0, capture=0) == 1


def test_a_stopped_roll_is_0(ended):
    stopped = manifest(outcome=STOPPED_ON_REQUEST)
    assert ended(stopped=True).code(stopped, **ALL_WELL) == 0
    assert ended().code(stopped, **ALL_WELL) == 0  # capture alone was asked to end
    assert ended(stopped=True).code(stopped, sink=0, score=0, capture=1) == 1


def test_a_roll_that_was_stopped_before_its_first_line_is_0(ended):
    nothing = manifest(100.0, "stopped before the first line", 0)
    assert ended(stopped=True).code(nothing, **ALL_WELL) == 0
    asked = {"sink": 0, "score": -signal.SIGTERM}
    assert ended(stopped=True).code(nothing, asked=("score",), **asked) == 0


def test_a_source_that_broke_off_is_1_though_all_it_gave_was_inspected(ended):
    assert ended().code(manifest(outcome="OSError: cable pulled"), **ALL_WELL) == 1


def test_a_line_whose_stages_cannot_start_ends_with_their_fault(config, monkeypatch, tmp_path):
    """Real processes, but of a command that fails at once; nothing is left of them."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(line.tempfile, "tempdir", None)
    fails = "import sys; print('error: no such device', file=sys.stderr); sys.exit(3)"
    monkeypatch.setattr(
        LineRun,
        "_command",
        lambda self, name, _settings: Command(
            name, (sys.executable, "-c", fails), True, roll_folder(self._config) / f"{name}.log"
        ),
    )
    phases = set()
    before = psutil.Process().children()
    effective = prepare_roll(config())
    result = LineRun(effective, lambda shown: phases.add(shown.phase), lambda: False).run()
    assert result.exit_code == 3
    assert "sink: no such device" in result.faults
    assert "starting" in phases
    assert "running" not in phases
    assert not list(tmp_path.glob("run-*"))
    assert psutil.Process().children() == before
