import numpy as np
import pytest
import torch

from streamer.scoring.checks import check_map, check_maps, check_reference, finite_scores

FLOATS = torch.zeros(3, 7, 8)


def test_a_map_of_a_window_or_more_passes() -> None:
    check_map(FLOATS, 7, torch.float32)
    check_map(FLOATS.to(torch.uint8), 3, torch.uint8)


@pytest.mark.parametrize(
    ("quantised", "text"),
    [
        (FLOATS[0], r"quantised must be \(C, H, W\) with a channel or more, got \(7, 8\)"),
        (FLOATS[:0], r"quantised must be \(C, H, W\) with a channel or more, got \(0, 7, 8\)"),
        (FLOATS[:, :4], r"quantised must be at least 5 x 5 \(patch_size\), got \(4, 8\)"),
        (FLOATS.double(), r"quantised must be torch.float32, got torch.float64"),
    ],
)
def test_other_maps_are_refused(quantised, text) -> None:
    with pytest.raises(ValueError, match=text):
        check_map(quantised, 5, torch.float32)


def test_a_reference_may_have_any_number_where_none_is_said() -> None:
    check_reference(torch.zeros(4, 3), (None, 3))
    check_reference(torch.zeros(1, 3), (None, 3))
    check_reference(torch.zeros(3, dtype=torch.uint8), (3,), torch.uint8)


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (torch.zeros(0, 3), r"reference must be of shape \(any, 3\), got \(0, 3\)"),
        (torch.zeros(4, 2), r"reference must be of shape \(any, 3\), got \(4, 2\)"),
        (torch.zeros(3), r"reference must be of shape \(any, 3\), got \(3,\)"),
        (torch.zeros(4, 3).half(), r"reference must be torch.float32, got torch.float16"),
    ],
)
def test_other_references_are_refused(reference, text) -> None:
    with pytest.raises(ValueError, match=text):
        check_reference(reference, (None, 3))


def test_there_must_be_something_to_learn_from() -> None:
    check_maps([FLOATS])
    with pytest.raises(ValueError, match=r"maps must hold one map or more, got \[\]"):
        check_maps([])


def test_finite_scores_are_an_array_and_others_an_error() -> None:
    scores = finite_scores(torch.tensor([[1.0, 2.0]]))
    assert (scores.tolist(), scores.dtype) == ([[1.0, 2.0]], np.float32)
    for value in (torch.nan, torch.inf):
        with pytest.raises(RuntimeError, match="scores must be finite, got NaN or infinity"):
            finite_scores(torch.tensor([[value]]))
