from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import MedianMemory, compiled_counting, counting
from kernels.compiled import PATH_VARIABLE
from kernels.strips import Strip

TYPES = [torch.uint8, torch.int16, torch.int32]


@settings(max_examples=60, deadline=None)
@given(
    side=st.sampled_from([3, 5, 7, 9, 11]),
    stride=st.integers(1, 14),
    levels_count=st.integers(4, 32),
    bands=st.sampled_from([(None, 0), (3, 0), (8, 5), (40, 100)]),
    size=st.tuples(st.integers(1, 6), st.integers(0, 40), st.integers(0, 90)),
    kind=st.sampled_from(TYPES),
    seed=st.integers(0, 2**31),
)
def test_histograms_and_medians_are_those_of_torch(
    any_path: str, side: int, stride: int, levels_count: int, bands, size, kind, seed: int
) -> None:
    random = np.random.default_rng(seed)
    columns = side + size[2]
    memory = MedianMemory(size[0], columns, 500, 500, levels_count, side, stride, *bands)
    present = random.integers(1, levels_count + 1)
    shape = (size[0], side + size[1], columns)
    levels = torch.from_numpy(random.integers(0, present, shape, np.uint8))
    kept = torch.from_numpy(random.random(shape[1:]) > random.choice([0, 0.02]))
    strip = Strip(levels, kept, int(random.integers(0, 20)))
    rows = strip.window_rows(memory)
    if len(rows) == 0:
        return
    # Bytes wrap in both alike.
    expected, found = (torch.zeros(memory.histogram_shape, dtype=kind) for _ in range(2))
    first = rows.start * stride - strip.first_line
    under = levels[:, first : first + (len(rows) - 1) * stride + side]
    counting.add_windows(under, strip.barred(rows, memory), expected, memory)
    compiled_counting.add_windows(strip, rows, found, memory)
    assert torch.equal(found, expected)
    if len(rows) * memory.window_columns > torch.iinfo(kind).max:
        return
    closed = torch.zeros(memory.histogram_shape, dtype=torch.int16)
    windows = expected[:, 0, 0].long().sum(-1)
    slow = counting.medians(closed, expected, windows, memory)
    assert torch.equal(compiled_counting.medians(closed, expected, windows, memory), slow)


@pytest.mark.parametrize("total", TYPES)
@pytest.mark.parametrize("item", TYPES)
def test_counts_of_every_size_enter_and_leave(any_path: str, total, item) -> None:
    if total.itemsize < item.itemsize:
        return
    random = torch.Generator().manual_seed(2)
    shape = (2, 3, 5, 82)
    leaving, entering = (torch.randint(0, 90, shape, generator=random).to(item) for _ in range(2))
    totals = leaving.to(total) + 30
    expected = [one.clone() for one in (totals, entering, leaving)]
    counting.replace_counts(*expected)
    compiled_counting.replace_counts(totals, entering, leaving)
    assert all(a.equal(b) for a, b in zip(expected, (totals, entering, leaving), strict=True))
    compiled_counting.replace_counts(totals, entering, entering)
    assert totals.equal(expected[0])
    assert int(entering.max()) == 0


def test_senseless_histograms_are_read_without_harm(any_path: str) -> None:
    memory = MedianMemory(2, 9, 4, 4, 16, 5, 5, 3)
    random = torch.Generator().manual_seed(3)
    for windows in (-5, 0, 7, 2**62):
        counts = torch.randint(0, 99, memory.histogram_shape, generator=random, dtype=torch.int32)
        counts[0] = 0
        windows_per_band = torch.full((len(memory.ranges),), windows)
        found = compiled_counting.medians(counts, counts, windows_per_band, memory)
        assert int(found.max()) <= 15


def test_large_patches_go_to_torch_with_one_warning(need_path, monkeypatch) -> None:
    need_path("portable")
    monkeypatch.setenv(PATH_VARIABLE, "portable")
    from kernels import compiled

    compiled._warn_of_large_patches.cache_clear()
    memory = MedianMemory(1, 14, 20, 20, 4, 13)
    histogram = torch.zeros(memory.histogram_shape, dtype=torch.uint8)
    strip = Strip.checked(torch.zeros(1, 14, 14, dtype=torch.uint8), 0, None)
    with pytest.warns(RuntimeWarning, match="patch_size is above 11: the slow torch reference"):
        compiled_counting.add_windows(strip, range(1), histogram, memory)
    assert histogram[0, 0, :, 0].tolist() == [1, 1, 1]
    found = compiled_counting.medians(histogram, histogram, torch.tensor([1]), memory)
    assert int(found.max()) == 0


def arguments() -> dict[str, object]:
    return {
        "levels": torch.zeros(2, 12, 10, dtype=torch.uint8),
        "barred": None,
        "ranges": torch.tensor([[0, 2]]),
        "histogram": torch.zeros(1, 2, 15, 82, dtype=torch.uint8),
        "first_row": 1,
        "window_rows": 3,
        "levels_count": 16,
        "patch_size": 9,
        "stride_rows": 1,
        "stride_columns": 1,
        "path": "portable",
        "threads": 1,
    }


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"path": "sse9"}, "path must be one that this CPU has, got sse9"),
        ({"threads": 0}, "threads must be >= 1, got 0"),
        ({"levels_count": 65, "histogram": torch.zeros(1, 2, 64, 82).int()}, "2..64, got 65"),
        ({"stride_rows": 0}, "strides must be >= 1, got 0"),
        ({"stride_columns": 0}, "strides must be >= 1, got 0"),
        ({"first_row": -1}, "first_row must be >= 0, got -1"),
        ({"first_row": 2}, "windows must end inside the map, got 13"),
        ({"window_rows": 0}, "rows of windows must be >= 1, got 0"),
        ({"levels": torch.zeros(2, 12, 8, dtype=torch.uint8)}, "at least patch_size wide, got 8"),
        ({"ranges": torch.tensor([[0, 3]])}, "ranges must end inside, got 3"),
        ({"ranges": torch.tensor([[1, 1]])}, "ranges must begin inside and not be empty, got 1"),
        ({"ranges": torch.tensor([[0]])}, r"ranges must be \(bands, 2\), got 1"),
        ({"histogram": torch.zeros(2, 2, 15, 82, dtype=torch.uint8)}, "histograms must be .*got 2"),
        ({"histogram": torch.zeros(1, 2, 15, 81, dtype=torch.uint8)}, "histograms must be .*t 81"),
        ({"histogram": torch.zeros(1, 2, 15, 82)}, "histograms must be of integers"),
        ({"histogram": torch.zeros(1, 2, 15, 82).long()}, "items must be of 1, 2 or 4 bytes, got"),
        ({"barred": torch.zeros(3, 3, dtype=torch.uint8)}, r"barred must be \(rows, columns\)"),
        ({"patch_size": 13, "histogram": torch.zeros(1, 2, 15, 170).int()}, "odd, 3..11, got 13"),
    ],
)
def test_the_extension_refuses_what_it_cannot_hold(need_path, change, text: str) -> None:
    need_path("portable")
    from kernels import _native

    with pytest.raises(ValueError, match=text):
        _native.count_windows(**(arguments() | change))


def test_the_extension_takes_what_it_can(need_path) -> None:
    need_path("portable")
    from kernels import _native

    given = arguments()
    _native.count_windows(**given)
    assert given["histogram"][0, :, :, 0].eq(6).all()
    # Whatever is not 0 bars a window.
    barred = torch.tensor([[255, 0], [1, 0], [128, 0]], dtype=torch.uint8)
    _native.count_windows(**(given | {"barred": barred}))
    assert given["histogram"][0, :, :, 0].eq(9).all()
    assert int(given["histogram"].sum()) == 9 * 2 * 15


def test_medians_and_totals_refuse_what_they_cannot_hold(need_path) -> None:
    need_path("portable")
    from kernels import _native

    counts, number = torch.zeros(1, 2, 15, 82, dtype=torch.uint8), torch.tensor([1])
    reference = torch.zeros(1, 2, 81, dtype=torch.uint8)
    for change, text in (
        ((counts[:, :1], counts, number, reference, 16, 9, 1), "histograms must be .*got 1"),
        ((counts, counts.long(), number, reference, 16, 9, 1), "items must be of 1, 2 or 4 bytes"),
        ((counts, counts, torch.tensor([1, 1]), reference, 16, 9, 1), "windows must be given per"),
        ((counts, counts, number, reference[..., 1:], 16, 9, 1), "must have patch_size"),
        ((counts, counts, number, reference, 1, 9, 1), "levels_count must be >= 2, got 1"),
        ((counts, counts, number, reference, 16, 9, 0), "threads must be >= 1, got 0"),
    ):
        with pytest.raises(ValueError, match=text):
            _native.counted_medians(
                *(one.contiguous() if i < 2 else one for i, one in enumerate(change))
            )
    with pytest.raises(ValueError, match="items must be of one size, got 2"):
        _native.replace_counts(counts, counts, counts.short())
    with pytest.raises(ValueError, match="histograms must be"):
        _native.replace_counts(counts, counts, counts[:, :1].contiguous())
