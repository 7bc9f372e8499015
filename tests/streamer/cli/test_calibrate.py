import json

import cv2
import numpy as np
import pytest
import torch

from streamer.cli import run_command
from streamer.cli.calibrate import learn_from_source
from streamer.config import Config
from streamer.scoring.profile import TextureProfile

OPTIONS = [
    "--set",
    "backbone.engine=torch",
    "--set",
    "backbone.threads=1",
    "--set",
    "scoring.threads=1",
    "--set",
    "source.columns=256",
    "--set",
    "tiles.lines=128",
]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Away from the repository's config.yaml; the number of threads is restored."""
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def calibrate(*arguments: object) -> int:
    return run_command(["calibrate", "--out", "web.safetensors", *OPTIONS, *map(str, arguments)])


def config(**sections: object) -> Config:
    return Config.model_validate(
        {
            "source": {"kind": "simulator", "columns": 256},
            "backbone": {"engine": "torch", "threads": 1},
            "scoring": {"threads": 1},
            "tiles": {"lines": 128},
            **sections,
        }
    )


def test_what_was_learnt_is_saved_and_told(tmp_path, capsys) -> None:
    assert calibrate("--metres", 0.25, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    profile = TextureProfile.load(tmp_path / "web.safetensors")
    assert told["digest"] == profile.digest
    assert told["metres"] == pytest.approx(0.25)
    assert told["tiles"] == 4  # 500 lines of 0.5 mm
    assert told["alarm_level"] == profile.calibration.alarm_level > told["background"]
    assert told["calibration_blocks"] == profile.calibration.blocks > 0
    assert told["backbone"] == "efficientnet_lite0"
    assert [p.name for p in tmp_path.iterdir()] == ["web.safetensors"]


def test_people_are_told_the_same(capsys) -> None:
    assert calibrate("--metres", 0.1) == 0
    printed = capsys.readouterr().out
    assert "web.safetensors: learnt from 0.10 m (2 tiles" in printed
    assert "alarm level 0." in printed


def test_metres_default_to_the_bootstrap(capsys) -> None:
    assert calibrate("--set", "profile.bootstrap_m=0.2", "--json") == 0
    assert json.loads(capsys.readouterr().out)["metres"] == pytest.approx(0.2)


def test_the_same_web_gives_the_same_profile_however_fast_and_blocked(tmp_path) -> None:
    digests = {
        learn_from_source(
            config(source={"kind": "simulator", "columns": 256, **source}), 0.2, tmp_path / "p"
        ).digest
        for source in ({}, {"block_lines": 37}, {"pace": "line_rate"})
    }
    assert len(digests) == 1


def test_a_source_that_ends_early_teaches_what_it_has(tmp_path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (300, 256), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    source = {"kind": "replay", "path": str(tmp_path / "a.png")}
    learnt = learn_from_source(config(source=source), 100.0, tmp_path / "p")
    assert learnt.metres == pytest.approx(0.15)
    assert learnt.tiles == 3


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--metres", "0.01", *OPTIONS], "tile of readable web, got 20 lines without one"),
        (["--set", "source.kind=replay", "--set", "source.path=gone"], "gone"),
        (["--set", "backbone.name=nothing", *OPTIONS], "nothing"),
        (["--metres", "-1"], "--metres"),
        (["--set", "calibration.alarm_level=1e-6", *OPTIONS], "alarm_level must be > background"),
    ],
)
def test_what_cannot_be_learnt_is_refused(tmp_path, capsys, arguments, fault) -> None:
    code = run_command(["calibrate", "--out", "web.safetensors", *arguments])
    printed = capsys.readouterr()
    assert code == 2
    assert fault in printed.err
    assert "Traceback" not in printed.err
    assert not (tmp_path / "web.safetensors").exists()


def test_a_file_that_cannot_be_written_is_the_environment(tmp_path, capsys) -> None:
    out = tmp_path / "none" / "web.safetensors"
    assert run_command(["calibrate", "--out", str(out), "--metres", "0.1", *OPTIONS]) == 3
    assert f"{out}: profile must be writable, got No such file" in capsys.readouterr().err


def test_a_rate_on_the_command_line_wins_and_its_worth_is_told(capsys) -> None:
    wished = ["--set", "calibration.false_alarms_per_100m=5", "--max-false-alarms-per-100m", 0.3]
    assert calibrate("--metres", 1.0, "--json", *wished) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["false_alarms_per_100m"] == 0.3
    assert (told["tail"], told["lanes"]) == ("exponential", [])
    low, high = told["rate_interval_per_100m"]
    assert low < 0.3 < high <= told["rate_if_cut_off_is_normal"]
    least, most = told["level_interval"]
    assert told["background"] < least < most
    support = told["support"]
    assert support["metres"] == pytest.approx(1.0, rel=0.01)
    assert support["metres_needed"] >= 998
    assert support["metres_missing"] == pytest.approx(support["metres_needed"] - support["metres"])
    assert not support["is_enough"]
    assert support["sentence"].startswith("0.3 per 100 m needs ")


def test_people_are_told_what_the_metres_support(capsys) -> None:
    bold = ["--set", "calibration.tail=gpd"]
    assert calibrate("--metres", 1.0, *bold) == 0
    printed = capsys.readouterr().out
    assert "gpd tail: " in printed
    assert "false alarms per 100 m are to be expected; the level for 1 lies between" in printed
    assert "1 per 100 m needs" in printed
    assert "times beyond what was seen" in printed


def test_few_blocks_and_levels_by_hand_promise_nothing(capsys) -> None:
    assert calibrate("--metres", 0.2) == 0
    assert "nothing is known of the rate from fewer than 60 blocks" in capsys.readouterr().out
    assert calibrate("--metres", 0.2, "--set", "calibration.alarm_level=0.5") == 0
    assert "the level was set by hand" in capsys.readouterr().out


def test_lanes_have_levels_of_their_own_where_they_are_wished_for(tmp_path, capsys) -> None:
    lanes = ["--set", "tiles.columns=128", "--set", "calibration.lanes=pooled"]
    assert calibrate("--metres", 0.6, "--json", *lanes) == 0
    told = json.loads(capsys.readouterr().out)
    assert [lane["lane"] for lane in told["lanes"]] == [0, 1]
    saved = TextureProfile.load(tmp_path / "web.safetensors").calibration
    for own in saved.lane_levels:
        assert told["lanes"][own.lane] == own._asdict()
        assert saved.for_lane(own.lane).alarm_level == own.alarm_level > own.background
    assert calibrate("--metres", 0.6, *lanes) == 0
    assert "lane 1: alarm level 0." in capsys.readouterr().out


def test_a_rate_that_is_none_is_refused(capsys) -> None:
    assert calibrate("--max-false-alarms-per-100m", 0) == 2
    assert "--max-false-alarms-per-100m" in capsys.readouterr().err


def test_lines_are_learnt_and_told_where_they_are_asked_for(tmp_path, capsys) -> None:
    both = ("--set", "scoring.brightness=on", "--set", "scoring.lines=on")
    assert calibrate("--metres", 0.25, *both) == 0
    profile = TextureProfile.load(tmp_path / "web.safetensors")
    percent = profile.lines.alarm_percent
    told = capsys.readouterr().out
    assert f"lines: {percent:.1f} % darker than beside them is an alarm" in told
    assert "3 detectors share the wanted false alarms: 0.333 per 100 m each" in told
    assert profile.lines.median.shape == (2, 64)
    assert profile.lines.calibration.false_alarms_per_100m == pytest.approx(1 / 3)
    assert calibrate("--metres", 0.25, "--json") == 0
    assert json.loads(capsys.readouterr().out)["lines_alarm_percent"] is None
    assert TextureProfile.load(tmp_path / "web.safetensors").lines is None


def test_brightness_is_learnt_and_told_where_it_is_asked_for(tmp_path, capsys) -> None:
    assert calibrate("--metres", 0.25, "--set", "scoring.brightness=on") == 0
    profile = TextureProfile.load(tmp_path / "web.safetensors")
    percent = profile.brightness.alarm_percent
    assert f"brightness: {percent:.1f} % darker than normal" in capsys.readouterr().out
    assert profile.brightness.median.shape == (32,)
    assert calibrate("--metres", 0.25, "--json", "--set", "scoring.brightness=off") == 0
    assert json.loads(capsys.readouterr().out)["brightness_alarm_percent"] is None
    assert TextureProfile.load(tmp_path / "web.safetensors").brightness is None
