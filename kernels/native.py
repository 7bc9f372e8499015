"""Looks for the compiled kernels and says honestly what it found; importing it never fails."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass

MODULE = "kernels._native"


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Whether the compiled kernels run here, from which file, and if not, why."""

    loaded: bool
    path: str | None
    reason: str


def load_native(module: str = MODULE) -> LoadReport:
    """Import the extension module; never raises, the reason is in the report."""
    spec = importlib.util.find_spec(module)
    if spec is None:
        return LoadReport(False, None, f"{module} is not built: the torch reference runs instead")
    try:
        importlib.import_module(module)
    except (ImportError, OSError) as fault:
        return LoadReport(False, spec.origin, f"{module} cannot be loaded: {fault}")
    return LoadReport(True, spec.origin, f"{module} is loaded")
