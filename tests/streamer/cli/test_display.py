"""The display: figures from beats, one plain line where there is no terminal."""

import errno
import io
import logging

import pytest
from rich.console import Console

from streamer.cli import display
from streamer.cli.display import Display, open_display, plain_line
from streamer.compose.line import Progress
from streamer.config_file import load_config
from streamer.message import Heartbeat, StageState
from streamer.supervisor import Child, Command

CONFIG = load_config(None, ("roll.name=r1", "source.length_m=4"))


def child(name, tmp_path, restarts=0, beats=True, **fields):
    stage = name.partition("-")[0]
    beat = Heartbeat(
        stage, name, StageState.RUNNING, 0, 0, **({"last_line": 0, "queue_depth": 0} | fields)
    )
    command = Command(name, (), True, tmp_path / "x.log")
    return Child(command, None, 0, beat=beat if beats else None, restart_total=restarts)


@pytest.fixture
def progress(tmp_path):
    def make(inspected=3_000_000.0, lost=1_000_000.0):
        figures = {
            "inspected_px": inspected, "not_inspected_px": lost, "lag_ms": 250.0,
            "open_alarms": 2.0, "defects": 7.0,
        }  # fmt: skip
        children = (
            child("sink", tmp_path, last_line=2000, figures=figures),
            child("score-0", tmp_path, restarts=2),
            child("capture", tmp_path, queue_depth=5),
        )
        return Progress("running", children, CONFIG)

    return make


def shown(*, terminal, quiet=False):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=160, quiet=quiet)
    return Display(CONFIG, console, None, 4.0, logging.NullHandler())


def test_figures_come_from_the_beats(progress):
    reading = shown(terminal=False).read(progress(), 100.0)
    assert reading.metres == 1.0
    assert (reading.lag_ms, reading.lag_mm) == (250.0, 250.0)
    assert (reading.queue_depth, reading.open_alarms, reading.defects) == (5, 2, 7)
    assert reading.not_inspected_percent == 25.0
    assert reading.megapixels_per_s == 0.0


def test_the_rate_is_that_of_the_last_ten_seconds(progress):
    view = shown(terminal=False)
    view.read(progress(inspected=0), 100.0)
    view.read(progress(inspected=50e6), 105.0)
    assert view.read(progress(inspected=60e6), 109.0).megapixels_per_s == pytest.approx(60 / 9)
    assert view.read(progress(inspected=61e6), 112.0).megapixels_per_s == pytest.approx(11 / 7)


def test_before_the_first_beat_everything_is_zero(tmp_path):
    silent = Progress("starting", (child("sink", tmp_path, beats=False),), CONFIG)
    reading = shown(terminal=False).read(silent, 100.0)
    assert (reading.metres, reading.lag_ms, reading.not_inspected_percent) == (0, 0, 0)


def test_plain_lines_come_now_and_then(progress, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    view = shown(terminal=False)
    for _ in range(100):
        view.show(progress())
        now[0] += 0.1
    lines = view.console.file.getvalue().splitlines()
    assert len(lines) == 2
    reading = view.read(progress(), now[0])
    assert lines[0].startswith("running: 1.00 m, 0.00 Mpix/s, lag 250 ms = 250 mm, queue 5, open")
    assert plain_line("running", reading).endswith("defects 7, not inspected 25.00 %")


def test_quiet_is_quiet(progress):
    view = shown(terminal=False, quiet=True)
    view.show(progress())
    assert view.console.file.getvalue() == ""


def test_the_live_view_names_roll_stages_and_restarts(progress):
    view = shown(terminal=True)
    view.console.print(view._render(progress(), view.read(progress(), 100.0)))
    text = view.console.file.getvalue()
    for expected in (
        "roll r1",
        "1.00 m",
        "queue 5",
        "sink: running",
        "score-0: running (restarted 2x)",
    ):
        assert expected in text


def test_the_live_view_without_a_known_length_has_no_bar(progress):
    view = shown(terminal=True)
    reading = view.read(progress(), 100.0)
    with_bar = view._render(progress(), reading).renderables
    view.length_m = 0.0
    without = view._render(progress(), reading).renderables
    assert len(without) == len(with_bar) - 1


def test_what_is_no_terminal_gets_no_live_view(capsys):
    with open_display(CONFIG, quiet=False) as view:
        assert view.live is None
        assert view.length_m == 4.0
        logging.getLogger("x").handle(logging.LogRecord("x", 30, "", 0, "m", (), None))
    assert "\x1b[" not in capsys.readouterr().err


def test_on_a_terminal_the_live_view_is_taken_away_at_the_end(monkeypatch, progress):
    screen = io.StringIO()
    monkeypatch.setattr(
        display, "ProgressConsole", lambda **_: Console(file=screen, force_terminal=True, width=160)
    )
    with open_display(CONFIG, quiet=False) as view:
        assert view.live is not None
        view.show(progress())
    assert "roll r1" in screen.getvalue()


def test_a_display_that_cannot_be_written_is_switched_off(progress, monkeypatch):
    view = shown(terminal=False)

    def refuse(_text):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(view.console.file, "write", refuse)
    view.show(progress())
    assert view.console.quiet


def test_a_camera_has_its_line(tmp_path, progress):
    figures = {"connected": 0.0, "reconnects": 2.0}
    children = (child("sink", tmp_path), child("capture", tmp_path, figures=figures))
    reading = shown(terminal=False).read(Progress("running", children, CONFIG), 100.0)
    assert reading.camera == "camera AWAY, reconnects 2"
    assert plain_line("running", reading).endswith(", camera AWAY, reconnects 2")
    assert "camera" not in plain_line("running", shown(terminal=False).read(progress(), 100.0))
