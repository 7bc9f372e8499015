"""`linescan replay`: the recording and its options become the source."""

from pathlib import Path

import pytest

from streamer.cli import replay as module
from streamer.cli import run_command
from streamer.cli.options import UsageFault
from streamer.cli.replay import with_replay
from streamer.config import Config, ReplaySource
from streamer.config_file import load_config


def test_the_recording_takes_the_place_of_the_configured_source():
    config = load_config(None, ("source.camera=left", "web.pixel_mm=0.1"))
    made = with_replay(config, Path("rec"), {})
    assert made.source == ReplaySource(path=Path("rec"), camera="left")
    assert made.web.pixel_mm == 0.1


def test_a_configured_replay_keeps_its_other_settings():
    config = load_config(
        None, ("source.kind=replay", "source.path=a", "source.width=pad", "source.glob='*.tif'")
    )
    made = with_replay(config, Path("b"), {"glob": "*.png"}).source
    assert (made.path, made.width, made.glob) == (Path("b"), "pad", "*.png")


def test_a_value_that_the_section_does_not_allow_is_named():
    with pytest.raises(UsageFault, match="--width: .*, got 'stretch'"):
        with_replay(Config(), Path("a"), {"width": "stretch"})


def test_options_of_the_command_line_arrive(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    seen = []

    def run(config, *, as_json):
        seen.append((config, as_json))
        return 5

    monkeypatch.setattr(module, "run_configured", run)
    options = ["--transpose", "--seams", "--width", "pad", "--allow-lossy", "--glob", "*.png"]
    assert run_command(["replay", "rec", *options, "--json", "--set", "tiles.lines=256"]) == 5
    config, as_json = seen[0]
    assert as_json
    assert config.tiles.lines == 256
    assert config.source == ReplaySource(
        path=Path("rec"), glob="*.png", transpose=True, seams=True, width="pad", allow_lossy=True
    )


def test_a_recording_that_is_not_there_is_2(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_command(["replay", "gone"]) == 2
    assert "gone" in capsys.readouterr().err


def test_one_recording_is_no_replay_for_several_cameras(tmp_path):
    file = tmp_path / "two.yaml"
    file.write_text("cameras: [{first_mm: 100, source: {kind: simulator, camera: right}}]\n")
    with pytest.raises(UsageFault, match=r"cameras must be empty .*, got right; use --set cameras"):
        module.replay(Path("rec"), config=file)
