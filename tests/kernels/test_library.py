from __future__ import annotations

import pytest
import torch

import kernels
from kernels import compiled, library

INF = float("inf")


def samples(make_map, make_levels, make_reference) -> dict[str, list[tuple]]:
    features, levels = make_map((2, 9, 8)), make_levels((2, 9, 8), 16)
    one, bands = make_reference((1, 2, 2, 9)), make_reference((3, 1, 2, 9))
    fca = [
        (features, one, 3, 3.0, 1.0, "mid", "exact", 1, None, 0),
        (features, bands, 3, INF, None, "mean", "u8", 2, 4, 1),
    ]
    return {
        "channel_range": [(features,)],
        "median_reference": [(features, 3, 3, None, 0), (levels, 3, 1, 3, 4)],
        "fca_score": fca,
        "fca_score_batch": [
            (torch.stack([f, f]), torch.stack([r, r]), *rest) for f, r, *rest in fca
        ],
        "fca_score_fast": [
            (levels, make_reference((1, 2, 9), 16), 16, 3, 2, 1.0, None, 0),
            (levels, make_reference((3, 2, 9), 16), 16, 3, 1, None, 4, 0),
        ],
    }


@pytest.mark.parametrize(
    "name", ["channel_range", "median_reference", "fca_score", "fca_score_batch", "fca_score_fast"]
)
def test_operators_keep_their_schema(name: str, make_map, make_levels, make_reference) -> None:
    operator = getattr(torch.ops.linescan, name).default
    for arguments in samples(make_map, make_levels, make_reference)[name]:
        results = torch.library.opcheck(operator, arguments)
        assert set(results.values()) == {"SUCCESS"}


def test_shapes_are_known_without_running(make_map, make_levels, make_reference) -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    for name, calls in samples(make_map, make_levels, make_reference).items():
        operator = getattr(torch.ops.linescan, name)
        for arguments in calls:
            real = operator(*arguments)
            with FakeTensorMode() as mode:
                tensors = [
                    mode.from_tensor(a) if isinstance(a, torch.Tensor) else a for a in arguments
                ]
                fake = operator(*tensors)
            assert (fake.shape, fake.dtype) == (real.shape, real.dtype)


class Ran(Exception):
    pass


@pytest.mark.skipif(not compiled.usable_paths(), reason="no compiled kernel is built")
@pytest.mark.parametrize(
    ("function", "call"),
    [
        ("score_ranks", lambda f, r: kernels.fca_score(f, r)),
        ("score_ranks", lambda f, r: kernels.fca_score(f, r, precision="u8")),
        ("score_ranks", lambda f, r: kernels.fca_score_batch(f[None], r)),
        ("score_levels", lambda f, r: kernels.fca_score_fast(f.byte(), r.byte())),
        ("blur_map", lambda f, r: kernels.fca_score_fast(f.byte(), r.byte())),
        ("median_levels", lambda f, r: kernels.median_reference(f.byte(), 9)),
        ("median_floats", lambda f, r: kernels.median_reference(f, 9, 1)),
    ],
)
def test_the_operators_run_what_is_compiled(monkeypatch, function: str, call) -> None:
    """Their results alone would not show it: torch computes the same."""

    def ran(*_: object) -> None:
        raise Ran

    monkeypatch.delenv(compiled.PATH_VARIABLE, raising=False)
    monkeypatch.setattr(compiled, function, ran)
    features, reference = torch.rand(2, 60, 60), torch.zeros(2, 81)
    with pytest.raises(Ran):
        call(features, reference)
    monkeypatch.setenv(compiled.PATH_VARIABLE, compiled.REFERENCE)
    assert call(features, reference).isfinite().all()


def test_public_functions_are_the_operators(make_map, make_reference) -> None:
    features, reference = make_map((2, 9, 8)), make_reference((2, 9))
    direct = torch.ops.linescan.fca_score(
        features, reference[None, None], 3, 3.0, 1.0, "mid", "exact", 1, None, 0
    )
    assert torch.equal(kernels.fca_score(features, reference, 3), direct)


def test_bytes_are_rounded_half_up_and_clipped() -> None:
    values = torch.tensor([-1.0, 0.0, 0.5 / 255, 0.49 / 255, 1.0, 2.0]).view(-1, 1)
    assert library._to_u8(values).flatten().tolist() == [0, 0, 1, 0, 255, 255]
