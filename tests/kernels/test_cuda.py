"""The same kernels on a CUDA device: skipped without one, failing with REQUIRE_CUDA=1."""

import os

import pytest
import torch

import kernels

pytestmark = pytest.mark.cuda


@pytest.fixture(autouse=True)
def _device():
    if torch.cuda.is_available():
        return
    if os.environ.get("REQUIRE_CUDA") == "1":
        pytest.fail("REQUIRE_CUDA=1 but torch sees no CUDA device")
    pytest.skip("no CUDA device")


def features(channels=24, rows=40, columns=56):
    generator = torch.Generator().manual_seed(3)
    return torch.rand((channels, rows, columns), generator=generator).relu()


@pytest.mark.parametrize("ties", ["first", "mid", "mean"])
@pytest.mark.parametrize("precision", ["exact", "u8"])
def test_fca_score_is_that_of_the_cpu(ties, precision):
    on_cpu = features()
    reference = kernels.median_reference(on_cpu, 9)
    expected = kernels.fca_score(on_cpu, reference, ties=ties, precision=precision)
    found = kernels.fca_score(on_cpu.cuda(), reference.cuda(), ties=ties, precision=precision)
    assert found.is_cuda
    assert (found.cpu() - expected).abs().max() <= 1e-5 * expected.max()


@pytest.mark.parametrize("window_stride", [1, 2, 3])
def test_fca_score_fast_is_that_of_the_cpu(window_stride):
    levels = (features() * 15 + 0.5).to(torch.uint8)
    reference = kernels.median_reference(levels, 9)
    expected = kernels.fca_score_fast(levels, reference, window_stride=window_stride)
    found = kernels.fca_score_fast(levels.cuda(), reference.cuda(), window_stride=window_stride)
    assert (found.cpu() - expected).abs().max() <= 1e-6 * expected.max()


def test_references_and_ranges_are_exact():
    on_cpu = features()
    assert torch.equal(kernels.channel_range(on_cpu.cuda()).cpu(), kernels.channel_range(on_cpu))
    for stride in (9, 3):
        expected = kernels.median_reference(on_cpu, 9, stride)
        assert torch.equal(kernels.median_reference(on_cpu.cuda(), 9, stride).cpu(), expected)


def test_level_maps_of_a_device_are_streamed_as_those_of_the_cpu():
    levels = (features() * 15 + 0.5).to(torch.uint8)
    keep = features()[0] < 0.99
    memory = kernels.MedianMemory(24, 56, 40, 20, band_width=8)
    expected, found = kernels.MedianAccumulator(memory), kernels.MedianAccumulator(memory)
    expected.push(levels, 0, keep)
    found.push(levels.cuda(), 0, keep.cuda())
    assert found.to_bytes() == expected.to_bytes()
