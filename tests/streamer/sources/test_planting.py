"""Where defects lie: settled per metre, apart from each other, the same whoever asks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import SimulatorSource, Web
from streamer.sources.defects import DefectKind
from streamer.sources.planting import Planted, Planting

WEB = Web(pixel_mm=0.5)  # 2000 lines per metre
METRE = 2000


def planting(web: Web = WEB, **changes: Any) -> Planting:
    chosen = {"columns": 400, "clean_m": 0.0, "defects_per_m": 4.0} | changes
    return Planting(SimulatorSource(**chosen), web)


def box(defect: Planted) -> tuple[int, DefectKind, int, int, int, int]:
    return (
        defect.id,
        defect.kind,
        defect.first_line,
        defect.end_line,
        defect.first_column,
        defect.end_column,
    )


def boxes(defects: tuple[Planted, ...]) -> list[tuple[int, DefectKind, int, int, int, int]]:
    return [box(defect) for defect in defects]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 50),
    cuts=st.lists(st.integers(1, 6 * METRE - 1), min_size=1, max_size=8, unique=True),
)
def test_any_cut_of_the_web_finds_the_same_defects(seed: int, cuts: list[int]):
    whole = boxes(planting(seed=seed).between(0, 6 * METRE))
    edges = [0, *sorted(cuts), 6 * METRE]
    field = planting(seed=seed)

    found = [boxes(field.between(a, b)) for a, b in zip(edges, edges[1:], strict=False)]

    assert sorted({item for part in found for item in part}) == sorted(whole)


def test_a_stretch_far_down_the_web_needs_nothing_before_it():
    walked = planting()
    for metre in range(50):
        walked.between(metre * METRE, (metre + 1) * METRE)
    jumped = planting().between(50 * METRE, 51 * METRE)

    assert boxes(jumped) == boxes(walked.between(50 * METRE, 51 * METRE))


@pytest.mark.parametrize("rate", [1.0, 6.0, 20.0])
def test_no_two_defects_share_a_line(rate: float):
    defects = planting(defects_per_m=rate).between(0, 30 * METRE)

    for upper, lower in zip(defects, defects[1:], strict=False):
        assert upper.end_line < lower.first_line
        assert upper.id < lower.id


@pytest.mark.parametrize("rate", [0.5, 3.0])
def test_their_number_is_poisson(rate: float):
    field = planting(defects_per_m=rate)
    counts = [len(field.between(m * METRE + 1, (m + 1) * METRE - 1)) for m in range(300)]

    assert np.mean(counts) == pytest.approx(rate, rel=0.15)
    assert np.var(counts) == pytest.approx(rate, rel=0.3)


def test_a_rate_of_zero_plants_nothing():
    assert planting(defects_per_m=0.0).between(0, 100 * METRE) == ()


@pytest.mark.parametrize("clean_m", [0.3, 1.0, 2.5])
def test_the_first_metres_stay_clean_and_the_rest_as_it_was(clean_m: float):
    everything = planting(defects_per_m=10.0).between(0, 5 * METRE)
    after = planting(defects_per_m=10.0, clean_m=clean_m).between(0, 5 * METRE)

    kept = [item for item in boxes(everything) if item[2] >= clean_m * METRE]
    assert boxes(after) == kept
    assert 0 < len(kept) < len(everything)


@pytest.mark.parametrize("surface", ["fabric", "rail"])
def test_each_surface_has_the_kinds_that_occur_on_it(surface: str):
    defects = planting(surface=surface, defects_per_m=10.0).between(0, 30 * METRE)
    kinds = {defect.kind for defect in defects}

    assert (DefectKind.CRACK in kinds) == (surface == "rail")
    assert (DefectKind.MISSING_THREAD in kinds) == (surface == "fabric")
    assert len(kinds) == (7 if surface == "fabric" else 4)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    columns=st.integers(72, 500),
    pixel_mm=st.floats(0.05, 20),
    line_mm=st.floats(0.05, 200),
)
def test_every_patch_lies_on_the_web(seed: int, columns: int, pixel_mm: float, line_mm: float):
    web = Web(pixel_mm=pixel_mm, line_mm=line_mm)
    lines = int(3000 / line_mm) + 1

    for defect in planting(web, seed=seed, columns=columns, defects_per_m=8.0).between(0, lines):
        assert 0 <= defect.first_column < defect.end_column <= columns
        assert 0 <= defect.first_line < defect.end_line
        assert defect.patch.offset.shape == defect.patch.gain.shape


def test_some_defects_are_cut_by_an_edge_of_the_web():
    defects = planting(surface="rail", columns=100, defects_per_m=10.0).between(0, 30 * METRE)

    assert any(defect.first_column == 0 for defect in defects)
    assert any(defect.end_column == 100 for defect in defects)


def test_lines_too_long_for_any_defect_leave_the_web_clean():
    web = Web(pixel_mm=0.5, line_mm=200.0)

    assert planting(web, defects_per_m=20.0).between(0, 10_000) == ()


def test_a_defect_on_the_border_is_found_from_both_sides():
    defect = planting().between(0, 10 * METRE)[0]
    middle = (defect.first_line + defect.end_line) // 2
    field = planting()

    assert defect.id in {found.id for found in field.between(0, middle)}
    assert defect.id in {found.id for found in field.between(middle, 10 * METRE)}
    assert defect.id not in {found.id for found in field.between(0, defect.first_line)}
    assert defect.id not in {found.id for found in field.between(defect.end_line, 20_000)}


def test_settled_metres_are_forgotten_when_the_web_has_passed():
    field = planting()
    for metre in range(20):
        field.between(metre * METRE, (metre + 1) * METRE)

    assert len(field._cells) <= 4
