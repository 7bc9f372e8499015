from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import backends, compiled, fca_score_fast, median_reference
from kernels.compiled import PATH_VARIABLE, chosen_path, usable_paths
from kernels.fast import blur_map, score_levels
from kernels.median import median_windows
from kernels.windows import Windows


@settings(max_examples=60, deadline=None)
@given(
    side=st.sampled_from([3, 5, 7, 9, 11]),
    stride=st.integers(1, 4),
    levels_count=st.integers(4, 32),
    bands=st.sampled_from([(None, 0), (3, 0), (8, 5)]),
    size=st.tuples(st.integers(1, 20), st.integers(0, 30), st.integers(0, 90)),
    seed=st.integers(0, 2**31),
)
def test_scores_have_the_bits_of_torch(
    path: str, side: int, stride: int, levels_count: int, bands, size, seed: int
) -> None:
    random = np.random.default_rng(seed)
    windows = Windows(side, min(stride, side), *bands)
    channels, height, width = size[0], side + size[1], side + size[2]
    present = random.integers(1, levels_count + 1)
    levels = torch.from_numpy(random.integers(0, present, (channels, height, width), np.uint8))
    count = 1 if bands[0] is None else (bands[1] + width - 1) // bands[0] + 1
    values = random.integers(0, levels_count, (count, channels, side**2), np.uint8)
    reference = torch.from_numpy(np.sort(values, axis=-1))
    expected = score_levels(levels, reference, levels_count, windows)
    assert torch.equal(compiled.score_levels(levels, reference, levels_count, windows), expected)


@pytest.mark.parametrize("sigma", [0.6, 1.0, 3.0, math.inf])
@pytest.mark.parametrize("size", [(3, 3), (3, 70), (4, 5), (5, 4), (37, 41)])
def test_the_blur_of_a_map_has_the_bits_of_torch(path: str, sigma: float, size) -> None:
    scores = torch.rand(size, generator=torch.Generator().manual_seed(1))
    expected = blur_map(scores, sigma)
    assert torch.equal(compiled.blur_map(scores.clone(), sigma), expected)
    assert torch.equal(compiled.blur_map(scores.clone(), None), scores)


@pytest.mark.parametrize(("side", "levels_count"), [(9, 29), (9, 30), (11, 23), (11, 32)])
def test_the_largest_errors_do_not_wrap(path: str, side: int, levels_count: int) -> None:
    levels = torch.zeros(3, side + 5, 70, dtype=torch.uint8)
    reference = torch.full((1, 3, side**2), levels_count - 1, dtype=torch.uint8)
    windows = Windows(side)
    expected = score_levels(levels, reference, levels_count, windows)
    assert torch.equal(compiled.score_levels(levels, reference, levels_count, windows), expected)
    assert float(expected[side // 2, 35]) == 1


def test_many_channels_do_not_wrap(path: str) -> None:
    levels = torch.zeros(700, 12, 12, dtype=torch.uint8)
    reference = torch.full((1, 700, 121), 31, dtype=torch.uint8)
    scores = compiled.score_levels(levels, reference, 32, Windows(11))
    assert float(scores[5, 5]) == 1


@settings(max_examples=60, deadline=None)
@given(
    side=st.sampled_from([3, 5, 7, 9, 11]),
    stride=st.integers(1, 12),
    levels_count=st.integers(1, 64),
    bands=st.sampled_from([(None, 0), (3, 0), (8, 5), (40, 100)]),
    size=st.tuples(st.integers(1, 6), st.integers(0, 80), st.integers(0, 60)),
    seed=st.integers(0, 2**31),
)
def test_medians_are_those_of_torch(
    path: str, side: int, stride: int, levels_count: int, bands, size, seed: int
) -> None:
    random = np.random.default_rng(seed)
    shape = (size[0], side + size[1], side + size[2])
    levels = torch.from_numpy(random.integers(0, levels_count, shape, np.uint8))
    windows = Windows(side, stride, *bands)
    assert torch.equal(compiled.median_levels(levels, windows), median_windows(levels, windows))


@settings(max_examples=40, deadline=None)
@given(
    side=st.sampled_from([3, 5, 7, 9, 11]),
    stride=st.integers(1, 12),
    kind=st.sampled_from(["smooth", "few", "rectified", "constant"]),
    bands=st.sampled_from([(None, 0), (3, 0), (8, 5)]),
    size=st.tuples(st.integers(1, 4), st.integers(0, 40), st.integers(0, 40)),
    seed=st.integers(0, 2**31),
)
def test_medians_of_floats_are_those_of_sorted_windows(
    path: str, side: int, stride: int, kind: str, bands, size, seed: int
) -> None:
    random = np.random.default_rng(seed)
    values = random.standard_normal((size[0], side + size[1], side + size[2])).astype(np.float32)
    change = {
        "smooth": lambda v: v,
        "few": lambda v: np.round(2 * v),
        "rectified": lambda v: np.maximum(v, 0),
        "constant": lambda v: 0 * v,
    }[kind]
    features = torch.from_numpy(change(values))
    windows = Windows(side, stride, *bands)
    expected = median_windows(features, windows)
    assert torch.equal(compiled.median_floats(features, windows), expected)


def test_only_maps_of_many_windows_are_counted(path: str, monkeypatch) -> None:
    assert compiled.counts_floats(torch.rand(1, 60, 60), Windows(9, 1))
    assert not compiled.counts_floats(torch.rand(1, 60, 60), Windows(9, 9))
    assert not compiled.counts_floats(torch.rand(1, 60, 60), Windows(9, 1, 8))
    assert not compiled.counts_floats(torch.rand(1, 300, 300), Windows(9, 1))
    features = torch.rand(2, 60, 60)
    counted = median_reference(features, 9, 1)
    monkeypatch.setattr(compiled, "counts_floats", lambda *_: False)
    assert torch.equal(median_reference(features, 9, 1), counted)


def test_medians_of_floats_do_not_depend_on_the_number_of_threads(path: str, threads) -> None:
    features = torch.rand(7, 40, 41)
    torch.set_num_threads(1)
    alone = compiled.median_floats(features, Windows(9, 2))
    torch.set_num_threads(3)
    assert torch.equal(compiled.median_floats(features, Windows(9, 2)), alone)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"features": torch.zeros(1, 300, 300)}, "features must hold <= 65535 values a channel"),
        ({"features": torch.zeros(1, 8, 20)}, "features must be at least patch_size"),
        ({"ranges": torch.tensor([[0, 13]])}, "ranges must end inside"),
        ({"ranges": torch.tensor([[3, 3]])}, "ranges must begin inside and not be empty"),
        ({"ranges": torch.tensor([[0, 1, 2]])}, r"ranges must be \(bands, 2\)"),
        ({"reference": torch.zeros(2, 1, 81)}, "reference must be"),
        ({"stride_rows": 0}, "strides must be >= 1"),
        ({"threads": 0}, "threads must be >= 1"),
        ({"patch_size": 4, "reference": torch.zeros(1, 1, 16)}, "patch_size must be odd, 3..11"),
    ],
)
def test_the_medians_of_floats_refuse_what_they_cannot_hold(path: str, change, text: str) -> None:
    from kernels import _native

    arguments = {
        "features": torch.zeros(1, 20, 20),
        "ranges": torch.tensor([[0, 12]]),
        "reference": torch.zeros(1, 1, 81),
        "patch_size": 9,
        "stride_rows": 1,
        "stride_columns": 1,
        "path": path,
        "threads": 1,
    }
    with pytest.raises(ValueError, match=text):
        _native.median_floats(**(arguments | change))


def test_medians_of_many_windows_do_not_wrap(path: str, make_levels) -> None:
    levels = make_levels((1, 200, 190), 16)
    windows = Windows(9, 1)
    assert torch.equal(compiled.median_levels(levels, windows), median_windows(levels, windows))


def test_medians_do_not_depend_on_the_number_of_threads(path: str, make_levels, threads) -> None:
    levels, windows = make_levels((7, 40, 50), 16), Windows(9, 3, 8, 4)
    alone = compiled.median_levels(levels, windows)
    for count in (2, 16):
        torch.set_num_threads(count)
        assert torch.equal(compiled.median_levels(levels, windows), alone)


@pytest.mark.parametrize("highest", [63, 64, 255])
def test_maps_of_many_levels_are_sorted_by_torch(path: str, highest: int) -> None:
    levels = torch.randint(0, highest, (2, 20, 21), dtype=torch.uint8)
    levels[0, 0, 0] = highest
    assert torch.equal(median_reference(levels, 9), median_windows(levels, Windows(9, 9))[0])


def test_the_number_of_threads_does_not_change_a_bit(
    path: str, make_levels, make_reference, threads
) -> None:
    levels, reference = make_levels((7, 25, 40), 16), make_reference((5, 7, 81), 16)
    windows = Windows(9, 2, 8)
    alone = compiled.score_levels(levels, reference, 16, windows)
    for count in (2, 3, 16):
        torch.set_num_threads(count)
        assert torch.equal(compiled.score_levels(levels, reference, 16, windows), alone)


def test_views_are_taken_as_they_look(path: str, make_levels, make_reference) -> None:
    levels, reference = make_levels((6, 30, 50), 16), make_reference((1, 6, 81), 16)
    for view in (levels.transpose(1, 2), levels[:, 3:20, 5:40], levels[::2], levels.flip(2)):
        own = reference[:, : view.shape[0]]
        expected = score_levels(view, own, 16, Windows(9))
        assert torch.equal(compiled.score_levels(view, own, 16, Windows(9)), expected)


def test_calls_at_once_do_not_disturb_each_other(path: str, make_levels, make_reference) -> None:
    from concurrent.futures import ThreadPoolExecutor

    maps = [make_levels((4, 20 + seed, 30), 16, seed) for seed in range(8)]
    reference = make_reference((4, 81), 16)
    alone = [fca_score_fast(one, reference) for one in maps]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda one: fca_score_fast(one, reference), maps * 4))
    assert all(torch.equal(a, b) for a, b in zip(alone * 4, together, strict=True))


def test_the_forced_path_is_the_one_that_is_named(path: str) -> None:
    assert chosen_path() == path
    assert backends()["fca_score_fast"]["cpu"] == path


def test_the_fastest_path_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PATH_VARIABLE, raising=False)
    assert chosen_path() == [*usable_paths(), "reference"][0]


def test_torch_can_be_forced(monkeypatch: pytest.MonkeyPatch, make_levels, make_reference) -> None:
    monkeypatch.setenv(PATH_VARIABLE, "reference")
    monkeypatch.setattr(compiled, "score_levels", None)
    assert backends()["fca_score_fast"]["cpu"] == "reference"
    scores = fca_score_fast(make_levels((2, 11, 12), 16), make_reference((2, 81), 16))
    assert scores.shape == (11, 12)


def test_a_path_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATH_VARIABLE, "sse9")
    with pytest.raises(ValueError, match=r"LINESCAN_KERNEL must be one of .*reference here, got"):
        backends()


def test_without_the_compiled_module_torch_runs_and_says_so(
    monkeypatch: pytest.MonkeyPatch, make_levels, make_reference
) -> None:
    monkeypatch.delenv(PATH_VARIABLE, raising=False)
    levels, reference = make_levels((2, 11, 12), 16), make_reference((2, 81), 16)
    before = fca_score_fast(levels, reference)
    monkeypatch.setattr("kernels.paths._native", lambda: None)
    assert usable_paths() == []
    assert backends()["fca_score_fast"]["cpu"] == "reference"
    assert torch.equal(fca_score_fast(levels, reference), before)
    monkeypatch.setenv(PATH_VARIABLE, "avx2")
    with pytest.raises(ValueError, match="must be one of reference here, got 'avx2'"):
        fca_score_fast(levels, reference)


def test_large_patches_go_to_torch_with_one_warning(path: str, make_levels, make_reference) -> None:
    levels, reference = make_levels((1, 14, 15), 16), make_reference((1, 169), 16)
    compiled._warn_of_large_patches.cache_clear()
    with pytest.warns(RuntimeWarning, match="patch_size is above 11: the slow torch reference"):
        scores = fca_score_fast(levels, reference, patch_size=13, sigma_blur=None)
    assert torch.equal(scores, score_levels(levels, reference[None], 16, Windows(13, 2)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fca_score_fast(levels, reference, patch_size=13)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"path": "sse9"}, "path must be one that this CPU has, got sse9"),
        ({"threads": 0}, "threads must be >= 1, got 0"),
        ({"patch_size": 13}, r"reference must have patch_size \*\* 2 ranks, got 81"),
        ({"window_stride": 5}, "patch_size must be odd, 3..11, and not below the stride, got 9"),
        ({"levels_count": 33}, "levels_count must be 4..32, got 33"),
        ({"band_width": -1}, "band_width must be >= 0, got -1"),
        ({"first_column": -1}, "first_column must be >= 0, got -1"),
        (
            {"first_column": 2**63 - 1, "band_width": 2**63 - 1},
            r"first_column must be <= 2 \*\* 53, got 9223372036854775807",
        ),
        ({"band_width": 4}, "reference must hold every band of the map, got 1"),
        ({"scores": torch.empty(9, 9)}, "scores must have the size of the map, got 9"),
    ],
)
def test_the_extension_refuses_what_it_cannot_hold(
    need_path, change: dict[str, object], text: str
) -> None:
    need_path("portable")
    from kernels import _native

    arguments = {
        "levels": torch.zeros(2, 9, 10, dtype=torch.uint8),
        "reference": torch.zeros(1, 2, 81, dtype=torch.uint8),
        "scores": torch.empty(9, 10),
        "levels_count": 16,
        "patch_size": 9,
        "window_stride": 2,
        "band_width": 0,
        "first_column": 0,
        "path": "portable",
        "threads": 1,
    }
    with pytest.raises(ValueError, match=text):
        _native.score_fast(**(arguments | change))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"path": "sse9"}, "path must be one that this CPU has, got sse9"),
        ({"threads": 0}, "threads must be >= 1, got 0"),
        ({"levels_count": 65}, "levels_count must be 1..64, got 65"),
        ({"stride_rows": 0}, "strides must be >= 1, got 0"),
        ({"ranges": torch.tensor([[0, 3]])}, "ranges must end inside, got 3"),
        ({"ranges": torch.tensor([[-1, 1]])}, "ranges must begin inside and not be empty, got -1"),
        ({"ranges": torch.tensor([[1, 1]])}, "ranges must begin inside and not be empty, got 1"),
        ({"ranges": torch.tensor([[0]])}, r"ranges must be \(bands, 2\), got 1"),
        ({"reference": torch.empty(2, 2, 81, dtype=torch.uint8)}, "must hold every band, got 2"),
        ({"reference": torch.empty(1, 1, 81, dtype=torch.uint8)}, "the channels of the map, got 1"),
        ({"patch_size": 7}, r"reference must have patch_size \*\* 2 ranks, got 81"),
    ],
)
def test_the_medians_refuse_what_they_cannot_hold(
    need_path, change: dict[str, object], text: str
) -> None:
    need_path("portable")
    from kernels import _native

    arguments = {
        "levels": torch.zeros(2, 9, 10, dtype=torch.uint8),
        "ranges": torch.tensor([[0, 2]]),
        "reference": torch.empty(1, 2, 81, dtype=torch.uint8),
        "levels_count": 16,
        "patch_size": 9,
        "stride_rows": 9,
        "stride_columns": 1,
        "path": "portable",
        "threads": 1,
    }
    with pytest.raises(ValueError, match=text):
        _native.median_levels(**(arguments | change))
