"""Says which instruction sets are compiled in and which one runs; imports no torch."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from kernels.native import load_native

if TYPE_CHECKING:
    from types import ModuleType

PATH_VARIABLE = "LINESCAN_KERNEL"
REFERENCE = "reference"


def usable_paths() -> list[str]:
    """Instruction sets with a compiled kernel for this CPU, the fastest first; may be empty."""
    module = _native()
    paths: list[str] = [] if module is None else module.usable_paths()
    return paths


def chosen_path() -> str:
    """The implementation that runs on the CPU: "avx512", "avx2", "portable" or "reference".

    The fastest that is there, or the one that the environment variable LINESCAN_KERNEL names.

    Raises:
        ValueError: LINESCAN_KERNEL names one that is not there.
    """
    choices = [*usable_paths(), REFERENCE]
    wanted = os.environ.get(PATH_VARIABLE)
    if wanted is not None and wanted not in choices:
        msg = f"{PATH_VARIABLE} must be one of {', '.join(choices)} here, got {wanted!r}"
        raise ValueError(msg)
    return wanted or choices[0]


@functools.cache
def _native() -> ModuleType | None:
    if not load_native().loaded:
        return None
    from kernels import _native

    return _native
