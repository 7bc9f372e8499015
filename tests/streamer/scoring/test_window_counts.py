import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels
from streamer.scoring.bands import LevelStrip, learn_bands
from streamer.scoring.fca import FcaFast
from streamer.scoring.window_counts import (
    count_windows,
    counts_of,
    median_counts,
    reference_of,
)

METHOD = FcaFast(5, 12, 2, 1.0)


def levels(seed: int, rows: int, columns: int = 24) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 12, (3, rows, columns), generator=generator).to(torch.uint8)


def strip(one: torch.Tensor, column: int = 0, follows: bool = True) -> LevelStrip:
    return LevelStrip(one, torch.ones(one.shape[1:], dtype=torch.bool), column, follows)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99), size=st.integers(1, 12))
def test_counts_and_sorted_values_say_the_same(seed: int, size: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    windows = torch.randint(0, 12, (size, 3, 25), generator=generator).to(torch.uint8)
    windows = windows.sort(dim=-1).values
    counts = counts_of(windows, 12)
    assert torch.equal(reference_of(counts, 25), windows)
    # What FCA scores of two windows is the difference of their counts.
    apart = np.abs(counts[0].astype(int) - counts[-1]).sum()
    assert apart == (windows[0].int() - windows[-1].int()).abs().sum()
    # The lower median of every sorted value.
    expected = windows.median(dim=0).values
    assert torch.equal(reference_of(median_counts(counts), 25), expected)


@pytest.mark.parametrize("cuts", [[40], [7, 33], [20, 1, 19]])
def test_windows_are_those_of_the_band_medians(cuts: list[int]) -> None:
    web = levels(1, 40)
    seen = count_windows([strip(one) for one in torch.split(web, cuts, dim=1)], 1, METHOD)
    assert len(seen.counts) == 8 * 20
    for band in range(3):
        own = seen.counts[seen.centres // 8 == band]
        expected = kernels.median_reference(web, 5, band_width=8)[band]
        assert torch.equal(reference_of(median_counts(own), 25), expected)


def test_windows_lie_on_kept_cells_of_one_piece_and_on_the_webs_own_columns() -> None:
    web, keep = levels(2, 13), torch.ones(13, 24, dtype=torch.bool)
    keep[6, 10] = False
    strips = [LevelStrip(web, keep, 20, True), strip(levels(3, 9), 20, follows=False)]
    seen = count_windows(strips, 4, METHOD)
    # Centres 22 to 41 that are multiples of 4; 28 and 32 hold column 30 in the second row.
    assert seen.centres.tolist() == [24, 28, 32, 36, 40, 24, 36, 40, 24, 28, 32, 36, 40]
    known = learn_bands(strips, 8, METHOD)
    assert int(known.windows.sum()) > len(seen.counts)


def test_what_holds_no_window_counts_none() -> None:
    assert count_windows([], 4, METHOD) is None
    assert count_windows([strip(levels(0, 4))], 4, METHOD) is None
    assert count_windows([strip(levels(0, 9, 3))], 4, METHOD) is None
    barred = LevelStrip(levels(0, 9), torch.zeros(9, 24, dtype=torch.bool), 0, True)
    assert count_windows([barred], 4, METHOD) is None
