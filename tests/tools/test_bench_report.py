"""The benchmark of the report renders the roll that it says."""

import json

import bench_report
import pytest

from streamer.outputs.defect_log import read_log
from streamer.outputs.report import render_report


def test_the_roll_has_the_length_and_the_defects_that_were_asked_for(tmp_path):
    bench_report.make_roll(tmp_path / "roll", metres=5.0, defects=7)
    log = read_log(tmp_path / "roll")
    assert len(log.defects) == 7
    assert max(row.lines.end for row in log.coverage) == pytest.approx(5.0 / 0.0004, abs=8)


def test_it_measures_the_rendering(tmp_path):
    bench_report.make_roll(tmp_path / "roll", metres=5.0, defects=3)
    seconds, megabytes = bench_report.render(tmp_path / "roll")
    assert (tmp_path / "roll" / "report.html").stat().st_size > 10_000
    assert seconds > 0
    assert megabytes > 20


def test_its_gap_is_counted_and_no_kept_picture_is_denied(tmp_path, monkeypatch):
    monkeypatch.setattr("streamer.outputs.report_rows.MOST_THUMBNAILS", 1)
    roll = tmp_path / "roll"
    bench_report.make_roll(roll, metres=5.0, defects=3)
    coverage = json.loads((roll / "manifest.json").read_text())["totals"]["coverage"]
    assert coverage["not_inspected_px"]["timeout"] == 8 * bench_report.GEOMETRY.columns
    page = render_report(roll).read_text()
    assert page.count("in the folder</span>") == 2
    assert "no picture" not in page
    assert "nothing was left out" not in page
    assert "timeout along &lt; 0.01 m" in page
