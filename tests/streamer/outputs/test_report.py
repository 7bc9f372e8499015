"""The report: complete, self-contained, and from the roll folder alone."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from streamer.grading_section import Grading
from streamer.message import (
    Alarm,
    AlarmKind,
    Defect,
    DefectState,
    GapReason,
    Interval,
    Severity,
)
from streamer.outputs.defect_log import CoverageRow, DefectLog, Evidence, Piece
from streamer.outputs.manifest import Manifest, RollDigests, write_manifest
from streamer.outputs.report import render_report
from streamer.outputs.roll_map import MapFormat, RollMap
from streamer.outputs.storage import StorageError
from streamer.web import Coverage, WebGeometry

GEOMETRY = WebGeometry(columns=100, pixel_mm=0.5, line_mm=0.5, speed_m_min=60)
LINES = 4000
TRUTH = {
    "version": 1,
    "defects": [
        {
            "id": 1,
            "kind": "knot",
            "first_line": 1000,
            "end_line": 1016,
            "first_column": 40,
            "end_column": 56,
        },
        {
            "id": 2,
            "kind": "missing_thread",
            "first_line": 3000,
            "end_line": 3200,
            "first_column": 10,
            "end_column": 14,
        },
    ],
}
MANIFEST = Manifest(
    roll="roll7",
    outcome="complete",
    started_ns=1_700_000_000_000_000_000,
    ended_ns=1_700_000_010_000_000_000,
    geometry=GEOMETRY,
    lines=LINES,
    coverage=Coverage()
    .add_captured(400_000)
    .add_inspected(390_000)
    .add_not_inspected(GapReason.WORKER_LOST, 10_000),
    defects=2,
    latency_p50_ms=345.0,
    latency_p99_ms=678.0,
    throughput_mpix_s=0.04,
    engine="onnxruntime:CPUExecutionProvider",
    workers=("w",),
    capture_starts=1,
    self_judged_px=0,
    is_exact=True,
    model_digest="m" * 64,
    config={"web": {"a": 1}},
    config_digest="c" * 64,
    digests=RollDigests().as_dict(),
    profile_digests={"0": "p" * 64},
)


def defect(number, line, column, peak):
    box = GEOMETRY.region(Interval(line, line + 16), Interval(column, column + 16))
    return Defect(number, DefectState.END, box, peak, peak, 64.0, line, line + 16, 0)


def make_roll(
    folder, manifest=MANIFEST, lines=LINES, defects=((1, 1000, 40, 3.0), (2, 500, 4, 1.2))
):
    scores = np.full((lines // 8, 13), 0.1, np.float32)
    log, roll_map = DefectLog(folder), RollMap(folder, MapFormat("roll7", 13, 8, 0.5, 0.5))
    (folder / "evidence").mkdir()
    for number, line, column, peak in defects:
        scores[line // 8 : line // 8 + 2, column // 8 : column // 8 + 2] = peak
        names = Evidence(*(f"evidence/defect_{number:06d}_{k}.png" for k in ("raw", "overlay")))
        for name in (names.raw, names.overlay):
            cv2.imwrite(str(folder / name), np.full((50, 100, 3), 80, np.uint8))
        severity = Severity.HIGH if peak > 2.5 else Severity.LOW
        log.put_defect(defect(number, line, column, peak), severity, names)
    roll_map.append(scores)
    roll_map.close()
    if lines:
        log.put_piece(Piece(0, 0, lines))
        for first, end, status in (
            (0, 2000, "inspected"),
            (2000, 2100, "worker_lost"),
            (2100, lines, "inspected"),
        ):
            row = CoverageRow("cam0", 0, Interval(first, end), Interval(0, 100), status)
            log.add_coverage(replace(row, detail="score-0 <died>") if status[0] == "w" else row)
    log.close()
    write_manifest(folder, manifest)
    return folder


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails on tags that do not match."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def rendered(folder):
    return Page(render_report(folder).read_text(encoding="utf-8"))


@pytest.fixture
def roll(tmp_path):
    return make_roll(tmp_path, replace(MANIFEST, truth=TRUTH))


def test_the_report_lies_in_the_roll_folder_and_can_be_made_again(roll):
    path = render_report(roll)
    assert path == roll / "report.html"
    first = path.read_bytes()
    assert render_report(roll).read_bytes() == first


def test_it_may_be_written_elsewhere(roll, tmp_path):
    out = tmp_path / "elsewhere.html"
    assert render_report(roll, out) == out
    assert not (roll / "report.html").exists()
    assert out.stat().st_size > 10_000


def test_nothing_in_it_comes_from_outside(roll):
    text = render_report(roll).read_text(encoding="utf-8")
    page = Page(text)
    sources = [a[name] for _, a in page.tags for name in ("src", "href") if name in a]
    assert sources
    assert all(source.startswith(("data:image/", "#")) for source in sources)
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {"#blind"}
    assert not page.all("script")
    assert not page.all("link")
    assert "://" not in text


def test_it_says_what_a_person_in_the_plant_asks(roll):
    text = rendered(roll).text
    for words in (
        "2 defects",
        "1 of high severity",
        "2.50 % of the captured area not inspected",
        "Length 2.00 m",
        "Width 50 mm",
        "Web inspected 97.50 %",
        "Latency, median 345 ms",
        "Latency, 99th percentile 678 ms",
        "2023-11-14 22:13:20 – 22:13:30 UTC",
        "onnxruntime:CPUExecutionProvider",
        "m" * 64,
        "c" * 64,
        "p" * 64,
        MANIFEST.digests["scores"],
        MANIFEST.digests["defects"],
        MANIFEST.digests["coverage"],
    ):
        assert words in text


def test_gaps_are_listed_with_place_and_reason_and_drawn(roll):
    page = rendered(roll)
    assert "1.000 m 1.050 m 0 0 – 50 mm worker lost score-0 <died>" in page.text
    blind = [a for a in page.all("rect") if a.get("fill") == "url(#blind)" and "x" in a]
    assert len(blind) == 1


def test_defects_stand_in_web_order_with_their_pictures_and_marks(roll):
    page = rendered(roll)
    rows = [a["id"] for a in page.all("tr") if "id" in a]
    assert rows == ["d2", "d1"]
    assert [a["alt"] for a in page.all("img")] == [
        *("defect 2, as seen", "defect 2, with its score"),
        *("defect 1, as seen", "defect 1, with its score"),
    ]
    assert {a["href"] for a in page.all("a")} == {"#d1", "#d2"}
    drawn = [a for kind in ("path", "circle") for a in page.all(kind) if "pointer-events" in a]
    assert [a["class"] for a in drawn] == ["shape high", "shape low"]


def test_known_truth_is_compared(roll):
    page = rendered(roll)
    assert "knot 1 1 0 missing thread 1 0 1 all 2 1 1" in page.text
    assert "False alarms 1 per 100 m 50.0" in page.text
    assert "1.500 m missing thread, 2.0 × 100.0 mm, 5 mm from the left" in page.text
    assert [a for a in page.all("rect") if a.get("class") == "missed"]


def test_a_real_web_has_no_word_of_planted_defects(tmp_path):
    assert "planted" not in rendered(make_roll(tmp_path)).text.lower()


def test_a_clean_roll_says_so(tmp_path):
    whole = Coverage().add_captured(400_000).add_inspected(400_000)
    page = rendered(make_roll(tmp_path, replace(MANIFEST, coverage=whole), defects=()))
    assert "No defects everything was inspected" in page.text
    assert [a["class"] for a in page.all("header")] == ["good"]


def test_a_roll_without_a_line_has_a_report_too(tmp_path):
    empty = replace(MANIFEST, lines=0, coverage=Coverage(), defects=0, outcome="no camera")
    page = rendered(make_roll(tmp_path, empty, lines=0, defects=()))
    assert "ended early: no camera" in page.text
    assert "No line was captured." in page.text


def test_texts_are_escaped(tmp_path):
    evil = replace(MANIFEST, roll="<script>x</script>", outcome="<b>stopped</b>")
    page = rendered(make_roll(tmp_path, evil))
    assert not page.all("script")
    assert "<b>stopped</b>" in page.text


def test_a_missing_or_foreign_picture_is_said_not_shown(tmp_path):
    (tmp_path / "a").mkdir()
    make_roll(tmp_path / "a")
    outside = tmp_path / "outside.png"
    cv2.imwrite(str(outside), np.zeros((9, 9, 3), np.uint8))
    log = DefectLog(tmp_path / "a")
    log.put_defect(defect(1, 1000, 40, 3.0), Severity.HIGH, Evidence(*["../../outside.png"] * 2))
    log.close()
    page = rendered(tmp_path / "a")
    assert len(page.all("img")) == 2
    assert "no picture" in page.text


def test_many_defects_stay_a_small_file(tmp_path):
    many = [(n, n % 480 * 8, n % 10 * 8, 1.0 + n / 1000) for n in range(1, 2101)]
    page = rendered(make_roll(tmp_path, defects=many))
    assert len([a for a in page.all("tr") if "id" in a]) == 2000
    assert len(page.all("img")) <= 2 * 300
    assert "The first 2000 of 2100 defects; all are in the defect log." in page.text
    assert (tmp_path / "report.html").stat().st_size < 5e6


@pytest.mark.parametrize(
    ("gone", "text"),
    [
        ("manifest.json", "roll must be a folder with a manifest.json, got"),
        ("defects.sqlite", "defect log must exist, got no"),
    ],
)
def test_a_folder_that_lacks_something_is_named(roll, gone, text):
    (roll / gone).unlink()
    with pytest.raises(FileNotFoundError, match=text):
        render_report(roll)


def test_a_place_that_cannot_be_written_is_named(roll, tmp_path):
    with pytest.raises(StorageError, match="report must be writable at .*absent/r.html"):
        render_report(roll, tmp_path / "absent" / "r.html")


def test_area_judged_by_itself_is_named_where_a_profile_was_to_be_made(tmp_path):
    text = "of that judged by itself, before the profile was made: 0.0"
    for mode, shown in (("fixed", True), ("rolling", True), ("per_tile", False)):
        judged = replace(MANIFEST, self_judged_px=40_000, config={"profile": {"mode": mode}})
        (tmp_path / mode).mkdir()
        page = rendered(make_roll(tmp_path / mode, judged, defects=()))
        assert (text in page.text) == shown


def test_a_new_article_is_named_with_its_place(tmp_path):
    changed = replace(MANIFEST, new_articles={"2": [1000, 3000]})
    page = rendered(make_roll(tmp_path, changed, defects=()))
    first, second = (MANIFEST.geometry.metres(line) for line in (1000, 3000))
    assert f"new article? lane 2 looks different from {first:.2f} m, {second:.2f} m on" in page.text


def test_the_grade_stands_with_its_area(roll):
    text = rendered(roll).text
    # Two defects of 8 mm, a point each, on 97.5 % of 2 m of 50 mm web.
    assert "Penalty points 2 Graded area, inspected 0.10 m²" in text
    assert f"Points per 100 m² {100 * 2 / 0.0975:.1f}" in text
    assert f"Points per 100 yd² {100 * 2 / 0.0975 * 0.83612736:.1f}" in text


def test_the_cut_plan_lists_its_pieces_and_leaves_out_what_was_not_inspected(roll):
    rules = {"pieces": {"min_m": 0.5, "max_m": 5}, "limit_per_100m2": 5000}
    page = Page(render_report(roll, grading=Grading.model_validate(rules)).read_text())
    assert "First quality: 1.9 m of 2.0 m in 2 pieces; 0.1 m are left over." in page.text
    assert "1 0.00 m 1.00 m 1.00 m 2 4000.0" in page.text
    assert "2 1.10 m 2.00 m 0.90 m 0 0.0" in page.text
    assert len([a for a in page.all("rect") if a.get("class") == "piece"]) == 2


def test_a_roll_without_a_cut_plan_says_so(roll):
    page = Page(render_report(roll, grading=Grading(pieces=None)).read_text())
    assert "No cut plan" in page.text
    assert not [a for a in page.all("rect") if a.get("class") == "piece"]


def test_a_roll_is_graded_as_its_own_configuration_says(tmp_path):
    strict = replace(MANIFEST, config={"grading": {"sizes_in": [0.1, 0.2, 0.25]}})
    text = rendered(make_roll(tmp_path, strict)).text
    # Each has four points, and both lie in the first yard.
    assert "Penalty points 4" in text
    assert "Yards at the limit 1" in text


def test_the_histogram_counts_every_defect_once(roll):
    page = rendered(roll)
    bars = [a for a in page.all("rect") if a.get("class", "").startswith("bar ")]
    assert sorted(a["class"] for a in bars) == ["bar high", "bar low"]


def test_marks_of_a_roller_are_named_with_its_circumference(roll):
    log = DefectLog(roll)
    log.put_repeat(1, 1, 314.16)
    log.put_repeat(2, 1, 314.16)
    log.close()
    text = rendered(roll).text
    assert "Repeating marks" in text
    assert "314.2 mm 100.0 mm" in text
    assert "every 314 mm" in text


def test_a_roll_without_repeats_has_no_word_of_them(roll):
    assert "Repeating" not in rendered(roll).text


def system_alarm(sequence, state, text, signal="failure"):
    return Alarm(
        id=f"roll7/cam0/{text.split()[0]}",
        sequence=sequence,
        kind=AlarmKind.SYSTEM,
        state=state,
        severity=Severity.HIGH,
        roll="roll7",
        camera="cam0",
        region=GEOMETRY.region(Interval(1000, 1000), Interval(0, 100)),
        encoder_first=0,
        encoder_end=0,
        raised_ns=1_700_000_000_000_000_000 + sequence * 1_000_000_000,
        captured_ns=0,
        peak=0.0,
        config_digest="c",
        model_digest="m",
        signal=signal,
        text=text,
    )


def test_alarms_stand_with_begin_end_place_and_words(roll):
    log = DefectLog(roll)
    log.add_alarm(system_alarm(1, DefectState.NEW, "score stage silent"))
    log.add_alarm(system_alarm(2, DefectState.END, "score stage silent"))
    log.add_alarm(system_alarm(3, DefectState.NEW, "lamp is dim", "maintenance_required"))
    log.close()
    text = rendered(roll).text
    assert "2 system" in text
    assert "2023-11-14 22:13:21 22:13:22 system failure high 0.500 m score stage silent" in text
    assert "still active system maintenance required high" in text
    assert "Maintenance required: lamp is dim" in text


def test_where_the_alarm_level_comes_from_is_said(tmp_path):
    config = {
        "calibration": {"false_alarms_per_100m": 2.0},
        "profile": {"mode": "rolling", "bootstrap_m": 1.5},
    }
    text = rendered(make_roll(tmp_path, replace(MANIFEST, config=config))).text
    assert "calibrated: 2 false alarms per 100 m, on the first 1.5 m of this roll, learnt" in text


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"pieces": {"min_m": 10, "max_m": 20}}, "The roll is shorter than the shortest piece."),
        (
            {"pieces": {"min_m": 0.5, "max_m": 1}, "limit_per_100m2": 0, "resolution_m": 0.5},
            "No stretch of these lengths has so few points.",
        ),
    ],
)
def test_a_plan_without_pieces_says_why(tmp_path, rules, words):
    crowded = [(n, n * 90, 40, 3.0) for n in range(1, 44)]
    roll = make_roll(tmp_path, defects=crowded)
    page = Page(render_report(roll, grading=Grading.model_validate(rules)).read_text())
    assert words in page.text
