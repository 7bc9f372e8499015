"""`linescan calibrate-light` as a user meets it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from streamer.cli import run_command
from streamer.cli.calibrate_light import calibrate_light
from streamer.cli.options import EnvironmentFault, UsageFault
from streamer.config import Light, ReplaySource, Web
from streamer.correction.light_file import LightFile
from streamer.message import Interval
from streamer.sources import open_source

COLUMNS = 400


def camera(light: np.ndarray, seed: int = 0) -> np.ndarray:
    """(lines, columns) of light, 0..1, as a camera with a roll-off shows it over black of 5."""
    random = np.random.default_rng(seed)
    lit = light * (1 - 0.4 * np.linspace(-1, 1, light.shape[1]) ** 2)
    noisy = lit + random.normal(size=light.shape) * np.sqrt(lit / 10_000)
    return np.clip(noisy * 250 + 5 + random.normal(0, 0.5, light.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def targets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    white = np.full((200, COLUMNS), 0.8)
    np.save("white.npy", camera(white))
    np.save("dark.npy", camera(white * 0))
    dirty = white.copy()
    dirty[:, 100:112] *= 0.85
    np.save("dirty.npy", camera(dirty))
    return tmp_path


@pytest.fixture
def run(targets):
    """Call the command in a folder of its own; an exception of it is raised here."""
    app = typer.Typer()
    app.command()(calibrate_light)

    def call(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["--out", "light", *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.stdout

    return call


def test_good_targets_become_a_file_that_evens_them(run, targets):
    said = run("--white", "white.npy", "--dark", "dark.npy")
    assert "light: 400 columns, 1 channels, 8 bits, from 200 white and 200 dark lines" in said
    made = LightFile.from_bytes((targets / "light").read_bytes())
    assert made.digest in said
    assert (made.facts.white_source, made.facts.dark_lines) == ("white.npy", 200)
    assert (made.facts.camera, made.facts.pixel_format, made.facts.exposure_us) == (
        "cam0",
        "Mono8",
        None,
    )
    assert made.facts.created_utc.endswith("Z")
    light = Light(file=targets / "light")
    source = open_source(ReplaySource(path=targets / "white.npy"), Web(), light=light)
    block = source.read_into(np.zeros((200, COLUMNS), np.uint8))
    evened = block.corrected(slice(200), Interval(0, COLUMNS)).mean(axis=0)
    assert evened.std() < 0.6
    raw = np.load("white.npy").mean(axis=0)
    assert raw.std() > 15


def test_json_has_the_figures(run):
    told = json.loads(run("--white", "white.npy", "--dark", "dark.npy", "--lines", "100", "--json"))
    assert (told["accepted"], told["faults"], told["bad_columns"]) == (True, [], [])
    assert (told["white_lines"], told["dark_lines"], told["columns"]) == (100, 100, COLUMNS)
    assert told["dark_percent"] == pytest.approx(1.8, abs=0.3)
    assert told["largest_gain"] == pytest.approx(1 / 0.6, abs=0.05)
    assert len(told["digest"]) == 64


def test_a_dirty_target_is_refused_with_its_columns_and_nothing_is_written(run, targets):
    with pytest.raises(UsageFault, match=r"clean and even, got columns (99|100)-11\d 1\d\.\d % d"):
        run("--white", "dirty.npy")
    assert not (targets / "light").exists()


def test_faults_of_both_targets_are_told_together(run, targets):
    with pytest.raises(UsageFault) as caught:
        run("--white", "dark.npy", "--dark", "white.npy")
    said = str(caught.value)
    assert "white target must reach 20 % of full scale" in said
    assert "dark target must be below 20 % of full scale" in said


def test_a_moving_web_is_refused(run):
    with pytest.raises(UsageFault, match="white target must be still and plain"):
        run("--white", "live", "--set", "source.columns=256")


def test_the_exit_code_is_2_and_json_comes_all_the_same(targets, capsys):
    assert run_command(["calibrate-light", "--white", "dirty.npy", "--out", "light", "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["accepted"] is False
    assert "error: white target must be clean" in err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--white", "live", "--dark", "live"), "--white and --dark must not both be live"),
        (("--white", "nowhere.npy"), "nowhere.npy"),
        (("--white", "white.npy", "--dark", "narrow.npy"), r"--dark must have the columns, .*got"),
        (("--white", "short.npy"), "white target must have >= 64 lines, got 10"),
    ],
)
def test_what_cannot_be_used_is_explained(run, arguments, text):
    np.save("narrow.npy", np.zeros((100, 100), np.uint8))
    np.save("short.npy", np.full((10, 100), 200, np.uint8))
    with pytest.raises(UsageFault, match=text):
        run(*arguments)


def test_a_file_that_cannot_be_written_is_the_environments_fault(run):
    with pytest.raises(EnvironmentFault, match="--out must be a file that can be written, got"):
        run("--white", "white.npy", "--out", "no/such/folder/light")


def test_validate_config_knows_the_file(targets, capsys):
    assert run_command(["validate-config", "--set", "light.file=white.npy"]) == 2
    assert "light.file must be a file of `linescan calibrate-light`, got" in capsys.readouterr().err
    assert run_command(["calibrate-light", "--white", "white.npy", "--out", "light"]) == 0
    assert run_command(["validate-config", "--set", "light.file=light"]) == 0
