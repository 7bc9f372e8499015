import pytest
import torch

from streamer.scoring.band_prototypes import combine_prototypes, learn_prototypes
from streamer.scoring.bands import (
    BandMedians,
    BandPlace,
    BandReference,
    LevelStrip,
    combine_bands,
    score_bands,
)
from streamer.scoring.fca import FcaFast
from streamer.scoring.rolling_plan import PrototypeRule

METHOD = FcaFast(5, 12, 2, 1.0)
RULE = PrototypeRule(2, 0.2)


def web(seed: int, looks: list[tuple[int, int]], columns: int = 24) -> torch.Tensor:
    """(3, rows, columns) levels: rows and lowest level of one look after the other."""
    generator = torch.Generator().manual_seed(seed)
    parts = [
        low + torch.randint(0, 4, (3, rows, columns), generator=generator) for rows, low in looks
    ]
    return torch.cat(parts, dim=1).to(torch.uint8)


def learnt(levels: torch.Tensor, column: int = 0, rule: PrototypeRule = RULE) -> BandMedians:
    keep = torch.ones(levels.shape[1:], dtype=torch.bool)
    found = learn_prototypes([LevelStrip(levels, keep, column, True)], 8, rule, METHOD)
    assert found is not None
    return found


def lows(reference: torch.Tensor) -> list[float]:
    """Mean level of each prototype."""
    return [round(float(one.double().mean()), 1) for one in reference]


def test_a_segment_leaves_a_prototype_for_each_look_of_a_band() -> None:
    medians = learnt(web(0, [(30, 0), (20, 7)]))
    assert medians.known.reference.shape == (3, 2, 3, 25)
    assert medians.windows[1].tolist() == [12, 8]
    assert lows(medians.of(1)) == pytest.approx([1.5, 8.5], abs=0.2)
    alone = learnt(web(0, [(50, 0)]), rule=PrototypeRule(2, 0.5))
    assert alone.windows[1].tolist() == [20, 0]


def test_bands_lie_on_the_web_and_unseen_ones_have_nothing() -> None:
    levels, keep = web(1, [(50, 0)], 40), torch.ones(50, 40, dtype=torch.bool)
    keep[:, 8:24] = False
    medians = learn_prototypes([LevelStrip(levels, keep, 16, True)], 8, RULE, METHOD)
    assert (medians.known.first, medians.windows.sum(1).tolist()) == (2, [10, 0, 0, 10, 20])
    assert learn_prototypes([], 8, RULE, METHOD) is None


def test_looks_of_different_segments_are_told_apart_too() -> None:
    parts = [learnt(web(n, [(50, 0 if n % 2 else 7)])) for n in range(6)]
    known = combine_prototypes(parts, None, RULE, METHOD)
    assert known.reference.shape == (3, 2, 3, 25)
    for band in known.reference:
        assert sorted(lows(band)) == pytest.approx([1.5, 8.5], abs=0.2)


def test_what_one_segment_of_many_shows_is_no_look() -> None:
    parts = [learnt(web(n, [(50, 0)])) for n in range(9)] + [learnt(web(9, [(50, 7)]))]
    known = combine_prototypes(parts, None, RULE, METHOD)
    assert max(low for band in known.reference for low in lows(band)) < 2


def test_a_band_that_shows_nothing_new_keeps_what_it_had_or_borrows() -> None:
    before = combine_prototypes([learnt(web(0, [(30, 0), (30, 7)], 40))], None, RULE, METHOD)
    parts = [learnt(web(1, [(50, 0)], 16), 8)]
    known = combine_prototypes(parts, before, RULE, METHOD)
    assert (known.first, known.end) == (0, 5)
    # Of band 1 there are ten windows, too few.
    for kept in (0, 1, 3, 4):
        assert torch.equal(known.reference[kept], before.reference[kept])
    assert max(lows(known.reference[2])) < 2
    # The one that has a single prototype repeats it.
    rule = PrototypeRule(1)
    few = combine_prototypes([learnt(web(1, [(50, 0)], 16), 8, rule)], before, rule, METHOD)
    assert torch.equal(few.reference[2, 0], few.reference[2, 1])
    alone = combine_prototypes([learnt(web(1, [(50, 0)], 16), 8)], None, RULE, METHOD)
    assert (alone.first, alone.end) == (1, 3)
    assert torch.equal(alone.reference[0], alone.reference[1])


def test_one_prototype_is_the_median_of_the_same_windows() -> None:
    parts = [learnt(web(n, [(50, 0)]), rule=PrototypeRule(1)) for n in range(5)]
    single = [BandMedians(BandReference(p.known.reference[:, 0]), p.windows[:, 0]) for p in parts]
    known = combine_prototypes(parts, None, PrototypeRule(1), METHOD)
    # Band 0 has too few windows in each part, so that its median would be borrowed.
    assert torch.equal(known.reference[1:, 0], combine_bands(single).reference[1:])


def test_a_place_takes_the_prototype_that_fits_it_best() -> None:
    levels, bands = web(3, [(25, 0), (25, 7)]), BandPlace(8, 0)
    known = combine_prototypes([learnt(levels)], None, RULE, METHOD).reference
    each = [score_bands(METHOD, levels, known[:, k].contiguous(), bands, 0) for k in (0, 1)]
    both = score_bands(METHOD, levels, known, bands, 0)
    assert (both == torch.from_numpy(each[0]).minimum(torch.from_numpy(each[1])).numpy()).all()
    assert both[:20].max() < 0.5 * max(one[:20].max() for one in each)
    assert both[30:].max() < 0.5 * max(one[30:].max() for one in each)


def test_prototypes_move_as_far_as_the_nearest_one() -> None:
    known = BandReference(torch.tensor([[[[2] * 25] * 3, [[8] * 25] * 3]], dtype=torch.uint8))
    swapped = BandReference(known.reference.flip(1))
    assert known.distance(swapped, 12) == 0
    moved = BandReference((known.reference.int() + 1).to(torch.uint8))
    assert known.distance(moved, 12) == pytest.approx(1 / 11)
    single = BandReference(known.reference[:, 0])
    assert known.distance(single, 12) == pytest.approx(3 / 11)
