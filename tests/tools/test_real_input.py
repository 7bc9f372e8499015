"""Measuring on recordings: which webs, how the program is called, what is printed."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import real_input
import real_webs
from real_truth import Figures
from real_webs import Measurement, RecordedWeb, choose_webs, known_webs, run_line

COVERAGE = {
    "captured_px": 1000,
    "inspected_px": 900,
    "masked_px": 60,
    "not_inspected_px": {"timeout": 30, "overload": 10},
    "is_exact": True,
}
FIGURES = Figures(
    pieces=3,
    lines=2000,
    columns=400,
    regions=5,
    regions_hit=2,
    regions_placed=1,
    flooded_pieces=1,
    defective_pieces=2,
    defective_pieces_hit=1,
    alarms=9,
    alarms_outside=6,
    clean_pieces=1,
    clean_pieces_alarmed=1,
    alarms_on_clean=4,
    kinds={"hole": (2, 5)},
)
MEASURED = Measurement(
    web="rail0100",
    settings=("profile.mode=per_tile",),
    figures=FIGURES,
    metres=0.5,
    alarm_percent=1.25,
    coverage=COVERAGE,
    mpix_s=3.0,
    roll_s=4.0,
    wall_s=9.0,
    engine="cpu",
    missed=("a.png: hole 1:2",),
)


def cells(text):
    """The first row under the head of a Markdown table, by column."""
    head, _, row, *_ = (
        [cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines()
    )
    return dict(zip(head, row, strict=True))


class TestTable:
    def test_every_figure_has_its_column(self):
        row = cells(real_input.table([MEASURED]))
        assert row["regions hit"] == "2 of 5"
        assert row["missed"] == "3"
        assert row["pieces hit"] == "1 of 2"
        assert row["alarms outside"] == "6"
        assert row["per 1000 lines"] == "3.00"
        assert row["per m"] == "12.00"
        assert row["on clean pieces"] == "4 on 1"
        assert row["flooded"] == "1"

    def test_coverage_says_what_was_not_inspected(self):
        row = cells(real_input.table([MEASURED]))
        assert row["inspected / masked / not"] == "90.00 / 6.00 / 4.00 %, exact"

    def test_coverage_that_does_not_add_up_is_said(self):
        broken = replace(MEASURED, coverage={**COVERAGE, "is_exact": False})
        assert "DOES NOT ADD UP" in real_input.table([broken])

    def test_the_settings_stand_below(self):
        assert "- rail0100: profile.mode=per_tile; cpu; hole 2/5" in real_input.table([MEASURED])


class TestWebs:
    def test_the_table_has_rails_and_fabrics_and_nothing_transposed(self, tmp_path):
        names = [web.name for web in choose_webs(tmp_path, [])]
        assert names == ["rail0100", "rail0200", "fabric00", "fabric02", "fabric05"]

    def test_only_what_is_asked_for(self, tmp_path):
        (web,) = choose_webs(tmp_path, ["fabric02-transposed"])
        assert web.transpose

    def test_an_unknown_web_is_refused_with_the_known_ones(self, tmp_path):
        with pytest.raises(ValueError, match=r"--only must be of rail0100, .*, got wood"):
            choose_webs(tmp_path, ["wood"])

    def test_all_webs_of_a_set_have_the_same_settings(self, tmp_path):
        for stem in ("rail", "fabric"):
            webs = [w for w in known_webs(tmp_path) if w.name.startswith(stem) and not w.transpose]
            assert len({web.settings for web in webs}) == 1

    def test_the_rails_are_told_apart_by_their_names(self, tmp_path):
        first, second = known_webs(tmp_path)[:2]
        name = Path("1456470100002.png")
        assert name.match(first.glob)
        assert not name.match(second.glob)


class TestCommand:
    def test_settings_of_the_user_come_after_those_of_the_web(self, tmp_path):
        web = RecordedWeb("w", tmp_path, "*.png", ("tiles.lines=256",))
        command = web.command(["tiles.lines=512"], tmp_path)
        given = [part for part in command if part.startswith("--set=tiles.lines")]
        assert given == ["--set=tiles.lines=256", "--set=tiles.lines=512"]

    def test_pieces_are_seams_and_padded(self, tmp_path):
        command = RecordedWeb("w", tmp_path, "a*.png", ()).command([], tmp_path)
        assert command[1:5] == ["-m", "streamer", "replay", str(tmp_path)]
        assert "--seams --width pad" in " ".join(command)
        assert command[command.index("--glob") + 1] == "a*.png"
        assert "--transpose" not in command

    def test_transposing_is_asked_for(self, tmp_path):
        web = RecordedWeb("w", tmp_path, "*", (), transpose=True)
        assert "--transpose" in web.command([], tmp_path)

    def test_no_default_port_is_used(self, tmp_path):
        command = RecordedWeb("w", tmp_path, "*", ()).command([], tmp_path)
        assert "--set=alarms.publish=tcp://127.0.0.1:*" in command
        assert "--set=alarms.snapshot=tcp://127.0.0.1:*" in command

    def test_the_manifest_comes_from_the_output(self):
        line = [sys.executable, "-c", 'print(\'{"manifest": {"roll": "r"}}\')']
        assert run_line(line) == {"roll": "r"}

    def test_a_failed_run_says_what_it_wrote(self):
        line = [sys.executable, "-c", "import sys; sys.exit('port is taken')"]
        with pytest.raises(RuntimeError, match="run must end with 0, got 1: port is taken"):
            run_line(line)

    def test_a_run_that_hangs_is_a_failure(self, monkeypatch):
        monkeypatch.setattr(real_webs, "RUN_TIMEOUT_S", 0.2)
        with pytest.raises(RuntimeError, match="run must end within"):
            run_line([sys.executable, "-c", "import time; time.sleep(20)"])


class TestExitCodes:
    def run(self, *arguments):
        return real_input.run(real_input.parse_options(arguments))

    @pytest.fixture
    def one_web(self, monkeypatch):
        web = RecordedWeb("w", Path(), "*", ())
        monkeypatch.setattr(RecordedWeb, "pieces", lambda _: ())
        monkeypatch.setattr(real_input, "choose_webs", lambda *_: (web,))

    def test_missing_data_are_2(self, tmp_path, capsys):
        assert self.run("--data", str(tmp_path)) == 2
        assert "error: rail0100: images must exist, got no" in capsys.readouterr().err

    def test_an_unknown_web_is_2(self, tmp_path, capsys):
        assert self.run("--data", str(tmp_path), "--only", "wood") == 2
        assert "wood" in capsys.readouterr().err

    @pytest.mark.usefixtures("one_web")
    def test_a_failed_run_is_1(self, monkeypatch, tmp_path, capsys):
        def fail(*_):
            msg = "run must end with 0, got 3"
            raise RuntimeError(msg)

        monkeypatch.setattr(real_input, "measure", fail)
        assert self.run("--data", str(tmp_path)) == 1
        assert "got 3" in capsys.readouterr().err

    @pytest.mark.usefixtures("one_web")
    @pytest.mark.parametrize(("exact", "code"), [(True, 0), (False, 1)])
    def test_coverage_that_does_not_add_up_is_1(self, exact, code, monkeypatch, tmp_path, capsys):
        measured = replace(MEASURED, coverage={**COVERAGE, "is_exact": exact})
        monkeypatch.setattr(real_input, "measure", lambda *_: measured)
        assert self.run("--data", str(tmp_path), "--json") == code
        assert json.loads(capsys.readouterr().out)[0]["figures"]["regions"] == 5


def write_frames(strips):
    """Three woven frames of unequal width; a hole of 40 pixels is torn into the second."""
    generator, boxes = np.random.default_rng(5), {}
    (strips / "images").mkdir(parents=True)
    for number, columns in enumerate((240, 200, 220)):
        name = f"145647010000{number}"
        down, across = np.mgrid[:640, :columns]
        weave = 120 + 25 * np.sin(down * 1.1) + 25 * np.sin(across * 0.9)
        pixels = (weave + generator.normal(0, 4, weave.shape)).astype(np.uint8)
        boxes[name] = {"boxes_in_strip": []}
        if number == 1:
            pixels[300:340, 90:130] = 20
            boxes[name] = {"boxes_in_strip": [["hole", 90, 300, 130, 340]]}
        cv2.imwrite(str(strips / "images" / f"{name}.png"), pixels)
    (strips / "boxes.json").write_text(json.dumps(boxes))


@pytest.mark.system
def test_a_hole_is_hit_where_its_box_says(tmp_path):
    """The whole way with the real program: seams, padding, a label in the second piece."""
    write_frames(tmp_path / "rail400" / "strip")
    (web,) = choose_webs(tmp_path, ["rail0100"])
    # Pieces so small have few blocks to calibrate on: the level must lie far out.
    settings = ["backbone.threads=1", "scoring.threads=1", "calibration.false_alarms_per_100m=0.01"]
    measured = real_webs.measure(web, settings, tmp_path / "rolls")
    assert measured.figures.kinds == {"hole": (1, 1)}
    assert measured.figures.alarms_outside == 0
    assert measured.figures.clean_pieces == 2
    assert measured.coverage["is_exact"]
    assert measured.coverage["masked_px"] == 640 * (40 + 20)
    assert measured.missed == ()
