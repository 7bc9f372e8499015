"""The manifest: complete, atomic; digests change with every decision and with nothing else."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.message import Defect, DefectState, GapReason, Interval, RegionMm
from streamer.outputs.defect_log import CoverageRow
from streamer.outputs.manifest import Manifest, RollDigests, read_manifest, write_manifest
from streamer.web import Coverage, Strip, WebGeometry

COVERAGE = (
    Coverage()
    .add_captured(1000)
    .add_inspected(900)
    .add_masked(60)
    .add_not_inspected(GapReason.TIMEOUT, 40)
)
MANIFEST = Manifest(
    roll="roll7",
    outcome="complete",
    started_ns=1_700_000_000_000_000_000,
    ended_ns=1_700_000_012_500_000_000,
    geometry=WebGeometry(100, 0.5, 0.25, 60),
    lines=4000,
    coverage=COVERAGE,
    defects=3,
    latency_p50_ms=12.5,
    latency_p99_ms=40.0,
    throughput_mpix_s=3.5,
    engine="onnxruntime:CPUExecutionProvider",
    workers=("w1", "w2"),
    capture_starts=1,
    self_judged_px=100,
    is_exact=True,
    model_digest="m",
    config={"web": {"pixel_mm": 0.5}},
    config_digest="c",
    digests=RollDigests().as_dict(),
    profile_digests={"0": "p"},
    profile_drift={"0": 0.125},
    new_articles={"0": [640]},
    camera_health={"missing_packets": 3.0},
)
DEFECT = Defect(
    id=1,
    state=DefectState.END,
    region=RegionMm(0, 1, 2, 3),
    peak=1.5,
    mean=1.1,
    area_mm2=4.0,
    first_line=0,
    end_line=8,
    captured_ns=5,
)
ROW = CoverageRow("cam0", 0, Interval(0, 8), Interval(0, 16), "inspected")


def test_the_file_says_everything(tmp_path):
    path = write_manifest(tmp_path, MANIFEST)
    assert path == tmp_path / "manifest.json"
    record = read_manifest(tmp_path)
    assert record["schema"] == "linescan.manifest/1"
    assert (record["roll"], record["outcome"]) == ("roll7", "complete")
    assert record["started_utc"] == "2023-11-14T22:13:20.000000Z"
    assert record["ended_utc"] == "2023-11-14T22:13:32.500000Z"
    assert record["duration_s"] == 12.5
    assert record["totals"]["metres"] == 1.0
    assert record["totals"]["coverage"] == {
        "captured_px": 1000,
        "inspected_px": 900,
        "masked_px": 60,
        "not_inspected_px": {"timeout": 40},
        "captured_m2": pytest.approx(1000 * 0.125e-6),
        "inspected_m2": pytest.approx(900 * 0.125e-6),
        "masked_m2": pytest.approx(60 * 0.125e-6),
        "self_judged_px": 100,
        "self_judged_m2": pytest.approx(100 * 0.125e-6),
        "not_inspected_percent": 4.0,
        "is_exact": True,
    }
    assert record["latency_ms"] == {"p50": 12.5, "p99": 40.0}
    assert record["config"] == {"web": {"pixel_mm": 0.5}}
    assert record["profile_digests"] == {"0": "p"}
    assert record["camera_health"] == {"missing_packets": 3.0}
    assert (record["profile_drift"], record["new_articles"]) == ({"0": 0.125}, {"0": [640]})
    assert record["versions"]["numpy"] == np.__version__
    assert record["truth"] is None
    assert (record["workers"], record["capture_starts"]) == (["w1", "w2"], 1)


def test_a_number_that_json_cannot_say_leaves_the_old_file(tmp_path):
    write_manifest(tmp_path, MANIFEST)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_manifest(tmp_path, replace(MANIFEST, throughput_mpix_s=float("inf")))
    assert read_manifest(tmp_path)["throughput_mpix_s"] == 3.5


def test_a_folder_without_a_manifest_is_no_roll(tmp_path):
    with pytest.raises(FileNotFoundError, match="roll must be a folder with a manifest.json, got"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", "must be JSON"),
        ("[]", "must have schema linescan.manifest/1, got None"),
        (json.dumps({"schema": "other"}), "must have schema linescan.manifest/1, got 'other'"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path, content, text):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ValueError, match=text):
        read_manifest(tmp_path)


def digest(name, verb, values):
    digests = RollDigests()
    for value in values:
        getattr(digests, verb)(value)
    return digests.as_dict()[name]


def strips(scores, cuts, first_line=0):
    edges = [0, *sorted(cuts), len(scores)]
    return [
        Strip(first_line + a * 8, (b - a) * 8, 8, scores[a:b], a == 0, captured_ns=b)
        for a, b in zip(edges, edges[1:], strict=False)
        if a < b
    ]


@given(st.sets(st.integers(1, 9)), st.sets(st.integers(1, 9)))
def test_scores_do_not_depend_on_the_cut(one, other):
    scores = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    cuts = [digest("scores", "add_scores", strips(scores, cut)) for cut in (one, other)]
    assert cuts[0] == cuts[1]


def test_scores_tell_one_bit_and_one_seam_but_not_one_nan_from_another():
    scores = np.zeros((4, 3), np.float32)
    scores[1, 1] = np.nan
    base = digest("scores", "add_scores", strips(scores, []))
    other_nan = scores.copy()
    other_nan.view(np.uint32)[1, 1] |= 0x80000001
    assert digest("scores", "add_scores", strips(other_nan, [])) == base
    next_float = scores.copy()
    next_float[0, 0] = np.nextafter(np.float32(0), np.float32(1))
    assert digest("scores", "add_scores", strips(next_float, [])) != base
    seam = [*strips(scores[:2], []), *strips(scores[2:], [], 16)]
    assert digest("scores", "add_scores", seam) != base


def test_defects_count_when_they_end_and_when_does_not_matter():
    base = digest("defects", "add_defect", [DEFECT])
    story = [replace(DEFECT, state=s) for s in DefectState]
    assert digest("defects", "add_defect", story) == base
    assert digest("defects", "add_defect", [replace(DEFECT, captured_ns=9)]) == base


@pytest.mark.parametrize(
    "change",
    [
        {"id": 2},
        {"peak": 1.25},
        {"mean": 1.0},
        {"area_mm2": 4.5},
        {"first_line": 1},
        {"end_line": 9},
        {"defect_class": "knot"},
        {"region": RegionMm(0, 1, 2, 3.5)},
    ],
)
def test_every_figure_of_a_defect_counts(change):
    assert digest("defects", "add_defect", [replace(DEFECT, **change)]) != digest(
        "defects", "add_defect", [DEFECT]
    )


@pytest.mark.parametrize(
    "change",
    [
        {"camera": "cam1"},
        {"lane": 1},
        {"lines": Interval(0, 9)},
        {"columns": Interval(1, 16)},
        {"status": "masked"},
    ],
)
def test_every_field_of_coverage_counts_but_the_detail(change):
    base = digest("coverage", "add_coverage", [ROW])
    assert digest("coverage", "add_coverage", [replace(ROW, **change)]) != base
    assert digest("coverage", "add_coverage", [replace(ROW, detail="by worker 7")]) == base
