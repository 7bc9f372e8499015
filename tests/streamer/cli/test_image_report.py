import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from streamer.calibration import Calibration
from streamer.cli.image_report import (
    Masked,
    Report,
    find_regions,
    masked_of,
    scores_of_pixels,
    write_report,
)
from streamer.decision import DecisionSettings
from streamer.message import Interval
from streamer.scoring.features import ChannelScale
from streamer.scoring.image_scorer import ImageVerdict
from streamer.scoring.profile import TextureProfile
from streamer.severity import SeverityRules
from streamer.web import WebGeometry

LINES, COLUMNS = 157, 203


@pytest.fixture
def verdict() -> ImageVerdict:
    """Background 0.1, alarm 0.3: a defect of peak 2 inside, one of peak 1.5 in the last cells."""
    scores = np.full((20, 26), 0.1, np.float32)
    scores[5:8, 10:14] = 0.25
    scores[6, 12] = 0.5
    scores[19, 25] = 0.4
    scores[0, 0] = 0.29
    scale = ChannelScale(torch.zeros(1), torch.ones(1))
    profile = TextureProfile(
        scale, torch.zeros(1, 9), Calibration(0.1, 0.3, 7, 1.0), "fca_fast", {}, "blocks", "b10c"
    )
    return ImageVerdict(scores, profile, 8, 3)


@pytest.fixture
def limits() -> DecisionSettings:
    return DecisionSettings(WebGeometry(COLUMNS, 0.5, 0.25, 60.0))


def report_in(folder, regions=()) -> Report:
    return Report(
        "x/a.png",
        LINES,
        COLUMNS,
        0.5,
        0.1,
        0.3,
        7,
        2.0,
        tuple(regions),
        "fca_fast",
        3,
        9,
        "blocks",
        "torch:cpu",
        "b10c",
        "d1",
        "d2",
        str(folder / "a.map.npy"),
        str(folder / "a.overlay.png"),
    )


def test_regions_are_those_of_the_line_in_pixels_and_mm(verdict, limits) -> None:
    strong, weak = find_regions(verdict, LINES, limits)
    assert (strong.lines, strong.columns) == (Interval(40, 64), Interval(80, 112))
    assert (strong.box_mm.down_first, strong.box_mm.down_end) == (10.0, 16.0)
    assert (strong.box_mm.cross_first, strong.box_mm.cross_end) == (40.0, 56.0)
    assert strong.peak == pytest.approx(2.0)
    assert strong.mean == pytest.approx((11 * 0.75 + 2.0) / 12)
    assert strong.area_mm2 == pytest.approx(12 * 64 * 0.125)
    # The cell that the image's edge cuts ends there.
    assert (weak.lines, weak.columns) == (Interval(152, LINES), Interval(200, COLUMNS))
    assert weak.peak == pytest.approx(1.5)


def test_regions_are_as_severe_as_on_the_line(verdict, limits) -> None:
    verdict.scores[19, 25] = 0.38  # 1.4 of the alarm level, below the step of medium
    assert [r.severity for r in find_regions(verdict, LINES, limits)] == ["medium", "low"]
    strict = replace(limits, severity=SeverityRules(high_area_mm2=90.0))
    assert [r.severity for r in find_regions(verdict, LINES, strict)] == ["high", "low"]


def test_no_region_without_an_alarm(verdict, limits) -> None:
    verdict.scores[:] = np.minimum(verdict.scores, 0.29)
    assert find_regions(verdict, LINES, limits) == ()


def test_map_is_bilinear_between_the_centres_of_the_cells(verdict, tmp_path) -> None:
    ramp = np.arange(26, dtype=np.float32)[None].repeat(20, axis=0)
    ramped = ImageVerdict(ramp, verdict.profile, 8, 3)
    pixels = np.zeros((LINES, COLUMNS), np.uint8)
    write_report(report_in(tmp_path), pixels, ramped, tmp_path / "a.json")
    full = np.load(tmp_path / "a.map.npy")
    assert full.shape == (LINES, COLUMNS)
    assert full.dtype == np.float32
    assert full.flags.c_contiguous
    columns = np.arange(4, 196)
    np.testing.assert_allclose(full[50, columns], (columns + 0.5) / 8 - 0.5, atol=1e-5)


def test_all_three_files_are_written(verdict, limits, tmp_path) -> None:
    regions = find_regions(verdict, LINES, limits)
    report = report_in(tmp_path, regions)
    pixels = np.random.default_rng(0).integers(0, 255, (LINES, COLUMNS), np.uint8)
    write_report(report, pixels, verdict, tmp_path / "a.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "a.map.npy", "a.overlay.png"]
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["regions"][0]["lines"] == {"first": 40, "end": 64}
    assert document["profile_digest"] == "d1"
    overlay = cv2.imread(str(tmp_path / "a.overlay.png"))
    assert overlay.shape == (2 * LINES, 2 * COLUMNS, 3)


def test_a_folder_that_is_gone_is_an_os_error(verdict, tmp_path) -> None:
    pixels = np.zeros((LINES, COLUMNS), np.uint8)
    with pytest.raises(OSError, match="No such file"):
        write_report(report_in(tmp_path / "gone"), pixels, verdict, tmp_path / "gone" / "a.json")


@pytest.fixture
def masked_verdict(verdict) -> ImageVerdict:
    """The left 4 and the lowest 2 rows of cells show no web."""
    verdict.scores[:, :4] = np.nan
    verdict.scores[18:] = np.nan
    return verdict


def test_masked_cells_are_no_scores_and_leave_those_beside_them_alone(masked_verdict) -> None:
    pixels = np.zeros((LINES, COLUMNS), np.uint8)
    full = scores_of_pixels(masked_verdict, pixels)
    missing = np.isnan(full)
    assert missing[:, :32].all()
    assert missing[144:].all()
    assert missing.sum() == LINES * 32 + (LINES - 144) * (COLUMNS - 32)
    np.testing.assert_allclose(full[60:64, 32:36], 0.1, atol=1e-6)


def test_what_is_masked_is_told_in_pixels_and_mm(masked_verdict, limits) -> None:
    pixels = np.zeros((LINES, COLUMNS), np.uint8)
    masked = masked_of(masked_verdict, pixels, limits.geometry)
    assert masked.columns == (Interval(0, 32),)
    assert masked.lines == (Interval(144, LINES),)
    count = LINES * 32 + (LINES - 144) * (COLUMNS - 32)
    assert masked.share == pytest.approx(count / (LINES * COLUMNS))
    assert masked.area_mm2 == pytest.approx(count * 0.5 * 0.25)


def test_nothing_masked_is_told_too(verdict, limits) -> None:
    pixels = np.zeros((LINES, COLUMNS), np.uint8)
    assert masked_of(verdict, pixels, limits.geometry) == Masked()


def test_regions_hold_no_masked_cell(masked_verdict, limits) -> None:
    masked_verdict.scores[5:8, 4:8] = 0.5
    (strong, *_) = found = find_regions(masked_verdict, LINES, limits)
    assert strong.columns.first == 32
    for region in found:
        assert region.columns.first >= 32
        assert region.lines.end <= 144


def test_the_overlay_of_a_masked_image_is_written(masked_verdict, limits, tmp_path) -> None:
    pixels = np.full((LINES, COLUMNS), 90, np.uint8)
    regions = find_regions(masked_verdict, LINES, limits)
    write_report(report_in(tmp_path, regions), pixels, masked_verdict, tmp_path / "a.json")
    overlay = cv2.imread(str(tmp_path / "a.overlay.png"))
    assert set(np.unique(overlay[:60, :60])) == {45, 150}
