"""Quantized FCA against a plain loop that moves one histogram to another bin by bin."""

import math

import numpy as np
import pytest
import torch

import kernels
from streamer.config import Scoring
from streamer.scoring import quantized_fca
from streamer.scoring.features import ChannelScale
from streamer.scoring.quantized_fca import QuantizedFca


def mirror(index, size):
    index = abs(index)
    return 2 * (size - 1) - index if index >= size else index


def histogram(levels, centre, side, count):
    """How often each level lies in the window of a channel (H, W)."""
    radius = side // 2
    height, width = levels.shape
    bins = [0] * count
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            y, x = mirror(centre[0] + dy, height), mirror(centre[1] + dx, width)
            bins[levels[y, x]] += 1
    return bins


def median_histogram(levels, side, count):
    """Differences of the median cumulative histogram of the non-overlapping windows."""
    height, width = levels.shape
    radius = side // 2
    cumulated = [
        np.cumsum(histogram(levels, (y + radius, x + radius), side, count))
        for y in range(0, height - side + 1, side)
        for x in range(0, width - side + 1, side)
    ]
    ordered = np.sort(cumulated, axis=0)
    # The lower median of the values at a rank is where the upper median of the counts gets there.
    middle = ordered[len(ordered) - 1 - (len(ordered) - 1) // 2]
    return np.diff(middle, prepend=0).tolist()


def transport(source, target):
    """Mean distance that the mass of each bin moves, filling the target from the left."""
    left, at, costs = list(target), 0, []
    for level, mass in enumerate(source):
        moved, cost = mass, 0
        while moved:
            while not left[at]:
                at += 1
            step = min(moved, left[at])
            cost += step * abs(level - at)
            left[at] -= step
            moved -= step
        costs.append(cost / mass if mass else 0.0)
    return costs


def gaussian_taps(count, sigma):
    taps = [math.exp(-((i - count // 2) ** 2) / (2 * sigma**2)) for i in range(count)]
    return [tap / sum(taps) for tap in taps]


def plain_map(scaled, how):
    levels = np.floor(scaled * (how.levels - 1) + 0.5).astype(int)
    channels, height, width = levels.shape
    radius, taps = how.patch_size // 2, gaussian_taps(how.patch_size, how.sigma_p)
    scores = np.zeros((height, width))
    for one in levels:
        target = median_histogram(one, how.patch_size, how.levels)
        for cy in range(height):
            for cx in range(width):
                source = histogram(one, (cy, cx), how.patch_size, how.levels)
                costs = transport(source, target)
                for y in range(max(0, cy - radius), min(height, cy + radius + 1)):
                    for x in range(max(0, cx - radius), min(width, cx + radius + 1)):
                        weight = taps[y - cy + radius] * taps[x - cx + radius]
                        scores[y, x] += weight * costs[one[y, x]]
    return blurred(scores / (channels * (how.levels - 1)), how.sigma_blur)


def blurred(scores, sigma):
    height, width = scores.shape
    taps, result = gaussian_taps(5, sigma), np.zeros_like(scores)
    for y in range(height):
        for x in range(width):
            for dy in range(-2, 3):
                for dx in range(-2, 3):
                    value = scores[mirror(y + dy, height), mirror(x + dx, width)]
                    result[y, x] += taps[dy + 2] * taps[dx + 2] * value
    return result


def random_features(seed, shape, zeros=0.5):
    generator = np.random.default_rng(seed)
    values = generator.random(shape).astype(np.float32)
    return np.where(generator.random(shape) < zeros, np.float32(0), values)


def score(how, shares):
    levels = quantised(how, shares)
    return how.score(levels, how.reference([levels]))


def quantised(how, shares):
    channels = len(shares)
    return how.quantise(shares, ChannelScale(torch.zeros(channels), torch.ones(channels)))


@pytest.mark.parametrize(
    ("shape", "how"),
    [
        ((2, 12, 10), QuantizedFca(3, 8, 1.5)),
        ((1, 11, 17), QuantizedFca(5, 16, 3.0)),
        ((1, 20, 19), QuantizedFca(9, 4, 3.0)),
    ],
)
def test_it_is_the_plain_loop(shape, how):
    shares = random_features(7, shape)
    found = score(how, torch.from_numpy(shares))
    expected = plain_map(shares, how)
    assert found.shape == shape[1:]
    assert np.abs(found - expected).max() <= 1e-5 * expected.max()


def test_chunks_of_channels_add_up(monkeypatch):
    shares = torch.from_numpy(random_features(1, (7, 12, 12)))
    whole = score(QuantizedFca(5, 8), shares)
    monkeypatch.setattr(quantized_fca, "_CHUNK", 1)
    assert np.allclose(whole, score(QuantizedFca(5, 8), shares), atol=1e-6)


def test_without_blur_and_weights_it_is_the_exact_form_on_levels_that_shares_ties():
    """The transport of equal values is the error averaged over their ranks."""
    shares = torch.from_numpy(random_features(2, (6, 24, 24)))
    how = QuantizedFca(9, 16, 3.0, sigma_blur=1e-3)  # so narrow that nothing is blurred
    levels = quantised(how, shares).to(torch.float32) / 15
    reference = kernels.median_reference(levels, 9)
    exact = kernels.fca_score(levels, reference, 9, 3.0, None, "mean")
    assert np.allclose(score(how, shares), exact, atol=1e-5)


def test_a_constant_map_is_normal():
    assert np.abs(score(QuantizedFca(), torch.full((3, 20, 20), 0.4))).max() == 0


def test_levels_round_half_up():
    shares = torch.tensor([[[0.0, 0.5 / 15, 0.49 / 15, 1.0]]])
    assert quantised(QuantizedFca(), shares).flatten().tolist() == [0, 1, 0, 15]


def test_as_configured():
    chosen = Scoring(method="quantized_fca", patch_size=7, levels=8, sigma_p=2.0, sigma_blur=1.5)
    assert QuantizedFca.of(chosen) == QuantizedFca(7, 8, 2.0, 1.5)
    assert QuantizedFca.of(chosen).parameters == {
        "patch_size": 7, "levels": 8, "sigma_p": 2.0, "sigma_blur": 1.5,
    }  # fmt: skip
