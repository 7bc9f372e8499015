"""The toy line camera for the tests of frames and lines."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType


@pytest.fixture(scope="session")
def toy() -> ModuleType:
    """The module line_camera.py beside this file, which no package holds."""
    name = "linescan_line_camera"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("line_camera.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
