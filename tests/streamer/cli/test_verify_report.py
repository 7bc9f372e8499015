"""`linescan export --verify` as it is called: table, JSON and exit codes."""

import json

import cv2
import pytest

from streamer.backbones.faults import ParityError
from streamer.cli import run_command, verify_report
from streamer.cli.agreement import Agreement
from streamer.cli.verify import Outcome
from streamer.compose.calibration_web import simulated_defects

CLOSE = Agreement(0.01, 1e-6, 0.01, 0.0005, 0.0, 3, 0, 0, 0.0, 0.0)
FAR = Agreement(0.01, 1e-6, 0.4, 0.0005, 0.0, 3, 1, 0, 1.9, 0.0)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def outcomes(monkeypatch):
    """What the comparison would find for the first three forms; the real one has its own test."""
    found = {}

    def pretend(config, forms, material, note):
        for form in forms[:3]:
            note(form.name)
        reference, second, third = forms[:3]
        agreement = found.get("agreement", CLOSE)
        departures = tuple(verify_report_departures(agreement, second))
        return [
            Outcome(reference, "torch:cpu", None, reason="the reference"),
            Outcome(second, "onnxruntime:CPU", agreement, departures),
            Outcome(third, "", None, reason="openvino is not installed"),
        ]

    monkeypatch.setattr(verify_report, "verify", pretend)
    return found


def verify_report_departures(agreement, form):
    from streamer.cli.agreement import departures

    return departures(agreement, form.tolerance)


def call(*arguments):
    return run_command(["export", "--verify", "simulator", *arguments])


def test_people_get_a_table_and_what_did_not_run(outcomes, capsys):
    assert call() == 0
    shown = capsys.readouterr()
    assert "4 images of simulator" in shown.out
    assert "onnxruntime fp32" in shown.out
    assert "agrees" in shown.out
    assert "3 -0 +0" in shown.out
    assert "openvino fp32: openvino is not installed" in shown.out
    assert shown.err.splitlines()[0] == "running torch fp32"


def test_machines_get_figures_and_tolerances(outcomes, capsys):
    assert call("--json") == 0
    shown = capsys.readouterr()
    answer = json.loads(shown.out)
    assert shown.err == ""
    assert (answer["agrees"], answer["images"], answer["material"]) == (True, 4, "simulator")
    assert answer["material_digest"] == simulated_defects().digest
    second = answer["forms"][1]
    assert second["agreement"]["score_max"] == 0.01
    assert second["tolerance"]["score_max"] == 0.02
    assert answer["forms"][2]["agreement"] is None


def test_a_departure_exits_with_4_after_the_table(outcomes, capsys):
    outcomes["agreement"] = FAR
    assert call() == 4
    shown = capsys.readouterr()
    assert "differs" in shown.out
    assert "error: onnxruntime fp32: largest difference of scores must be <= 0.02" in shown.err
    assert "error: onnxruntime fp32: peak of a lost region must be <= 1.02, got 1.9" in shown.err
    assert call("--json") == 4
    assert json.loads(capsys.readouterr().out)["agrees"] is False


def test_tolerances_can_be_set(outcomes, capsys):
    outcomes["agreement"] = Agreement(score_max=0.3, flipped=0.1)
    assert call() == 4
    assert call("--score-tolerance", "0.5", "--flip-tolerance", "0.2") == 0
    assert call("--score-tolerance", "0.5") == 4
    assert "share of flipped cells" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--out", "a.onnx"], ["--int8"]])
def test_it_writes_nothing(options, capsys, folder):
    assert call(*options) == 2
    assert "--verify compares and writes nothing" in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_not_there_is_a_usage_fault(capsys):
    assert run_command(["export", "--verify", "nowhere"]) == 2
    assert "--verify must be a folder of images or 'simulator', got 'nowhere'" in (
        capsys.readouterr().err
    )


def test_an_unknown_backbone_is_a_usage_fault(capsys):
    assert call("--set", "backbone.name=resnet19") == 2
    assert "backbone.name must be one of" in capsys.readouterr().err


def test_a_configured_form_that_does_not_run_is_an_environment_fault(monkeypatch, capsys):
    from streamer.backbones import installed

    monkeypatch.setattr(installed, "has_onnxruntime", lambda: False)
    monkeypatch.setattr(installed, "has_openvino", lambda: False)
    assert call() == 3
    assert "pip install" in capsys.readouterr().err


def test_own_images_are_compared_for_real(folder, capsys):
    """All forms that run here, on a small web with a defect; torch and its export must agree."""
    webs = folder / "webs"
    webs.mkdir()
    cv2.imwrite(str(webs / "a.png"), simulated_defects().images[0][:160, :160])
    cache = f"backbone.cache={folder / 'cache'}"
    arguments = ["export", "--verify", str(webs), "--set", cache, "--set", "backbone.threads=1"]
    assert run_command([*arguments, "--json"]) in (0, 4)
    answer = json.loads(capsys.readouterr().out)
    by_name = {one["form"]: one for one in answer["forms"]}
    assert by_name["onnxruntime fp32"]["departures"] == []
    assert by_name["onnxruntime int8"]["agreement"]["feature_mean"] > 1e-4
    assert answer["agrees"] == all(not one["departures"] for one in answer["forms"])


def test_disagreement_is_a_parity_error(outcomes):
    outcomes["agreement"] = FAR
    from streamer.config_file import load_config

    with pytest.raises(ParityError, match="largest difference of scores"):
        verify_report.report_agreement(load_config(None), "simulator", (None, None), as_json=True)
