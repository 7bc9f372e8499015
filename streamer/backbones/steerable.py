"""Steerable filters in 43 orientations as features; knows no other feature.

Simoncelli and Freeman, The Steerable Pyramid (ICIP 1995), one level, as Ardelean and Weyrich use
it (WACV 2024): in the Fourier domain of a whole image. There every feature depends on every
pixel, so a web cut into tiles needs the same filters as kernels of finite size.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from streamer.backbones.mirror import Mirror
from streamer.backbones.receptive_field import Window
from streamer.backbones.trunk import Normalisation, Trunk

ORIENTATIONS = 43
# 6 cut off 8 to 20 % (root of the mean square) of the answers to natural textures, 10 cut off 3
# to 8 %, 16 cut off 1 to 6 % at 2.4 times the cost.
RADIUS = 10
_GRID = 256  # frequencies that a kernel is made from; far longer than a kernel


def whole_image(image: torch.Tensor, orientations: int = ORIENTATIONS) -> torch.Tensor:
    """The published form: (h, w, colours) -> (h, w, orientations * colours) float64.

    Orientation by orientation, each with all colours. The borders are joined to each other.
    """
    lines, columns, _ = image.shape
    spectrum = torch.fft.fft2(image.double().movedim(2, 0))
    response = frequency_response((lines, columns), orientations)
    answers: torch.Tensor = torch.fft.ifft2(spectrum * response[:, None]).real
    return answers.flatten(0, 1).movedim(0, 2)


def frequency_response(size: tuple[int, int], orientations: int) -> torch.Tensor:
    """(orientations, h, w) complex: what each filter does to the frequencies of `torch.fft`.

    A band of one octave below the Nyquist frequency, and a lobe cos^(orientations - 1) on one
    side; the real part of the answer is that of the filter on both sides.
    """
    down, across = (2 * torch.fft.fftfreq(count, dtype=torch.float64) for count in size)
    radius = torch.hypot(down[:, None], across)
    # The mean has no orientation and lies far outside of the band.
    octave = (radius.clamp(min=1e-9).log2() + 1).clamp(0, 1)
    band = (octave * math.pi).sin() / 2
    angle = torch.atan2(down[:, None].expand_as(radius), across.expand_as(radius))
    return band * _lobes(angle, orientations) * (-1j) ** (orientations - 1)


def _lobes(angle: torch.Tensor, orientations: int) -> torch.Tensor:
    order = orientations - 1
    log_power = 2 * order * math.log(2) + 2 * math.lgamma(order + 1)
    gain = 2 * math.exp((log_power - math.log(orientations) - math.lgamma(2 * order + 1)) / 2)
    towards = torch.arange(orientations, dtype=torch.float64) * math.pi / orientations
    cosine = torch.cos(angle - towards.view(-1, 1, 1))
    lobes: torch.Tensor = gain * cosine.clamp(min=0) ** order
    return lobes


def steerable_kernels(radius: int = RADIUS, orientations: int = ORIENTATIONS) -> torch.Tensor:
    """(orientations, 1, side, side) float32 with side = 2 radius + 1, to be correlated with.

    Cut off at `radius`, and the mean taken away again that the cut leaves: without that, the
    answers to plain brightness outweigh the error of the cut itself three times.
    """
    response = frequency_response((_GRID, _GRID), orientations)
    whole = torch.fft.fftshift(torch.fft.ifft2(response).real, dim=(1, 2))
    middle = slice(_GRID // 2 - radius, _GRID // 2 + radius + 1)
    # A correlation runs through the kernel the other way round than a convolution.
    kernels = whole[:, middle, middle].flip(1, 2)
    centred: torch.Tensor = kernels - kernels.mean(dim=(1, 2), keepdim=True)
    return centred[:, None].float()


class SteerableTrunk(Trunk):
    """The filters as finite kernels on each colour, borders mirrored, at full resolution."""

    channels = 3 * ORIENTATIONS
    fixed_kernels: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.normalisation = Normalisation([0.0] * 3, [1.0] * 3)
        self.register_buffer("fixed_kernels", steerable_kernels())
        self.mirror = Mirror(RADIUS)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) RGB in 0..1 -> (n, 129, h, w); channel = orientation * 3 + colour."""
        mirrored = self.mirror(pixels)
        colours = [functional.conv2d(mirrored[:, c : c + 1], self.fixed_kernels) for c in range(3)]
        return torch.stack(colours, dim=2).flatten(1, 2)

    def windows(self) -> tuple[Window, ...]:
        """One filter."""
        return (Window(2 * RADIUS + 1, 1, before=RADIUS),)
