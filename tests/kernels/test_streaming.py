from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import MedianAccumulator, MedianMemory, median_reference
from kernels.saved_state import SavedState

if TYPE_CHECKING:
    from types import ModuleType

    from hypothesis.strategies import DrawFn

SMALL = MedianMemory(2, 13, 24, 8, 5, 3, 2, 4, 5)


@pytest.fixture(scope="session")
def rolling() -> ModuleType:
    name = "linescan_rolling_oracle"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("rolling.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@st.composite
def memories(draw: DrawFn) -> MedianMemory:
    side = draw(st.sampled_from([3, 5, 7, 9, 11]))
    segment = draw(st.integers(1, 12))
    return MedianMemory(
        channels=draw(st.integers(1, 3)),
        columns=side + draw(st.integers(0, 12)),
        memory_lines=segment * draw(st.integers(1, 5)),
        segment_lines=segment,
        levels_count=draw(st.integers(4, 32)),
        patch_size=side,
        stride=draw(st.sampled_from([None, 1, 2, 3, 7, 12])),
        band_width=draw(st.sampled_from([None, 1, 3, 8, 40])),
        first_column=draw(st.sampled_from([0, 2, 9])),
    )


# Lines to leave out and lines to push, again and again.
CUTS = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 5, 30]), st.integers(1, 25)), max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    memory=memories(),
    cuts=CUTS,
    barred=st.sampled_from([0.0, 0.0, 0.01, 0.1, 1.0]),
    seed=st.integers(0, 2**31),
)
def test_the_reference_is_that_of_the_windows_in_memory(
    any_path: str, rolling, memory: MedianMemory, cuts, barred: float, seed: int
) -> None:
    lines = sum(gap + length for gap, length in cuts)
    roll = rolling.Roll.random(memory, lines, barred, seed)
    accumulator, line = MedianAccumulator(memory), 0
    for gap, length in cuts:
        line += gap + length
        roll.push(accumulator, line - length, line)
        assert accumulator.next_line == line
        rolling.check(accumulator, roll)


@settings(max_examples=30, deadline=None)
@given(
    bands=st.sampled_from([(None, 0), (4, 0), (8, 5), (50, 7)]),
    stride=st.sampled_from([None, 1, 2, 9, 20]),
    size=st.tuples(st.integers(1, 4), st.integers(0, 60), st.integers(0, 70)),
    tile=st.integers(1, 40),
    seed=st.integers(0, 2**31),
)
def test_a_whole_web_gives_the_batch_form_to_the_bit(
    any_path: str, bands, stride: int | None, size, tile: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    channels, height, width = size[0], 9 + size[1], 9 + size[2]
    levels = torch.from_numpy(random.integers(0, 16, (channels, height, width), np.uint8))
    accumulator = MedianAccumulator(MedianMemory(channels, width, 75, 15, 16, 9, stride, *bands))
    for line in range(0, height, tile):
        accumulator.push(levels[:, line : line + tile], line)
    assert torch.equal(accumulator.reference(), median_reference(levels, 9, stride, *bands))


@settings(max_examples=40, deadline=None)
@given(memory=memories(), data=st.data(), seed=st.integers(0, 2**31))
def test_no_bit_depends_on_how_the_web_was_cut(
    any_path: str, rolling, memory: MedianMemory, data, seed: int
) -> None:
    lines = data.draw(st.integers(1, 70))
    roll = rolling.Roll.random(memory, lines, 0.02, seed)
    contents = set()
    for _ in range(3):
        cuts = data.draw(st.sets(st.integers(1, lines), max_size=6)) | {0, lines}
        accumulator = MedianAccumulator(memory)
        ends = sorted(cuts)
        for first, end in zip(ends[:-1], ends[1:], strict=True):
            roll.push(accumulator, first, end)
        contents.add(accumulator.to_bytes())
        contents.add(MedianAccumulator.from_bytes(accumulator.to_bytes()).to_bytes())
    assert len(contents) == 1


def test_every_path_and_number_of_threads_holds_the_same(
    need_path, monkeypatch: pytest.MonkeyPatch, make_levels
) -> None:
    need_path("portable")
    from kernels.compiled import PATH_VARIABLE, usable_paths

    levels, before = make_levels((7, 60, 90), 16), torch.get_num_threads()
    digests = set()
    try:
        for path in (*usable_paths(), "reference"):
            monkeypatch.setenv(PATH_VARIABLE, path)
            for threads in (1, 3, 16):
                torch.set_num_threads(threads)
                accumulator = MedianAccumulator(MedianMemory(7, 90, 40, 20, 16, 9, 4, 8))
                for line in (0, 20, 40):
                    accumulator.push(levels[:, line : line + 20], line)
                digests.add((accumulator.digest(), accumulator.reference().numpy().tobytes()))
    finally:
        torch.set_num_threads(before)
    assert len(digests) == 1


@settings(max_examples=40, deadline=None)
@given(memory=memories(), data=st.data(), seed=st.integers(0, 2**31))
def test_parts_that_overlap_by_a_window_less_one_line_merge_to_the_whole(
    any_path: str, rolling, memory: MedianMemory, data, seed: int
) -> None:
    lines = data.draw(st.integers(2, 70))
    cut = data.draw(st.integers(1, lines - 1))
    roll = rolling.Roll.random(memory, lines, 0.02, seed)
    whole, earlier, later = (MedianAccumulator(memory) for _ in range(3))
    roll.push(whole, 0, lines)
    roll.push(earlier, 0, cut)
    roll.push(later, max(0, cut - memory.patch_size + 1), lines)
    for one, other in ((earlier, later), (later, earlier)):
        merged = MedianAccumulator.from_bytes(one.to_bytes())
        merged.merge(other)
        assert merged.to_bytes() == whole.to_bytes()
        assert merged.windows_per_band().equal(whole.windows_per_band())
        if merged.windows_per_band().sum() > 0:
            assert merged.reference().equal(whole.reference())


def test_parts_far_apart_merge_to_the_newer_one(rolling) -> None:
    roll = rolling.Roll.random(SMALL, 100, 0, 1)
    early, late = MedianAccumulator(SMALL), MedianAccumulator(SMALL)
    roll.push(early, 0, 30)
    roll.push(late, 60, 100)
    expected = late.to_bytes()
    early.merge(late)
    assert early.to_bytes() == expected
    late.merge(MedianAccumulator(SMALL))
    assert late.to_bytes() == expected


def test_a_merge_is_refused_whole(rolling) -> None:
    roll = rolling.Roll.random(SMALL, 60, 0, 1)
    one, other = MedianAccumulator(SMALL), MedianAccumulator(SMALL)
    roll.push(one, 0, 30)
    roll.push(other, 24, 44)
    before = one.to_bytes()
    with pytest.raises(ValueError, match="windows of other must be new, got those at line 24 in"):
        one.merge(other)
    with pytest.raises(ValueError, match="memory of other must be MedianMemory"):
        one.merge(MedianAccumulator(MedianMemory(2, 13, 24, 8, 5, 3, 1, 4, 5)))
    with pytest.raises(ValueError, match="windows of other must be new"):
        one.merge(one)
    assert one.to_bytes() == before


def test_parts_that_end_alike_must_be_of_the_same_lines() -> None:
    one, other = MedianAccumulator(SMALL), MedianAccumulator(SMALL)
    one.push(torch.zeros(2, 2, 13, dtype=torch.uint8), 10)
    other.push(torch.ones(2, 2, 13, dtype=torch.uint8), 10)
    with pytest.raises(ValueError, match="last lines of other must be those of the same web"):
        one.merge(other)


def test_what_left_the_memory_leaves_no_trace() -> None:
    random = torch.Generator().manual_seed(0)
    web = torch.randint(0, 5, (2, 400, 13), generator=random, dtype=torch.uint8)
    strange = web.clone()
    strange[:, :200] = 4
    contents = []
    for levels in (web, strange):
        accumulator = MedianAccumulator(SMALL)
        for line in range(0, 400, 16):
            accumulator.push(levels[:, line : line + 16], line)
            if line == 192:
                contents.append(accumulator.to_bytes())
        contents.append(accumulator.to_bytes())
    assert contents[0] != contents[2]
    assert contents[1] == contents[3]


def test_barred_windows_are_not_learnt_across_tiles_either() -> None:
    clean = torch.zeros(2, 16, 13, dtype=torch.uint8)
    defect = clean.clone()
    defect[:, 7, 4] = 4
    keep = torch.ones(16, 13, dtype=torch.bool)
    keep[7, 4] = False
    gated, open_ = MedianAccumulator(SMALL), MedianAccumulator(SMALL)
    for first, end in ((0, 8), (8, 16)):
        gated.push(defect[:, first:end], first, keep[first:end])
        open_.push(defect[:, first:end], first)
    # The row of windows at 6 holds line 7 with its neighbours in the next tile; three columns each.
    assert (open_.windows_per_band() - gated.windows_per_band()).tolist() == [0, 0, 3, 0, 0]
    assert int(gated.reference().max()) == 0


def test_a_gap_ages_the_memory_and_no_window_lies_across_it() -> None:
    accumulator = MedianAccumulator(MedianMemory(1, 3, 20, 10, 4, 3, 1))
    lines = torch.zeros(1, 10, 3, dtype=torch.uint8)
    accumulator.push(lines, 0)
    assert accumulator.windows_per_band().tolist() == [8]
    accumulator.push(lines[:, :5], 15)
    assert accumulator.windows_per_band().tolist() == [8 + 3]
    accumulator.push(lines[:, :1], 10**15)
    assert accumulator.windows_per_band().tolist() == [0]
    with pytest.raises(ValueError, match=r"windows must be >= 1 for a reference \(push 3 lines"):
        accumulator.reference()


def test_the_state_of_a_long_web_is_bounded_and_as_stated() -> None:
    memory = MedianMemory(3, 20, 60, 20, 6, 5, 5, 8, 3)
    accumulator = MedianAccumulator(memory)
    random = torch.Generator().manual_seed(1)
    sizes = set()
    for line in range(0, 20_000, 50):
        tile = torch.randint(0, 6, (3, 50, 20), generator=random, dtype=torch.uint8)
        accumulator.push(tile, line)
        sizes.add(accumulator.state_bytes())
    assert sizes == {memory.state_bytes}
    assert int(accumulator.windows_per_band().sum()) == 12 * 16
    held = (accumulator._segments, accumulator._closed)
    assert sum(one.nbytes for one in held) == 3 * memory.state_bytes_per_band


def test_counts_fill_their_narrow_types_to_the_brim(any_path: str) -> None:
    # 255 windows of a segment in bytes, and 255 * 128 in int16, all in one bin.
    memory = MedianMemory(1, 19, 17 * 128, 17, 4, 5, 1)
    assert (memory.segment_type, memory.total_type) == (torch.uint8, torch.int16)
    accumulator = MedianAccumulator(memory)
    accumulator.push(torch.zeros(1, 17 * 300, 19, dtype=torch.uint8), 0)
    assert accumulator.windows_per_band().tolist() == [255 * 128]
    assert int(accumulator.reference().max()) == 0
    again = MedianAccumulator.from_bytes(accumulator.to_bytes())
    assert again.windows_per_band().tolist() == [255 * 128]


def test_many_windows_of_a_row_do_not_wrap(any_path: str) -> None:
    memory = MedianMemory(1, 20_000, 8, 8, 4, 3, 1)
    accumulator = MedianAccumulator(memory)
    accumulator.push(torch.full((1, 10, 20_000), 3, dtype=torch.uint8), 0)
    assert accumulator.windows_per_band().tolist() == [2 * 19_998]
    accumulator = MedianAccumulator(memory)
    accumulator.push(torch.full((1, 8, 20_000), 3, dtype=torch.uint8), 0)
    assert accumulator.windows_per_band().tolist() == [6 * 19_998]
    assert int(accumulator.reference().min()) == 3


def test_it_goes_on_from_its_bytes_as_if_nothing_had_been(rolling) -> None:
    roll = rolling.Roll.random(SMALL, 90, 0.01, 5)
    accumulator = MedianAccumulator(SMALL)
    for first, end in ((0, 25), (25, 51), (60, 90)):
        roll.push(accumulator, first, end)
        accumulator = MedianAccumulator.from_bytes(accumulator.to_bytes())
        rolling.check(accumulator, roll)
    assert accumulator.memory == SMALL


def test_a_state_of_another_memory_is_refused() -> None:
    other = SavedState.empty(MedianMemory(2, 13, 24, 8))
    with pytest.raises(ValueError, match="memory of state must be MedianMemory"):
        MedianAccumulator(SMALL, other)


def test_what_is_pushed_is_not_held_by_reference() -> None:
    accumulator = MedianAccumulator(SMALL)
    levels = torch.zeros(2, 5, 13, dtype=torch.uint8)
    keep = torch.ones(5, 13, dtype=torch.bool)
    accumulator.push(levels, 0, keep)
    before = accumulator.to_bytes()
    levels.fill_(3)
    keep.fill_(False)
    assert accumulator.to_bytes() == before


def test_lines_that_were_pushed_are_refused_and_change_nothing() -> None:
    accumulator = MedianAccumulator(SMALL)
    accumulator.push(torch.zeros(2, 5, 13, dtype=torch.uint8), 0)
    before = accumulator.digest()
    with pytest.raises(ValueError, match="first_line must be >= 5, one past the last line, got 4"):
        accumulator.push(torch.zeros(2, 5, 13, dtype=torch.uint8), 4)
    with pytest.raises(ValueError, match="levels must be below levels_count 5, got 5"):
        accumulator.push(torch.full((2, 5, 13), 5, dtype=torch.uint8), 5)
    assert accumulator.digest() == before
