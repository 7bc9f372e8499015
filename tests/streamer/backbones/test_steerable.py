"""Steerable filters against the stored ones, and the finite kernels against the whole image."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest
import torch

from streamer.backbones.steerable import (
    ORIENTATIONS,
    RADIUS,
    SteerableTrunk,
    frequency_response,
    steerable_kernels,
    whole_image,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Golden: TypeAlias = Callable[[str], dict[str, torch.Tensor]]


def _error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference, relative to the largest feature."""
    return float((found - expected).abs().max() / expected.abs().max())


_STORED = {4: 1, 43: 8}  # every n-th channel is stored


@pytest.mark.parametrize("orientations", _STORED)
def test_stored_features(golden: Golden, orientations: int) -> None:
    golden = golden(f"fe_steerable_o{orientations}_45x53")
    found = whole_image(golden["image"][0].movedim(0, 2), orientations)
    found = found[..., :: _STORED[orientations]].movedim(2, 0)[None]
    assert found.shape == golden["features"].shape
    assert _error(found, golden["features"].double()) < 1e-4


def _texture(sides: int) -> torch.Tensor:
    """(sides, sides, 3) in 0..1 whose amplitudes fall with the frequency, as nature's do."""
    generator = torch.Generator().manual_seed(0)
    spectrum = torch.fft.fft2(torch.rand(3, sides, sides, generator=generator))
    frequency = torch.fft.fftfreq(sides)
    distance = torch.hypot(frequency[:, None], frequency).clamp(min=1 / sides)
    image = torch.fft.ifft2(spectrum / distance).real
    return ((image - image.min()) / (image.max() - image.min())).movedim(0, 2)


def _rms_error(radius: int) -> float:
    """Of the finite kernels, relative to the answers, far from the borders."""
    image = _texture(96)
    planes = image.movedim(2, 0)[:, None]
    found = torch.nn.functional.conv2d(planes, steerable_kernels(radius)).transpose(0, 1)
    inner = slice(radius, 96 - radius)
    expected = (
        whole_image(image)[inner, inner].movedim(2, 0).view(ORIENTATIONS, 3, *found.shape[2:])
    )
    core = slice(24 - radius, -(24 - radius))
    found, expected = found[..., core, core], expected[..., core, core]
    return float((found - expected).square().mean().sqrt() / expected.square().mean().sqrt())


def test_finite_kernels_answer_like_the_whole_image() -> None:
    errors = [_rms_error(radius) for radius in (6, RADIUS, 16)]
    assert errors == sorted(errors, reverse=True)
    assert errors[1] < 0.08


def test_channels_stand_in_the_published_order() -> None:
    pixels = _texture(64).movedim(2, 0)[None]
    found = SteerableTrunk()(pixels)[0, :, 20:44, 20:44].flatten(1)
    expected = whole_image(pixels[0].movedim(0, 2))[20:44, 20:44].movedim(2, 0).flatten(1).float()
    similarity = torch.nn.functional.cosine_similarity(found, expected)
    assert float(similarity.min()) > 0.98


def test_plain_colour_answers_nothing() -> None:
    features = SteerableTrunk()(torch.full((1, 3, 30, 30), 0.8))
    assert float(features.abs().max()) < 1e-6


@pytest.mark.parametrize("band", [0, 11, 21, 32])
def test_a_wave_answers_in_its_orientation(band: int) -> None:
    angle = torch.tensor(torch.pi * band / ORIENTATIONS)
    axis = torch.arange(64.0)
    phase = torch.sin(angle) * axis[:, None] + torch.cos(angle) * axis
    wave = 0.5 + 0.5 * torch.sin(torch.pi * 0.7 * phase)
    features = SteerableTrunk()(wave.expand(1, 3, 64, 64))[0, ::3, 16:48, 16:48]
    assert int(features.square().mean(dim=(1, 2)).argmax()) == band


def _gain(orientations: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(64, 64) distances from frequency 0, Nyquist = 1, and squared gains of all filters there.

    A real wave has each frequency and its opposite.
    """
    gains = frequency_response((64, 64), orientations).abs().square().sum(dim=0)
    frequency = 2 * torch.fft.fftfreq(64, dtype=torch.float64)
    return torch.hypot(frequency[:, None], frequency), gains + gains.flip(0, 1).roll((1, 1), (0, 1))


@pytest.mark.parametrize("orientations", [4, ORIENTATIONS])
def test_only_the_octave_below_the_finest_frequency_passes(orientations: int) -> None:
    distance, gain = _gain(orientations)
    passing = (distance > 0.5 + 1e-9) & (distance < 1 - 1e-9)
    assert float(gain[~passing].max()) < 1e-9
    assert float(gain[passing].min()) > 1e-6


@pytest.mark.parametrize("orientations", [4, ORIENTATIONS])
def test_no_orientation_is_preferred(orientations: int) -> None:
    """The squared lobes add up to the same on the whole circle: that makes filters steerable."""
    distance, gain = _gain(orientations)
    passing = (distance > 0.5 + 1e-9) & (distance < 1 - 1e-9)
    band = ((distance[passing].log2() + 1) * torch.pi).sin().square()
    ratio = gain[passing] / band
    torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio))


def test_geometry() -> None:
    trunk = SteerableTrunk()
    assert (trunk.channels, trunk.field.stride, trunk.field.radius) == (129, 1, RADIUS)
