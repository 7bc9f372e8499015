import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.correction.bad_pixels import ColumnRepair


def filled(line: np.ndarray, repair: ColumnRepair) -> np.ndarray:
    """As the shares say, not rounded."""
    out, share = line.astype(float), repair.right_share / 4096
    out[repair.bad] = line[repair.left] * (1 - share) + line[repair.right] * share
    return out


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
@given(columns=st.integers(2, 30), count=st.floats(0, 1), seed=st.integers(0, 2**31))
def test_bad_columns_are_interpolated_from_good_ones(columns, count, seed):
    random = np.random.default_rng(seed)
    line = random.integers(0, 65536, columns)
    bad = random.choice(columns, int(count * columns * 0.99), replace=False)
    repair = ColumnRepair.of(bad.tolist(), columns)
    assert repair.bad.tolist() == sorted(bad.tolist())
    assert not np.isin((repair.left, repair.right), bad).any()
    wanted = filled_by_hand(line.tolist(), set(bad.tolist()))
    assert np.abs(filled(line, repair) - wanted).max() <= 65535 / (1 << 13)


def test_at_the_ends_the_nearest_good_one_stands_in():
    repair = ColumnRepair.of((0, 1, 4), 5)
    assert (repair.left.tolist(), repair.right.tolist()) == ([2, 2, 3], [2, 2, 3])
    assert repair.right_share.tolist() == [0, 0, 0]


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
