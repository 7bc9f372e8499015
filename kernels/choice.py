"""Says which implementation runs an operator here, why, and what would change it; runs none."""

from __future__ import annotations

import os
from dataclasses import dataclass

from kernels import compiled, cuda
from kernels.native import load_native
from kernels.ops import COMPILED, backends


@dataclass(frozen=True, slots=True)
class Running:
    """One operator on one device: `path` as in `backends()`, "reference" being torch.

    `reason` says why it is this one, `remedy` what makes a compiled kernel run instead ("" where
    one runs already or there is none).
    """

    operator: str
    device: str
    path: str
    reason: str
    remedy: str = ""

    @property
    def is_compiled(self) -> bool:
        """Whether a compiled kernel runs."""
        return self.path != compiled.REFERENCE


def running(operator: str, patch_size: int | None = None, device: str = "cpu") -> Running:
    """What `operator` runs on tensors of `device`, for windows of `patch_size` where that is given.

    Raises:
        KeyError: no such operator, or no such device here.
        ValueError: LINESCAN_KERNEL names a path that is not there.
    """
    path = backends()[operator][device]
    if path == compiled.REFERENCE:
        return Running(operator, device, path, *_obstacle(operator, device))
    if patch_size is not None and patch_size > compiled.LARGEST_PATCH:
        largest = compiled.LARGEST_PATCH
        reason = f"compiled kernels take a patch_size up to {largest}, got {patch_size}"
        remedy = f"choose a patch_size of {largest} or less"
        return Running(operator, device, compiled.REFERENCE, reason, remedy)
    return Running(operator, device, path, _choice(device))


def _choice(device: str) -> str:
    if device != "cpu":
        return f"compiled for {device}"
    if compiled.PATH_VARIABLE in os.environ:
        return f"{compiled.PATH_VARIABLE} asks for it"
    return f"the fastest of {', '.join(compiled.usable_paths())} on this CPU"


def _obstacle(operator: str, device: str) -> tuple[str, str]:
    """Why torch runs, and what to do about it."""
    if operator not in (COMPILED if device == "cpu" else cuda.OPERATORS):
        return f"{operator} has no compiled kernel for {device}", ""
    if os.environ.get(compiled.PATH_VARIABLE) == compiled.REFERENCE:
        return f"{compiled.PATH_VARIABLE} asks for it", f"unset {compiled.PATH_VARIABLE}"
    report = load_native() if device == "cpu" else cuda.load_cuda()
    return report.reason, report.remedy
