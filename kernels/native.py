"""Looks for the compiled kernels and says honestly what it found; importing it never fails."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass

MODULE = "kernels._native"
_BUILD = "install a C++20 compiler (Debian: g++) and install linescan anew"


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Whether the compiled kernels run here, from which file, and if not, why and what to do."""

    loaded: bool
    path: str | None
    reason: str
    remedy: str = ""


def load_native(module: str = MODULE) -> LoadReport:
    """Import the extension module; never raises, the reason is in the report."""
    spec = importlib.util.find_spec(module)
    if spec is None:
        reason = f"{module} is not built: the torch reference runs instead; to build it, {_BUILD}"
        return LoadReport(False, None, reason, _BUILD)
    try:
        importlib.import_module(module)
    except (ImportError, OSError) as fault:
        reason = f"{module} cannot be loaded: {fault}; to build it for this Python, {_BUILD}"
        return LoadReport(False, spec.origin, reason, _BUILD)
    return LoadReport(True, spec.origin, f"{module} is loaded")
