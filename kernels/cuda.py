"""Runs the device kernels on CUDA tensors, or says why torch runs instead; holds no arithmetic."""

# The first tensor of a kind compiles its kernels (seconds, once per machine: kernels.cuda_code
# keeps them on disk). From then on nothing here waits for the device or reads a tensor, so that a
# CUDA graph can record the operators torch.ops.linescan.*; run each once before the recording. The
# functions of kernels.ops check values first and cannot be recorded.

from __future__ import annotations

import os
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from kernels import cuda_code, cuda_launch
from kernels.compiled import PATH_VARIABLE, REFERENCE
from kernels.cuda_launch import LARGEST_PATCH, Variant
from kernels.native import LoadReport

if TYPE_CHECKING:
    from torch import Tensor

    from kernels.cuda_launch import Launch
    from kernels.ranks import Ties
    from kernels.reference import Weights
    from kernels.windows import Windows

CUDA = "cuda"
OPERATORS = ("fca_score", "fca_score_batch", "fca_score_fast")
# Loaded to learn whether anything can be.
_SMALLEST = Variant(3)


def load_cuda() -> LoadReport:
    """Whether the CUDA kernels run on the current device, where they are kept, and if not, why.

    Never raises. The first call on a machine compiles a small kernel.
    """
    if not torch.cuda.is_available():
        return LoadReport(False, None, "torch sees no CUDA device")
    if os.environ.get(PATH_VARIABLE) == REFERENCE:
        return LoadReport(False, None, f"{PATH_VARIABLE}={REFERENCE} asks for torch")
    reason = _fault(_SMALLEST, _architecture())
    if reason is not None:
        return LoadReport(False, None, reason)
    return LoadReport(True, str(cuda_code.cache_folder()), f"compiled for {_architecture()}")


def chosen() -> str:
    """The implementation that runs on CUDA tensors: "cuda" or "reference"."""
    return CUDA if load_cuda().loaded else REFERENCE


def runs(variant: Variant, device: torch.device) -> bool:
    """Whether the kernels of this variant run on a CUDA device; if not, warns once why."""
    if os.environ.get(PATH_VARIABLE) == REFERENCE:
        return False
    reason = _reason(variant, device)
    if reason is not None:
        _warn(reason)
    return reason is None


def score(
    features: Tensor,
    reference: Tensor,
    windows: Windows,
    weights: Weights,
    options: tuple[Ties, str],
) -> Tensor:
    """As `kernels.cuda_launch.score`, on the current stream of the features' device."""
    with torch.cuda.device(features.device):
        launcher = StreamLauncher()
        return cuda_launch.score(features, reference, windows, weights, options, launcher)


def score_levels(
    levels: Tensor, reference: Tensor, levels_count: int, windows: Windows, sigma: float | None
) -> Tensor:
    """The fast form with its blur, on the current stream of the levels' device."""
    with torch.cuda.device(levels.device):
        launcher = StreamLauncher()
        scores = cuda_launch.score_levels(levels, reference, levels_count, windows, launcher)
        return cuda_launch.blur_map(scores, sigma, windows.patch_size, launcher)


class StreamLauncher:
    """Queues kernels on torch's current stream of the current device."""

    def __init__(self) -> None:
        from cuda.core import LEGACY_DEFAULT_STREAM, Stream

        handle = torch.cuda.current_stream().cuda_stream
        # torch's default stream has the handle 0, which names the legacy default stream.
        self._stream = Stream.from_handle(handle) if handle else LEGACY_DEFAULT_STREAM
        self._architecture = _architecture()

    def launch(self, variant: Variant, launch: Launch) -> None:
        """Queue one kernel; does not wait for it."""
        from cuda.core import LaunchConfig
        from cuda.core import launch as queue

        config = LaunchConfig(
            grid=launch.grid, block=launch.threads, shmem_size=launch.shared_bytes
        )
        kernel = _kernel(variant, self._architecture, launch.kernel)
        queue(self._stream, config, kernel, *kernel_arguments(launch))


def kernel_arguments(launch: Launch) -> list[Any]:
    """Addresses, and numbers of the width that the kernels declare.

    cuda.core takes a Python int for an address: numbers must come as numpy's.
    """
    import numpy as np

    def convert(argument: Tensor | int | float) -> Any:
        if isinstance(argument, torch.Tensor):
            return argument.data_ptr()
        return np.int32(argument) if isinstance(argument, int) else np.float32(argument)

    return [convert(argument) for argument in launch.arguments]


def _reason(variant: Variant, device: torch.device) -> str | None:
    """Why torch must run instead; None if it need not."""
    if variant.patch_size > LARGEST_PATCH:
        return f"patch_size is above {LARGEST_PATCH}"
    return _fault(variant, _architecture(device))


def _architecture(device: torch.device | None = None) -> str:
    major, minor = torch.cuda.get_device_capability(device)
    return f"sm_{major}{minor}"


@cache
def _fault(variant: Variant, architecture: str) -> str | None:
    """What keeps a variant from being compiled and loaded here; None if nothing does."""
    missing = cuda_code.missing_package()
    if missing is not None:
        return missing
    try:
        return _outdated_driver() or _load_fault(_code(variant, architecture))
    except (RuntimeError, OSError) as fault:
        return str(fault)


def _outdated_driver() -> str | None:
    """A driver runs what a compiler of its own or an earlier major version made."""
    from cuda.bindings import driver

    result, version = driver.cuDriverGetVersion()
    if int(result) != 0:
        return f"the CUDA driver does not tell its version: {result!r}"
    compiler = cuda_code.compiler_version()
    if version // 1000 >= compiler[0]:
        return None
    supported = f"{version // 1000}.{version % 1000 // 10}"
    return (
        f"the driver supports CUDA {supported}, NVRTC is {compiler[0]}.{compiler[1]}: "
        "update the driver"
    )


def _load_fault(code: bytes) -> str | None:
    """Why the driver does not load compiled code; its own answer, before cuda.core raises."""
    from cuda.bindings import driver

    result, library = driver.cuLibraryLoadData(code, [], [], 0, [], [], 0)
    if int(result) != 0:
        return f"the CUDA driver does not load the kernels: {result!r}"
    driver.cuLibraryUnload(library)
    return None


@cache
def _code(variant: Variant, architecture: str) -> bytes:
    """The compiled code of a variant."""
    compiler = ".".join(map(str, cuda_code.compiler_version()))
    source = cuda_code.assemble()
    return cuda_code.cubin(cuda_code.Code(source, variant.macros, architecture, compiler))


@cache
def _program(variant: Variant, architecture: str) -> Any:
    """The loaded code of a variant."""
    from cuda.core import ObjectCode

    return ObjectCode.from_cubin(_code(variant, architecture))


@cache
def _kernel(variant: Variant, architecture: str, name: str) -> Any:
    return _program(variant, architecture).get_kernel(name)


@cache
def _warn(reason: str) -> None:
    warnings.warn(
        f"{reason}: the slow torch reference runs instead of the CUDA kernels",
        RuntimeWarning,
        stacklevel=2,
    )
