"""`linescan export` as it is called."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from streamer import config
from streamer.backbones import cache as cache_module
from streamer.backbones import installed, open_backbone
from streamer.backbones.exported import read_exported
from streamer.backbones.faults import ParityError
from streamer.cli import run_command
from streamer.cli.export import export
from streamer.cli.options import EnvironmentFault, UsageFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Run = Callable[..., Result]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the command in an empty folder with the module's cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    app = typer.Typer()
    app.command()(export)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["--set", f"backbone.cache={cache}", *arguments])

    return call


def test_default_is_the_configured_backbone(run: Run, cache: Path) -> None:
    result = run("--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["name"] == "efficientnet_lite0"
    assert (answer["stride"], answer["radius"], answer["channels"]) == (8, 33, 240)
    (file,) = cache.glob("efficientnet_lite0-????????????????.onnx")
    assert answer["file"] == str(file)
    assert answer["onnx_digest"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_name_from_the_configuration(run: Run) -> None:
    result = run("--set", "backbone.name=resnet19")
    assert isinstance(result.exception, UsageFault)
    assert "backbone.name must be one of" in str(result.exception)


def test_out_writes_model_and_sidecar(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "models" / "net.onnx"
    result = run("efficientnet_lite0", "--out", str(out), "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["file"] == str(out)
    written = read_exported(out)
    assert written is not None
    assert written.card.name == "efficientnet_lite0"


def test_people_get_a_table(run: Run) -> None:
    result = run("efficientnet_lite0")
    assert result.exit_code == 0
    for shown in ("efficientnet_lite0", "8 px", "33 px", "240", "parity with torch", "RGB in 0..1"):
        assert shown in " ".join(result.stdout.split())


def test_other_suffix_is_refused(run: Run, tmp_path: Path) -> None:
    result = run("--out", str(tmp_path / "net.json"))
    assert isinstance(result.exception, UsageFault)
    assert "--out must end in .onnx" in str(result.exception)
    assert not (tmp_path / "net.json").exists()


def test_unwritable_out_is_an_environment_fault(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("--out", str(tmp_path / "file" / "net.onnx"))
    assert isinstance(result.exception, EnvironmentFault)
    assert "--out must be a file that can be written" in str(result.exception)


def test_weights_that_cannot_be_had_are_an_environment_fault(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(url: str, *_: object, **__: object) -> None:
        msg = f"no network for {url}"
        raise OSError(msg)

    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    result = run("wide_resnet50_2")
    assert isinstance(result.exception, EnvironmentFault)
    assert "on a machine without a network put the file at" in str(result.exception)


def test_missing_engine_is_an_environment_fault(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(installed, "has_onnxruntime", lambda: False)
    result = run("--set", f"backbone.cache={tmp_path / 'new'}")
    assert isinstance(result.exception, EnvironmentFault)


def test_disagreement_with_torch_exits_with_4(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def disagree(*_: object) -> None:
        msg = "exported net must agree with torch"
        raise ParityError(msg)

    monkeypatch.setattr(cache_module, "_export", disagree)
    code = run_command(["export", "--set", f"backbone.cache={tmp_path / 'new'}", "--json"])
    shown = capsys.readouterr()
    assert code == 4
    assert shown.err == "error: exported net must agree with torch\n"
    assert shown.out == ""


def test_int8_is_written_with_what_it_was_calibrated_on(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "int8.onnx"
    result = run("--int8", "--out", str(out), "--set", "backbone.channels=16", "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert (answer["precision"], answer["channels"]) == ("int8", 16)
    assert (answer["calibrated_on"], answer["calibration_images"]) == ("simulator", 8)
    written = read_exported(out)
    assert written is not None
    assert 0 < written.card.mean_error < 0.02
    shown = " ".join(run("--int8", "--set", "backbone.channels=16").stdout.split())
    assert "simulator, 8 images" in shown
    assert "difference to float" in shown


def test_own_images_calibrate_and_the_file_is_used(run: Run, cache: Path, tmp_path: Path) -> None:
    """The way of a user: calibrate on the own web, name the file, and see what runs."""
    webs = tmp_path / "my_web"
    webs.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64), dtype=np.uint8)
    cv2.imwrite(str(webs / "a.png"), pixels)
    out = tmp_path / "own.onnx"
    arguments = ("--int8", "--calibrate-on", str(webs), "--out", str(out))
    result = run(*arguments, "--set", "backbone.channels=16", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["calibrated_on"] == "my_web"
    settings = config.Backbone(precision="int8", int8_file=out, channels=16, cache=cache, threads=1)
    backbone = open_backbone(settings)
    assert backbone.spec.engine.endswith("int8 calibrated on my_web")
    assert backbone.embed(pixels).shape == (16, 6, 8)


def test_calibration_without_int8_is_refused(run: Run) -> None:
    result = run("--calibrate-on", "simulator")
    assert isinstance(result.exception, UsageFault)
    assert "--calibrate-on needs --int8" in str(result.exception)


def test_calibration_on_nothing_is_refused(run: Run) -> None:
    result = run("--int8", "--calibrate-on", "nowhere")
    assert isinstance(result.exception, UsageFault)
    assert "--calibrate-on must be a folder of images or 'simulator'" in str(result.exception)


def test_a_subset_is_exported_beside_the_whole(run: Run, cache: Path) -> None:
    result = run("--set", "backbone.channels=24", "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["channels"] == 24
    assert answer["file"].endswith("-24.onnx")
    assert Path(answer["file"]).parent == cache
    expected = open_backbone(config.Backbone(channels=24, cache=cache, threads=1)).spec.digest
    assert answer["weights_digest"] == expected


def test_more_channels_than_there_are_are_refused(run: Run) -> None:
    for arguments in ((), ("--int8",)):
        result = run(*arguments, "--set", "backbone.channels=241")
        assert isinstance(result.exception, UsageFault)
        assert "backbone.channels must be within 1..240" in str(result.exception)
