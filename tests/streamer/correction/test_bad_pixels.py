import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.correction.bad_pixels import ColumnRepair


def fill(pixels, bad, parts):
    """Fill in place, the bad columns of each part [first, end) apart."""
    repair = ColumnRepair.of(bad, pixels.shape[1])
    for first, end in parts:
        part = repair.within(first, end)
        pixels[:, part.bad] = part.filled(pixels[:, part.left], pixels[:, part.right])


def filled_by_hand(line: list[int], bad: set[int]) -> list[float]:
    """Linear between the nearest good neighbours, the nearest where there is none on one side."""
    good = [c for c in range(len(line)) if c not in bad]
    out = []
    for column, level in enumerate(line):
        if column not in bad:
            out.append(level)
            continue
        left = [c for c in good if c < column]
        right = [c for c in good if c > column]
        first, last = (left or right[:1])[-1], (right or left[-1:])[0]
        share = 0 if first == last else (column - first) / (last - first)
        out.append(line[first] * (1 - share) + line[last] * share)
    return out


@settings(max_examples=80, deadline=None)
@given(
    columns=st.integers(2, 30),
    kind=st.sampled_from([np.uint8, np.uint16]),
    channels=st.sampled_from([None, 3]),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**31),
)
def test_bad_columns_are_interpolated_and_no_other_touched(columns, kind, channels, share, seed):
    random = np.random.default_rng(seed)
    shape = (5, columns) if channels is None else (5, columns, channels)
    pixels = random.integers(0, np.iinfo(kind).max, shape, kind, endpoint=True)
    bad = random.choice(columns, random.integers(0, columns), replace=False)
    before = pixels.copy()
    middle = round(share * columns)
    fill(pixels, bad.tolist(), [(0, middle), (middle, columns)])
    kept = np.setdiff1d(np.arange(columns), bad)
    assert np.array_equal(pixels[:, kept], before[:, kept])
    rows = before.swapaxes(1, -1).reshape(-1, columns)
    wanted = np.array([filled_by_hand(row.tolist(), set(bad.tolist())) for row in rows])
    got = pixels.swapaxes(1, -1).reshape(-1, columns)
    assert np.abs(got - wanted).max() <= 0.5 + np.iinfo(kind).max / (1 << 13)


def test_the_highest_level_does_not_wrap():
    pixels = np.full((2, 5), 65535, np.uint16)
    pixels[:, 1:4] = 0
    fill(pixels, (1, 2, 3), [(0, 5)])
    assert (pixels == 65535).all()


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        ((0, 1, 2), "at least one column must be good, got '3 bad ones'"),
        ((3,), r"bad columns must be within 0..2, got \[3\]"),
        ((-1,), r"bad columns must be within 0..2, got \[-1\]"),
    ],
)
def test_what_cannot_be_filled_is_refused(bad, text):
    with pytest.raises(ValueError, match=text):
        ColumnRepair.of(bad, 3)
