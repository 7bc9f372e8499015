from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

import kernels
from kernels.compiled import chosen_path
from kernels.native import LoadReport, load_native
from kernels.ops import COMPILED

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(tmp_path)
    name = "stand_in_for_native_kernels"
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def test_a_module_that_is_not_built_is_reported() -> None:
    report = load_native("kernels._no_such_extension")
    remedy = "install a C++20 compiler (Debian: g++) and install linescan anew"
    reason = "kernels._no_such_extension is not built: the torch reference runs instead"
    assert report == LoadReport(False, None, f"{reason}; to build it, {remedy}", remedy)


def test_a_module_that_loads_is_reported_with_its_file(tmp_path: Path, module: str) -> None:
    (tmp_path / f"{module}.py").write_text("")
    report = load_native(module)
    assert report.loaded
    assert report.path == str(tmp_path / f"{module}.py")


@pytest.mark.parametrize("fault", ["ImportError('no symbol fca')", "OSError('bad file')"])
def test_a_module_that_cannot_be_loaded_says_why(tmp_path: Path, module: str, fault: str) -> None:
    (tmp_path / f"{module}.py").write_text(f"raise {fault}\n")
    report = load_native(module)
    assert not report.loaded
    assert report.path == str(tmp_path / f"{module}.py")
    assert fault.split("'")[1] in report.reason
    assert report.reason.endswith(f"to build it for this Python, {report.remedy}")


def test_a_broken_extension_file_is_no_exception(tmp_path: Path, module: str) -> None:
    from importlib.machinery import EXTENSION_SUFFIXES

    (tmp_path / f"{module}{EXTENSION_SUFFIXES[-1]}").write_bytes(b"\x7fELF, and no more")
    report = load_native(module)
    assert not report.loaded
    assert "cannot be loaded" in report.reason


def test_backends_names_what_runs_for_every_operator() -> None:
    running = kernels.backends()
    assert set(running) == {
        "channel_range",
        "median_reference",
        "fca_score",
        "fca_score_fast",
        "fca_score_batch",
    }
    for name, devices in running.items():
        assert devices["cpu"] == (chosen_path() if name in COMPILED else "reference")
