"""The kernels on a CUDA device (skipped without one, failing with REQUIRE_CUDA=1), and the choice.

The tests of the choice between kernels and torch need no device.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
import warnings
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

import kernels
from kernels import cuda, cuda_code
from kernels.cuda_launch import Launch, Variant

INF = math.inf
on_device = pytest.mark.cuda


@pytest.fixture
def _device() -> None:
    if not torch.cuda.is_available():
        if os.environ.get("REQUIRE_CUDA") == "1":
            pytest.fail("REQUIRE_CUDA=1 but torch sees no CUDA device")
        pytest.skip("no CUDA device")
    if os.environ.get("REQUIRE_CUDA") == "1":
        assert kernels.load_cuda().loaded, kernels.load_cuda().reason


def features(channels: int = 24, rows: int = 40, columns: int = 56, seed: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((channels, rows, columns), generator=generator).clamp(0, 1)


def assert_near(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert found.is_cuda
    assert (found.cpu() - expected).abs().max() <= 1e-5 * expected.max()


@on_device
@pytest.mark.usefixtures("_device")
@pytest.mark.parametrize("ties", ["first", "mid", "mean"])
@pytest.mark.parametrize("precision", ["exact", "u8"])
@pytest.mark.parametrize("window_stride", [1, 2, 3, 4])
@pytest.mark.parametrize("patch_size", [5, 9, 11])
def test_fca_score_is_that_of_the_cpu(ties, precision, window_stride, patch_size) -> None:
    on_cpu = features()
    reference = kernels.median_reference(on_cpu, patch_size)
    options = {"ties": ties, "precision": precision, "window_stride": window_stride}
    expected = kernels.fca_score(on_cpu, reference, patch_size, **options)
    found = kernels.fca_score(on_cpu.cuda(), reference.cuda(), patch_size, **options)
    assert_near(found, expected)
    again = kernels.fca_score(on_cpu.cuda(), reference.cuda(), patch_size, **options)
    assert torch.equal(found, again)


@on_device
@pytest.mark.usefixtures("_device")
@pytest.mark.parametrize(("sigma_p", "sigma_s"), [(3.0, None), (INF, 1.0), (INF, None)])
@pytest.mark.parametrize(("band_width", "first_column"), [(None, 0), (8, 3), (1, 0)])
def test_references_bands_and_weights_are_those_of_the_cpu(
    make_reference, sigma_p, sigma_s, band_width, first_column
) -> None:
    on_cpu = features(columns=71)
    bands = () if band_width is None else ((first_column + 70) // band_width + 1,)
    reference = make_reference((*bands, 3, 24, 81))
    options = {
        "sigma_p": sigma_p,
        "sigma_s": sigma_s,
        "band_width": band_width,
        "first_column": first_column,
    }
    expected = kernels.fca_score(on_cpu, reference, **options)
    assert_near(kernels.fca_score(on_cpu.cuda(), reference.cuda(), **options), expected)


@on_device
@pytest.mark.usefixtures("_device")
def test_a_batch_has_the_bits_of_its_items() -> None:
    batch = torch.stack([features(seed=seed) for seed in range(3)]).cuda()
    reference = torch.stack([kernels.median_reference(one, 9) for one in batch])
    together = kernels.fca_score_batch(batch, reference)
    apart = [kernels.fca_score(*item) for item in zip(batch, reference, strict=True)]
    assert torch.equal(together, torch.stack(apart))


@on_device
@pytest.mark.usefixtures("_device")
@pytest.mark.parametrize("window_stride", [1, 2, 3, 4])
@pytest.mark.parametrize("levels_count", [4, 16, 32])
@pytest.mark.parametrize("band_width", [None, 8])
def test_fca_score_fast_has_the_bits_of_the_cpu(window_stride, levels_count, band_width) -> None:
    levels = (features() * (levels_count - 1) + 0.5).to(torch.uint8)
    reference = kernels.median_reference(levels, 9, band_width=band_width)
    options = {
        "levels_count": levels_count,
        "window_stride": window_stride,
        "band_width": band_width,
    }
    for sigma_blur in (None, 1.0):
        options["sigma_blur"] = sigma_blur
        expected = kernels.fca_score_fast(levels, reference, **options)
        found = kernels.fca_score_fast(levels.cuda(), reference.cuda(), **options)
        assert torch.equal(found.cpu(), expected)


@on_device
@pytest.mark.usefixtures("_device")
def test_references_and_ranges_are_exact() -> None:
    on_cpu = features()
    assert torch.equal(kernels.channel_range(on_cpu.cuda()).cpu(), kernels.channel_range(on_cpu))
    for stride in (9, 3):
        expected = kernels.median_reference(on_cpu, 9, stride)
        assert torch.equal(kernels.median_reference(on_cpu.cuda(), 9, stride).cpu(), expected)


@on_device
@pytest.mark.usefixtures("_device")
def test_level_maps_of_a_device_are_streamed_as_those_of_the_cpu() -> None:
    levels = (features() * 15 + 0.5).to(torch.uint8)
    keep = features()[0] < 0.99
    memory = kernels.MedianMemory(24, 56, 40, 20, band_width=8)
    expected, found = kernels.MedianAccumulator(memory), kernels.MedianAccumulator(memory)
    expected.push(levels, 0, keep)
    found.push(levels.cuda(), 0, keep.cuda())
    assert found.to_bytes() == expected.to_bytes()


@on_device
@pytest.mark.usefixtures("_device")
def test_another_stream_is_followed() -> None:
    on_cpu, stream = features(), torch.cuda.Stream()
    reference = kernels.median_reference(on_cpu, 9)
    with torch.cuda.stream(stream):
        found = kernels.fca_score(on_cpu.cuda(), reference.cuda())
    stream.synchronize()
    assert_near(found, kernels.fca_score(on_cpu, reference))


def recorded(call, argument: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """What a CUDA graph of `call` gives when its argument has changed since the recording."""
    call(argument)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = call(argument)
    argument.copy_(new)
    graph.replay()
    torch.cuda.synchronize()
    return result


@on_device
@pytest.mark.usefixtures("_device")
@pytest.mark.parametrize("ties", ["mid", "mean"])
def test_a_graph_records_the_operators(ties) -> None:
    first, second = features(seed=1).cuda(), features(seed=2).cuda()
    reference = kernels.median_reference(first, 9)
    options = (9, 3.0, 1.0, ties, "exact", 2, None, 0)

    def score(maps: torch.Tensor) -> torch.Tensor:
        return torch.ops.linescan.fca_score(maps, reference[None, None], *options)

    assert torch.equal(recorded(score, first.clone(), second), score(second))
    levels = [(one * 15).to(torch.uint8) for one in (first, second)]
    level_reference = kernels.median_reference(levels[0], 9)[None]

    def score_fast(maps: torch.Tensor) -> torch.Tensor:
        options = (16, 9, 2, 1.0, None, 0)
        return torch.ops.linescan.fca_score_fast(maps, level_reference, *options)

    assert torch.equal(recorded(score_fast, levels[0].clone(), levels[1]), score_fast(levels[1]))


@on_device
@pytest.mark.usefixtures("_device")
def test_the_reference_can_be_asked_for(monkeypatch) -> None:
    assert kernels.backends()["fca_score"]["cuda"] == "cuda"
    monkeypatch.setenv("LINESCAN_KERNEL", "reference")
    assert kernels.backends()["fca_score"]["cuda"] == "reference"
    on_cpu = features()
    reference = kernels.median_reference(on_cpu, 9)
    assert_near(
        kernels.fca_score(on_cpu.cuda(), reference.cuda()), kernels.fca_score(on_cpu, reference)
    )


@on_device
@pytest.mark.usefixtures("_device")
def test_larger_windows_run_on_torch_with_a_warning() -> None:
    on_cpu = features(channels=2, rows=20, columns=20)
    reference = kernels.median_reference(on_cpu, 13)
    cuda._warn.cache_clear()
    with pytest.warns(RuntimeWarning, match="patch_size is above 11"):
        found = kernels.fca_score(on_cpu.cuda(), reference.cuda(), 13)
    assert_near(found, kernels.fca_score(on_cpu, reference, 13))


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """A device that torch claims to see; nothing may run on it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (9, 0))
    monkeypatch.delenv("LINESCAN_KERNEL", raising=False)
    results = (cuda._fault, cuda._code, cuda._program, cuda._kernel, cuda._warn)
    for cached in results:
        cached.cache_clear()
    yield torch.device("cuda")
    for cached in results:
        cached.cache_clear()


def test_without_a_device_the_report_says_so(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    report = kernels.load_cuda()
    assert (report.loaded, report.reason) == (False, "torch sees no CUDA device")
    assert set(kernels.backends()["fca_score"]) == {"cpu"}


def test_a_missing_package_is_the_reason_and_warned_of_once(device, monkeypatch) -> None:
    monkeypatch.setattr(cuda_code, "missing_package", lambda: "no package")
    assert kernels.load_cuda().reason == "no package"
    assert kernels.backends()["fca_score_fast"]["cuda"] == "reference"
    with pytest.warns(RuntimeWarning, match="no package: the slow torch reference runs instead"):
        assert not cuda.runs(Variant(9), device)
    with warnings.catch_warnings(record=True) as later:
        assert not cuda.runs(Variant(7, "mid"), device)
    assert later == []


@pytest.mark.parametrize("fault", [RuntimeError("no driver"), FileNotFoundError("no source")])
def test_whatever_fails_on_the_way_is_the_reason(device, monkeypatch, fault) -> None:
    def fail(*_: object) -> str | None:
        raise fault

    monkeypatch.setattr(cuda_code, "missing_package", lambda: None)
    monkeypatch.setattr(cuda, "_outdated_driver", lambda: None)
    monkeypatch.setattr(cuda, "_code", fail)
    assert kernels.load_cuda().reason == str(fault)
    monkeypatch.setattr(cuda, "_outdated_driver", fail)
    cuda._fault.cache_clear()
    assert kernels.load_cuda().reason == str(fault)


def test_an_old_driver_is_the_reason(device, monkeypatch) -> None:
    monkeypatch.setattr(cuda_code, "missing_package", lambda: None)
    text = "the driver supports CUDA 12.4, NVRTC is 13.5"
    monkeypatch.setattr(cuda, "_outdated_driver", lambda: text)
    assert kernels.load_cuda().reason == text


def test_a_kernel_that_loads_is_reported_with_its_cache(device, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(cuda_code, "missing_package", lambda: None)
    monkeypatch.setattr(cuda, "_outdated_driver", lambda: None)
    monkeypatch.setattr(cuda, "_code", lambda *_: b"code")
    monkeypatch.setattr(cuda, "_load_fault", lambda code: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    report = kernels.load_cuda()
    assert report.loaded
    assert report.path == str(tmp_path / "linescan" / "kernels")
    assert report.reason == "compiled for sm_90"
    running = kernels.backends()
    for operator, devices in running.items():
        assert devices["cuda"] == ("cuda" if operator in cuda.OPERATORS else "reference")


def test_the_environment_asks_for_torch(device, monkeypatch) -> None:
    monkeypatch.setattr(cuda, "_fault", lambda *_: None)
    assert cuda.runs(Variant(9), device)
    monkeypatch.setenv("LINESCAN_KERNEL", "reference")
    assert not cuda.runs(Variant(9), device)
    assert kernels.load_cuda().reason == "LINESCAN_KERNEL=reference asks for torch"


def test_large_windows_are_left_to_torch(device, monkeypatch) -> None:
    monkeypatch.setattr(cuda, "_fault", lambda *_: None)
    with pytest.warns(RuntimeWarning, match="patch_size is above 11"):
        assert not cuda.runs(Variant(13), device)


def test_numbers_go_to_a_kernel_as_32_bits() -> None:
    tensor = torch.zeros(3)
    launch = Launch("kernel", (1, 1, 1), 32, (tensor, 7, 0.5))
    address, integer, real = cuda.kernel_arguments(launch)
    assert address == tensor.data_ptr()
    assert (type(integer), integer) == (np.int32, 7)
    assert (type(real), real) == (np.float32, 0.5)
    assert ctypes.sizeof(ctypes.c_int) == integer.nbytes == real.nbytes


class Queue:
    """Stands in for the packages cuda.core and cuda.bindings, and keeps what is launched."""

    LEGACY_DEFAULT_STREAM = "legacy"

    def __init__(self) -> None:
        self.launched: list[tuple[object, ...]] = []
        self.loads = 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core, bindings, driver = (
            ModuleType(name) for name in ("cuda.core", "cuda.bindings", "cuda.bindings.driver")
        )
        core.LEGACY_DEFAULT_STREAM = self.LEGACY_DEFAULT_STREAM
        core.Stream = SimpleNamespace(from_handle=lambda handle: f"stream {handle}")
        core.LaunchConfig = lambda **options: options
        core.launch = lambda *arguments: self.launched.append(arguments)
        core.ObjectCode = SimpleNamespace(from_cubin=self.load)
        driver.cuLibraryLoadData = lambda code, *_: (0 if code == b"good" else 209, "library")
        driver.cuLibraryUnload = lambda library: None
        driver.cuDriverGetVersion = lambda: (0, 12040)
        bindings.driver = driver
        for module in (ModuleType("cuda"), core, bindings, driver):
            monkeypatch.setitem(sys.modules, module.__name__, module)

    def load(self, code: bytes) -> SimpleNamespace:
        self.loads += 1
        return SimpleNamespace(get_kernel=lambda name: f"kernel {name}")


@pytest.fixture
def queue(device, monkeypatch) -> Queue:
    monkeypatch.setattr(cuda, "_code", lambda *_: b"good")
    queue = Queue()
    queue.install(monkeypatch)
    return queue


@pytest.mark.parametrize(("handle", "stream"), [(0, "legacy"), (77, "stream 77")])
def test_kernels_are_queued_on_the_stream_of_torch(queue, monkeypatch, handle, stream) -> None:
    current = SimpleNamespace(cuda_stream=handle)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: current)
    launcher = cuda.StreamLauncher()
    launcher.launch(Variant(9), Launch("fca_blur", (4, 2, 1), 128, (5,), 64))
    launcher.launch(Variant(9), Launch("fca_fast", (1, 1, 1), 256, ()))
    config = {"grid": (4, 2, 1), "block": 128, "shmem_size": 64}
    assert queue.launched[0] == (stream, config, "kernel fca_blur", 5)
    assert queue.launched[1][2] == "kernel fca_fast"
    assert queue.loads == 1


def test_code_that_the_driver_refuses_is_the_reason(queue) -> None:
    assert cuda._load_fault(b"good") is None
    assert cuda._load_fault(b"bad") == "the CUDA driver does not load the kernels: 209"


@pytest.mark.parametrize(("compiler", "fits"), [((12, 9), True), ((13, 5), False)])
def test_a_driver_runs_code_of_its_major_version(queue, monkeypatch, compiler, fits) -> None:
    monkeypatch.setattr(cuda_code, "compiler_version", lambda: compiler)
    text = "the driver supports CUDA 12.4, NVRTC is 13.5: update the driver"
    assert cuda._outdated_driver() == (None if fits else text)
