from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import median_reference


@settings(max_examples=40, deadline=None)
@given(
    side=st.sampled_from([3, 5]),
    stride=st.one_of(st.none(), st.integers(1, 6)),
    size=st.tuples(st.integers(1, 3), st.integers(5, 12), st.integers(5, 12)),
    levels=st.sampled_from([1, 4, 63, 64, 200, None]),
    seed=st.integers(0, 2**31),
)
def test_reference_is_the_lower_median_of_sorted_windows(
    oracle, side: int, stride: int | None, size: tuple[int, int, int], levels: int | None, seed: int
) -> None:
    random = np.random.default_rng(seed)
    features = (
        random.random(size, np.float32)
        if levels is None
        else random.integers(0, levels, size).astype(np.uint8)
    )
    step = stride or side
    columns = range(0, size[2] - side + 1, step)
    got = median_reference(torch.from_numpy(features), side, stride)
    assert got.numpy().dtype == features.dtype
    np.testing.assert_array_equal(got, oracle.median(features, side, step, columns))


@pytest.mark.parametrize("kind", [torch.float32, torch.uint8])
@pytest.mark.parametrize(("band_width", "first_column"), [(4, 0), (4, 6), (5, 3), (50, 7)])
def test_bands_hold_the_windows_centred_in_them(
    oracle, make_levels, kind: torch.dtype, band_width: int, first_column: int
) -> None:
    features = make_levels((2, 13, 17), 16).to(kind)
    got = median_reference(features, 5, stride=4, band_width=band_width, first_column=first_column)
    assert got.dtype == kind
    assert len(got) == (first_column + 16) // band_width + 1
    for band, reference in enumerate(got):
        columns = [left for left in range(13) if (first_column + left + 2) // band_width == band]
        if columns:
            expected = oracle.median(features.numpy(), 5, 4, columns)
            np.testing.assert_array_equal(reference, expected)


def test_a_band_without_a_complete_window_takes_the_nearest(make_levels) -> None:
    bands = median_reference(make_levels((2, 9, 12), 16), 5, band_width=2, first_column=4)
    # Columns 4..15 of the web; complete windows are centred on 6..13, that is bands 3..6.
    assert len(bands) == 8
    assert all(torch.equal(bands[band], bands[3]) for band in range(3))
    assert torch.equal(bands[7], bands[6])
    assert not torch.equal(bands[3], bands[6])


FOLDER = Path(__file__).parents[1] / "golden"
STEMS = sorted(path.stem for path in FOLDER.glob("fca_*.npz"))


@pytest.mark.parametrize("stem", STEMS)
def test_stored_references_to_the_bit(golden, stem: str) -> None:
    vector = golden(stem)
    got = median_reference(vector["features"], int(vector["T"]))
    np.testing.assert_array_equal(got, vector["ref"])


def test_counting_and_sorting_agree_on_a_real_size(make_levels) -> None:
    levels = make_levels((7, 40, 37), 16)
    counted = median_reference(levels, 9, stride=2, band_width=8)
    assert torch.equal(counted, median_reference(levels.float(), 9, 2, 8).to(torch.uint8))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"patch_size": 4}, "patch_size must be odd and >= 3, got 4"),
        ({"patch_size": 3, "stride": 0}, "stride must be >= 1 or None, got 0"),
        ({"patch_size": 3, "band_width": 0}, "band_width must be >= 1 or None, got 0"),
        ({"patch_size": 3, "first_column": -1}, "first_column must be >= 0, got -1"),
        ({"patch_size": 9}, r"at least 9 x 9 \(patch_size\), got 8 x 10"),
    ],
)
def test_refuses_wrong_options(options: dict[str, int], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        median_reference(torch.zeros(2, 8, 10), **options)
