import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels
from streamer.scoring.bands import (
    LEAST_WINDOWS,
    BandMedians,
    BandPlace,
    BandReference,
    LevelStrip,
    combine_bands,
    join_lanes,
    learn_bands,
    score_bands,
)
from streamer.scoring.fca import FcaFast

METHOD = FcaFast(9, 16, 2, 1.0)


def levels(seed: int, rows: int, columns: int = 40) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 16, (3, rows, columns), generator=generator).to(torch.uint8)


def strip(
    one: torch.Tensor, column: int = 0, keep: torch.Tensor | None = None, follows: bool = True
) -> LevelStrip:
    kept = torch.ones(one.shape[1:], dtype=torch.bool) if keep is None else keep
    return LevelStrip(one, kept, column, follows)


def learnt(strips: list[LevelStrip], band_width: int | None = 8) -> BandMedians:
    medians = learn_bands(strips, band_width, METHOD)
    assert medians is not None
    return medians


@pytest.mark.parametrize("cuts", [[90], [30, 60], [7, 50, 33], [45, 1, 44]])
def test_bands_are_the_medians_of_the_whole_strip_however_it_was_cut(cuts: list[int]) -> None:
    web = levels(0, 90)
    parts = [strip(one) for one in torch.split(web, cuts, dim=1)]
    medians = learnt(parts)
    expected = kernels.median_reference(web, 9, band_width=8)
    assert torch.equal(medians.known.reference, expected)
    assert medians.windows.tolist() == [40, 80, 80, 80, 40]


def test_bands_lie_on_the_web_not_in_the_lane() -> None:
    web = levels(1, 45)
    medians = learnt([strip(web, 20)])
    # Columns 20..59: bands 2 (20..23 and windows centred in them) to 7.
    expected = kernels.median_reference(web, 9, band_width=8, first_column=20)
    assert medians.known.first == 2
    assert torch.equal(medians.known.reference, expected[2:])


def test_one_band_is_the_reference_of_the_method() -> None:
    web = levels(2, 54)
    medians = learnt([strip(web, 40)], None)
    assert medians.known.first == 0
    assert torch.equal(medians.known.reference[0], METHOD.reference([web]))


def test_no_window_lies_across_a_seam() -> None:
    first, second = levels(3, 31), levels(4, 40)
    apart = learnt([strip(first), strip(second, follows=False)])
    joined = learnt([strip(first), strip(second)])
    assert int(apart.windows.sum()) == (31 // 9 + 40 // 9) * 32
    assert int(joined.windows.sum()) == 71 // 9 * 32


def test_what_may_not_be_learnt_is_in_no_window() -> None:
    web, keep = levels(5, 45), torch.ones(45, 40, dtype=torch.bool)
    spoilt = web.clone()
    spoilt[:, 12:15, 30:33] = 15 - spoilt[:, 12:15, 30:33]
    keep[12:15, 30:33] = False
    one, other = (learnt([strip(w, keep=keep)]) for w in (web, spoilt))
    assert torch.equal(one.known.reference, other.known.reference)
    assert int(one.windows.sum()) < 5 * 32
    assert learn_bands([strip(web, keep=keep & False)], 8, METHOD) is None
    assert learn_bands([strip(levels(6, 8))], 8, METHOD) is None
    assert learn_bands([], 8, METHOD) is None


def part(seed: int, windows: list[int], first: int = 0) -> BandMedians:
    generator = torch.Generator().manual_seed(seed)
    shape = (len(windows), 2, 9)
    reference = torch.randint(0, 16, shape, generator=generator).sort(dim=-1).values
    return BandMedians(BandReference(reference.to(torch.uint8), first), torch.tensor(windows))


@settings(max_examples=30, deadline=None)
@given(count=st.integers(1, 7), seed=st.integers(0, 1000))
def test_the_combination_is_the_lower_median_and_ascending(count: int, seed: int) -> None:
    parts = [part(seed + n, [99, 99]) for n in range(count)]
    combined = combine_bands(parts).reference.numpy()
    stacked = np.sort(np.stack([p.known.reference.numpy() for p in parts]), axis=0)
    np.testing.assert_array_equal(combined, stacked[(count - 1) // 2])
    assert (np.diff(combined.astype(int)) >= 0).all()


def test_a_minority_of_foreign_segments_does_not_move_the_reference() -> None:
    clean = part(0, [99, 99])
    foreign = BandMedians(BandReference(torch.full((2, 2, 9), 15).byte()), clean.windows)
    combined = combine_bands([clean, foreign, clean, foreign, clean])
    assert torch.equal(combined.reference, clean.known.reference)


def test_a_band_with_few_windows_borrows_from_the_nearest() -> None:
    few = LEAST_WINDOWS - 1
    one = part(1, [few, 99, few, few, 99])
    combined = combine_bands([one])
    for band, source in enumerate([1, 1, 1, 4, 4]):
        assert torch.equal(combined.reference[band], one.of(source))


def test_a_band_that_nobody_knows_now_keeps_what_it_had() -> None:
    before = part(2, [99, 99]).known
    now = part(3, [99, 0])
    combined = combine_bands([now], before)
    assert torch.equal(combined.reference[0], now.of(0))
    assert torch.equal(combined.reference[1], before.reference[1])


def test_where_no_band_has_enough_the_best_known_counts() -> None:
    one = part(4, [3, 5, 0])
    combined = combine_bands([one])
    assert all(torch.equal(band, one.of(1)) for band in combined.reference)


def test_webs_that_lie_apart_meet_in_the_bands_that_they_share() -> None:
    left, right = part(5, [99, 99, 99], first=1), part(6, [99, 99], first=3)
    combined = combine_bands([left, right], part(7, [99], first=7).known)
    assert (combined.first, combined.end) == (1, 8)
    assert torch.equal(combined.reference[0], left.of(1))
    both = torch.minimum(left.of(3), right.of(3))
    assert torch.equal(combined.reference[2], both)  # the lower median of two
    assert torch.equal(combined.reference[3], right.of(4))
    assert torch.equal(combined.reference[4], right.of(4))  # borrowed
    assert torch.equal(combined.reference[6], part(7, [99]).of(0))


def test_distance_is_the_mean_difference_in_the_range_of_the_levels() -> None:
    reference = BandReference(torch.tensor([[[0, 3, 15]]], dtype=torch.uint8))
    other = BandReference(torch.tensor([[[15, 3, 0]]], dtype=torch.uint8))
    assert reference.distance(reference, 16) == 0
    assert reference.distance(other, 16) == pytest.approx(2 / 3)
    longer = BandReference(torch.cat([reference.reference, other.reference]), 4)
    assert longer.distance(BandReference(other.reference, 5), 16) == 0
    assert longer.distance(BandReference(other.reference, 6), 16) == 0
    assert longer.distance(BandReference(other.reference, 4), 16) == pytest.approx(2 / 3)


def test_tiles_of_other_widths_teach_what_the_web_shows_them() -> None:
    """A mask at the web's edges makes a tile narrower, or lets it begin later."""
    web = levels(12, 90)
    parts = [strip(web[:, :45, :30]), strip(web[:, 45:, 16:], 16, follows=False)]
    medians = learnt(parts)
    assert (medians.known.first, medians.known.end) == (0, 5)
    left = learnt([strip(web[:, :45, :30].contiguous())])
    right = learnt([strip(web[:, 45:, 16:].contiguous(), 16)])
    assert torch.equal(medians.of(0), left.of(0))
    assert torch.equal(medians.of(4), right.of(4))
    assert medians.windows.tolist() == [
        left.windows_in(band) + right.windows_in(band) for band in range(5)
    ]


@pytest.mark.parametrize("column", [0, 5, 16, 37])
def test_scores_are_those_of_the_kernel_and_beyond_the_ends_the_last_band_counts(
    column: int,
) -> None:
    web = levels(7, 30)
    reference = kernels.median_reference(levels(8, 90, 24), 9, band_width=8)
    scores = score_bands(METHOD, web, reference, BandPlace(8, 2), column)
    everywhere = torch.stack([reference[min(max(b - 2, 0), 2)] for b in range(12)])
    expected = kernels.fca_score_fast(web, everywhere, band_width=8, first_column=column)
    np.testing.assert_array_equal(scores, expected.numpy())


def test_what_is_normal_in_one_band_is_not_in_another() -> None:
    web = torch.zeros(3, 90, 72, dtype=torch.uint8)
    web[:, :, 40:] = 12  # a margin
    reference = learnt([strip(web)]).known.reference
    own = score_bands(METHOD, web, reference, BandPlace(8, 0), 0)
    moved = score_bands(METHOD, web.roll(-24, dims=2), reference, BandPlace(8, 0), 0)
    assert own[:, 20:28].max() == 0
    assert moved[:, 20:28].min() > 0.4  # less at the border: fewer windows


@pytest.mark.parametrize("cuts", [[72], [24, 48], [20, 52], [28, 44]])
def test_lanes_join_to_the_bands_of_the_web(cuts: list[int]) -> None:
    whole = levels(9, 90, 72)
    whole[:, :, 40:] //= 2
    firsts = [0, *np.cumsum(cuts)[:-1].tolist()]
    lanes = zip(firsts, torch.split(whole, cuts, dim=2), strict=True)
    joined = join_lanes([learnt([strip(one.contiguous(), first)]) for first, one in lanes])
    expected = learnt([strip(whole)]).known
    assert (joined.first, joined.end) == (0, 9)
    inner = [band for band in range(9) if all(abs(8 * band + 4 - c) > 8 for c in firsts[1:])]
    assert len(inner) >= 6
    for band in inner:  # windows across two lanes are in neither
        assert torch.equal(joined.reference[band], expected.reference[band])


def test_a_band_between_lanes_borrows_from_the_nearest() -> None:
    left, right = learnt([strip(levels(10, 45, 16), 8)]), learnt([strip(levels(11, 45, 24), 40)])
    joined = join_lanes([left, right])
    assert (joined.first, joined.end) == (1, 8)
    assert torch.equal(joined.reference[2], joined.reference[1])
    assert torch.equal(joined.reference[3], joined.reference[4])
