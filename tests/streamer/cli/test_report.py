"""`linescan report`: finds the roll, says where the report is, and refuses what is no roll."""

import json
from pathlib import Path

import numpy as np
import pytest

from streamer.cli.options import EnvironmentFault, UsageFault
from streamer.cli.report import report
from streamer.outputs.defect_log import DefectLog
from streamer.outputs.manifest import Manifest, RollDigests, write_manifest
from streamer.outputs.roll_map import MapFormat, RollMap
from streamer.web import Coverage, WebGeometry


@pytest.fixture
def roll(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "rolls" / "r7"
    folder.mkdir(parents=True)
    roll_map = RollMap(folder, MapFormat("r7", 4, 8, 0.5, 0.5))
    roll_map.append(np.zeros((3, 4), np.float32))
    roll_map.close()
    DefectLog(folder).close()
    write_manifest(
        folder,
        Manifest(
            roll="r7",
            outcome="complete",
            started_ns=0,
            ended_ns=1,
            lines=24,
            geometry=WebGeometry(32, 0.5, 0.5, 60),
            coverage=Coverage(768, 768),
            defects=0,
            latency_p50_ms=1.0,
            latency_p99_ms=2.0,
            throughput_mpix_s=1.0,
            engine="e",
            workers=("w",),
            capture_starts=1,
            self_judged_px=0,
            is_exact=True,
            model_digest="m",
            config={},
            config_digest="c",
            digests=RollDigests().as_dict(),
        ),
    )
    return folder


def test_a_folder_is_rendered_in_place(roll, capsys):
    report(roll)
    assert capsys.readouterr().out.strip() == str(roll / "report.html")
    assert "No defects" in (roll / "report.html").read_text()


def test_a_name_is_looked_up_under_the_configured_folder(roll, capsys):
    report(roll.relative_to(roll.parents[1] / "rolls"), as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "roll": "rolls/r7",
        "report": "rolls/r7/report.html",
    }


def test_another_roll_folder_can_be_set(roll, capsys):
    (roll.parents[1] / "rolls").rename(roll.parents[1] / "archive")
    report(roll.relative_to(roll.parents[1] / "rolls"), settings=["roll.folder=archive"])
    assert capsys.readouterr().out.strip() == "archive/r7/report.html"


def test_another_file_can_be_written(roll, tmp_path):
    report(roll, out=tmp_path / "x.html")
    assert (tmp_path / "x.html").is_file()
    assert not (roll / "report.html").exists()


def test_what_is_no_roll_is_a_mistake_of_the_user(roll):
    with pytest.raises(
        UsageFault, match="roll must be a folder with a manifest.json, got rolls/no"
    ):
        report(Path("no"))


def test_a_damaged_log_is_a_mistake_of_the_user(roll):
    (roll / "defects.sqlite").write_bytes(b"nonsense" * 100)
    with pytest.raises(UsageFault, match="defect log must be readable"):
        report(roll)


def test_a_place_that_cannot_be_written_is_the_machine(roll, tmp_path):
    with pytest.raises(EnvironmentFault, match="report must be writable"):
        report(roll, out=tmp_path / "absent" / "x.html")


def test_defects_are_exported_beside_the_report(roll, tmp_path, capsys):
    report(roll, csv=tmp_path / "d.csv", parquet=tmp_path / "d.parquet", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["csv"] == str(tmp_path / "d.csv")
    assert (tmp_path / "d.csv").read_bytes().startswith(b"defect_id,")
    assert (tmp_path / "d.parquet").read_bytes()[:4] == b"PAR1"


def test_a_roll_is_graded_anew_by_other_rules(roll):
    report(roll, settings=["grading.pieces=null"])
    assert "No cut plan" in (roll / "report.html").read_text()


def test_a_table_that_cannot_be_written_is_named(roll, tmp_path):
    with pytest.raises(EnvironmentFault, match="CSV must be writable"):
        report(roll, csv=tmp_path / "absent" / "d.csv")
