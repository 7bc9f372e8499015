"""The calls that the kernel benchmark times: each valid, each measured."""

from __future__ import annotations

import os

import kernel_cases
import pytest
import torch
from kernel_cases import Case, choose_path, feature_map, least_ms, prepare, sort_based_ms

from kernels import fca_score
from kernels.compiled import PATH_VARIABLE, REFERENCE

SHAPE = (3, 12, 17)


@pytest.fixture(autouse=True)
def _any_path(monkeypatch):
    """The path that a test chooses is forgotten after it."""
    monkeypatch.setenv(PATH_VARIABLE, "")
    choose_path("")


@pytest.mark.parametrize("kernel", ["u8", "exact", "fast"])
@pytest.mark.parametrize("banded", [False, True])
def test_a_scoring_case_is_a_valid_call(kernel: str, banded: bool) -> None:
    scores = prepare(Case(kernel, SHAPE, banded=banded))()
    assert scores.shape == SHAPE[1:]
    assert bool((scores > 0).all())


@pytest.mark.parametrize(("banded", "shape"), [(False, (3, 81)), (True, (3, 3, 81))])
def test_a_median_case_is_a_valid_call(banded: bool, shape) -> None:
    assert prepare(Case("median", SHAPE, banded=banded))().shape == shape


def test_levels_of_a_reference_are_those_of_the_map() -> None:
    for levels in (8, 16):
        assert int(kernel_cases.level_map((8, 32, 32), levels).max()) == levels - 1
        assert prepare(Case("fast", SHAPE, levels=levels, stride=2))().shape == SHAPE[1:]


def test_several_references_take_the_best_of_them() -> None:
    one, four = (prepare(Case("exact", SHAPE, references=count))() for count in (1, 4))
    assert one.shape == four.shape
    assert not torch.equal(one, four)


def test_ties_reach_the_operator() -> None:
    first, mid = (
        prepare(Case("u8", SHAPE, ties=ties, rectified=True))() for ties in ("first", "mid")
    )
    assert not torch.equal(first, mid)
    features = feature_map(SHAPE, True)
    expected = kernel_cases._references(3, None, None)
    assert torch.equal(mid, fca_score(features, expected, 9, ties="mid", precision="u8"))


def test_rectified_features_hold_the_zeros_they_are_named_for() -> None:
    features = feature_map((8, 64, 64), True)
    assert float((features == 0).float().mean()) == pytest.approx(0.71, abs=0.01)
    assert 0.99 < float(features.max()) <= 1.0
    assert float((feature_map((8, 64, 64), False) == 0).float().mean()) < 0.001


def test_an_unknown_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel must be one of u8, exact, fast, median, got 'x'"):
        Case("x", SHAPE)


def test_every_case_is_timed_once_on_its_path(monkeypatch) -> None:
    taken: list[str | None] = []
    monkeypatch.setattr(
        kernel_cases,
        "prepare",
        lambda case: lambda: taken.append(os.environ.get(PATH_VARIABLE)),
    )
    cases = [Case("u8", SHAPE), Case("u8", SHAPE, path=REFERENCE), Case("u8", SHAPE)]
    spans = least_ms(cases, 3)
    assert list(spans) == cases[:2]
    assert all(0 <= ms < 1e3 for ms in spans.values())
    assert taken == [None, REFERENCE] * 4  # Once to warm up; in turns.


def test_the_least_time_is_taken(monkeypatch) -> None:
    seconds = iter([0.0, 9.0, 10.0, 10.5, 20.0, 20.25, 30.0, 31.0])
    monkeypatch.setattr(kernel_cases, "prepare", lambda case: lambda: None)
    monkeypatch.setattr(kernel_cases.time, "thread_time", lambda: next(seconds))
    case = Case("u8", SHAPE)
    assert least_ms([case], 3) == {case: pytest.approx(250.0)}


def test_the_gain_is_that_of_two_threads(monkeypatch) -> None:
    before = torch.get_num_threads()
    clock = [0.0]

    def call() -> None:
        clock[0] += 1.0 / torch.get_num_threads() ** 0.5

    monkeypatch.setattr(kernel_cases, "prepare", lambda case: call)
    monkeypatch.setattr(kernel_cases.time, "perf_counter", lambda: clock[0])
    gain = kernel_cases.two_thread_gain(Case("u8", SHAPE), 2)
    assert gain == pytest.approx(2**0.5)
    assert torch.get_num_threads() == before


def test_sorting_is_multiplied_up_to_all_channels(monkeypatch) -> None:
    monkeypatch.setattr(kernel_cases, "spent_ms", lambda call, clock: 3.0)
    assert sort_based_ms((512, 12, 12)) == 3.0 * 512 / kernel_cases.SORTED_CHANNELS


def test_sorting_gives_the_errors_of_the_published_form() -> None:
    features = torch.rand(2, 12, 12)
    reference = torch.rand(2, 81).sort(dim=-1).values
    errors = kernel_cases.sort_windows(features, reference)
    window = features[:, 1:10, 2:11].flatten(1)
    ranks = window.argsort(dim=-1).argsort(dim=-1)
    expected = (window - reference.gather(1, ranks)).abs().mean(0)
    torch.testing.assert_close(errors[5, 6], expected)
