"""`linescan validate-config`: yes with figures, or no with the place."""

import json

import pytest

from streamer.cli import run_command
from streamer.config import Config


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_defaults_are_valid(capsys):
    assert run_command(["validate-config"]) == 0
    out = capsys.readouterr().out
    assert "valid: tiles of 512 x 1024 px, halo 128 px" in out
    assert f"digest {Config().digest}" in out


def test_for_machines(capsys):
    assert run_command(["validate-config", "--json", "--set", "source.seed=2"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["valid"] is True
    assert len(answer["digest"]) == 64
    assert answer["digest"] != Config().digest


@pytest.mark.parametrize(
    "named", [["c.yaml"], ["--config", "c.yaml"], ["c.yaml", "--config", "c.yaml"]]
)
def test_the_file_may_be_named_either_way(folder, named, capsys):
    (folder / "c.yaml").write_text("tiles:\n  columns: 512\n")
    assert run_command(["validate-config", *named]) == 0
    assert "2 lanes" in capsys.readouterr().out


def test_a_width_that_only_the_source_knows(folder, capsys):
    settings = ["--set", "source.kind=replay", "--set", f"source.path={folder}"]
    assert run_command(["validate-config", *settings]) == 0
    assert "width known when the source opens" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["c.yaml"], "c.yaml:2: web.speed: unknown key"),
        (["a.yaml", "--config", "b.yaml"], "FILE and --config must be the same file"),
        (["--set", "tiles.lines=500"], "tiles.lines must be a multiple of 16"),
        (["--set", "backbone.name=x"], "backbone.name must be one of"),
        (["--set", "source.columns=80", "--set", "tiles.columns=8"], "tiles.columns must be a"),
    ],
)
def test_what_is_not_valid_is_2(folder, arguments, text, capsys):
    (folder / "c.yaml").write_text("web:\n  speed: 3\n")
    assert run_command(["validate-config", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert text in error


def test_a_preset_is_named_with_what_overrides_it(folder, capsys):
    (folder / "c.yaml").write_text("preset: fine\nscoring:\n  levels: 20\n")
    assert run_command(["validate-config", "c.yaml"]) == 0
    assert "preset fine, but the file or --set decides scoring.levels" in capsys.readouterr().out
    assert run_command(["validate-config", "--set", "preset=fast", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["preset"], answer["beyond_preset"]) == ("fast", [])


def test_without_a_preset_none_is_named(capsys):
    assert run_command(["validate-config"]) == 0
    assert "preset" not in capsys.readouterr().out


def test_precisions_that_an_engine_does_not_have_are_refused(capsys):
    assert run_command(["validate-config", "--set", "backbone.precision=bf16"]) == 2
    shown = capsys.readouterr().err
    assert "precision must be one of fp32, int8 with engine: onnxruntime, got bf16" in shown
    assert "set engine: openvino" in shown
