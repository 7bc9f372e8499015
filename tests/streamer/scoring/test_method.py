"""What every scoring method keeps, whichever it is: the port, held by all that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kernels
from streamer import config
from streamer.config import Scoring
from streamer.scoring import open_scorer
from streamer.scoring.features import ChannelScale
from streamer.scoring.lesson import Lesson
from streamer.scoring.profile import TextureProfile, learn_profile, require_fit

if TYPE_CHECKING:
    from streamer.scoring.method import Method

NAMES = get_args(config.Method)
SEVERAL = [
    {"method": name, "reference": kind, "references": count}
    for name in ("fca", "fca_fast", "quantized_fca", "sww")
    for kind, count in (("random", 2), ("knn", 3), ("prototypes", 2))
    if kind != "prototypes" or name in ("fca", "sww")
]
CHOICES = [{"method": name} for name in NAMES] + SEVERAL
ALL = pytest.mark.parametrize("choice", CHOICES, ids=lambda one: "-".join(map(str, one.values())))


def opened(choice: dict[str, object], size: int = 5) -> Method:
    return open_scorer(Scoring.model_validate({"patch_size": size, **choice}))


def plain(channels: int) -> ChannelScale:
    return ChannelScale(torch.zeros(channels), torch.ones(channels))


@pytest.mark.parametrize("size", range(3, 26, 2))
@pytest.mark.parametrize("name", NAMES)
def test_capture_keeps_the_halo_that_the_method_needs(name, size) -> None:
    chosen = Scoring(method=name, patch_size=size)
    assert chosen.halo_features == open_scorer(chosen).reach


@pytest.mark.parametrize("name", NAMES)
def test_every_method_has_its_name_and_a_kernel_that_exists(name) -> None:
    method = opened({"method": name})
    assert method.name == name
    assert method.kernel is None or method.kernel in kernels.backends()


@ALL
def test_what_is_learnt_elsewhere_is_scored_alike_however_the_map_is_cut(choice, rectified) -> None:
    """Strips and columns with `reach` features more on each side, against the whole map."""
    method = opened(choice)
    learnt, web = rectified((4, 10, 11), 1), rectified((4, 34, 30), 2)
    web[:, 15:18, 12:16] = 0.9
    reference = method.reference([method.quantise(learnt, plain(4))])
    quantised = method.quantise(web, plain(4))
    whole = method.score(quantised, reference)
    cut = st.tuples(st.integers(1, 16), st.integers(1, 14))

    @settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
    @given(cut)
    def holds(at: tuple[int, int]) -> None:
        # Even places: the windows of fca_fast stand on every second feature.
        row, column = 2 * at[0], 2 * at[1]
        stitched = np.full_like(whole, np.nan)
        for down in ((0, row), (row, 34)):
            for across in ((0, column), (column, 30)):
                place, around, inner = spans(down, across, method.reach, whole.shape)
                piece = quantised[:, around[0], around[1]].contiguous()
                stitched[place] = method.score(piece, reference)[inner]
        np.testing.assert_allclose(stitched, whole, rtol=0, atol=1e-5 * whole.max())

    holds()


def spans(down, across, reach, shape):
    """Place in the map, with its halo, and its place in that; halos are even and hold a window."""
    margin = max(reach + reach % 2, 6)
    starts = [max(first - margin, 0) for first, _ in (down, across)]
    ends = [min(last + margin, size) for (_, last), size in zip((down, across), shape, strict=True)]
    place = tuple(slice(*one) for one in (down, across))
    around = tuple(slice(*one) for one in zip(starts, ends, strict=True))
    pairs = zip((down, across), starts, strict=True)
    return place, around, tuple(slice(a - start, b - start) for (a, b), start in pairs)


@pytest.mark.parametrize("name", NAMES)
def test_a_smaller_halo_than_that_would_show(name, rectified) -> None:
    """`reach` is no larger than it must be, but for FCA, whose blur is that of the fast form."""
    method, slack = opened({"method": name}), {"fca": 2, "aota_original": 2}.get(name, 0)
    web = rectified((4, 40, 40), 3)
    quantised = method.quantise(web, plain(4))
    reference = method.reference([quantised])
    margin = method.reach - slack - 1
    first = 20 - margin
    first += first % 2 if name == "fca_fast" else 0
    whole = method.score(quantised, reference)[20:]
    piece = method.score(quantised[:, first:].contiguous(), reference)[20 - first :]
    assert np.abs(whole - piece).max() > 1e-5 * whole.max()


@ALL
def test_a_flaw_scores_highest(choice, rectified) -> None:
    method = opened(choice)
    web = rectified((6, 40, 44), 4)
    clean = method.quantise(web[:, :15, :15].clone(), plain(6))
    web[:, 18:23, 24:29] = 1.0
    scores = method.score(method.quantise(web, plain(6)), method.reference([clean]))
    row, column = np.unravel_index(scores.argmax(), scores.shape)
    assert (scores.shape, scores.dtype) == ((40, 44), np.float32)
    assert 16 <= row <= 24
    assert 22 <= column <= 30


@ALL
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_constant_web_has_finite_scores_and_is_normal_inside(choice, value) -> None:
    method = opened(choice)
    # Large enough for 400 averages that aota_original's zeros beyond the edges do not reach.
    quantised = method.quantise(torch.full((2, 24, 25), value), plain(2))
    scores = method.score(quantised, method.reference([quantised]))
    assert np.isfinite(scores).all()
    assert np.abs(scores[4:-4, 4:-4]).max() <= 1e-3


@ALL
def test_one_map_more_is_learnt_as_well(choice, rectified) -> None:
    method = opened({**choice, **({"reference_seed": 7} if "random" in choice.values() else {})})
    maps = [method.quantise(rectified((3, 12, 13), seed), plain(3)) for seed in range(3)]
    one, several = method.reference(maps[:1]), method.reference(maps)
    assert one.shape[-2:] == several.shape[-2:] or several.numel() > one.numel()
    assert not (one.shape == several.shape and torch.equal(one, several))


@ALL
def test_map_and_reference_must_fit(choice, rectified) -> None:
    method = opened(choice)
    quantised = method.quantise(rectified((3, 14, 14)), plain(3))
    reference = method.reference([quantised])
    small = quantised[:, :4]
    with pytest.raises(ValueError, match=r"must be .*5 x 5 .*, got .?4"):
        method.score(small, reference)
    with pytest.raises(ValueError, match=r"must be .*, got "):
        method.reference([small])
    with pytest.raises(ValueError, match=r"maps must hold one map or more, got \[\]"):
        method.reference([])
    with pytest.raises(ValueError, match=r"reference must be .*, got .*3"):
        method.score(quantised[:2].contiguous(), reference)
    for wrong in (quantised[0], quantised.to(torch.int32)):
        with pytest.raises(ValueError, match=r"(quantised|features|levels) must be .*, got "):
            method.score(wrong, reference)


@ALL
def test_quantising_in_pieces_is_quantising_the_whole_and_changes_no_feature(choice) -> None:
    method = opened(choice)
    features = 6 * torch.rand(3, 10, 12, generator=torch.Generator().manual_seed(1)) - 0.5
    before, scale = features.clone(), ChannelScale(torch.zeros(3), torch.full((3,), 1 / 6))
    whole = method.quantise(features, scale)
    pieces = [method.quantise(part, scale) for part in features.split(4, dim=2)]
    assert torch.equal(torch.cat(pieces, dim=2), whole)
    assert torch.equal(features, before)


@ALL
def test_a_profile_of_any_method_survives_its_file(choice, backbone, geometry, rectified) -> None:
    chosen = config.Config.model_validate({"scoring": {"patch_size": 5, **choice}})
    lesson = Lesson.of(chosen, geometry, backbone.spec)
    quantised = lesson.method.quantise(rectified((4, 20, 20)), plain(4))
    profile = learn_profile([quantised], plain(4), lesson)
    restored = TextureProfile.from_bytes(profile.to_bytes())
    require_fit(restored, lesson.method, backbone.spec)
    expected = lesson.method.score(quantised, profile.reference)
    np.testing.assert_array_equal(lesson.method.score(quantised, restored.reference), expected)


@ALL
def test_another_window_is_another_parameter(choice) -> None:
    assert opened(choice, 3).parameters != opened(choice, 5).parameters


@pytest.mark.parametrize("choice", SEVERAL, ids=lambda one: "-".join(map(str, one.values())))
def test_what_the_reference_is_counts_as_a_parameter(choice) -> None:
    usual = opened({"method": choice["method"]}).parameters
    assert "reference" not in usual  # profiles from before there was a choice stay valid
    assert dict(opened(choice).parameters).items() > dict(usual).items()


@ALL
@pytest.mark.parametrize("shape", [(1, 3, 3), (1, 3, 8), (2, 5, 3), (40, 4, 4)])
def test_the_smallest_maps_have_finite_scores(choice, shape, rectified) -> None:
    method = opened(choice, 3)
    quantised = method.quantise(rectified(shape), plain(shape[0]))
    scores = method.score(quantised, method.reference([quantised]))
    assert scores.shape == shape[1:]
    assert np.isfinite(scores).all()
    assert scores.min() >= 0
