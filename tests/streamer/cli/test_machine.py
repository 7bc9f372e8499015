"""Facts about the machine, from files of /proc that we write ourselves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from streamer.cli import machine
from streamer.cli.machine import PACKAGES, package_versions, system_facts, usable_cores

if TYPE_CHECKING:
    from pathlib import Path

_CPUINFO = """processor\t: 0
model name\t: Some CPU @ 3 GHz
flags\t\t: fpu avx avx2 fma avx512f avx512_vnni

processor\t: 1
model name\t: Another CPU
"""
_MEMINFO = "MemTotal:       16777216 kB\nMemAvailable:    8650752 kB\n"


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("cpuinfo", _CPUINFO), ("meminfo", _MEMINFO)):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "meminfo")
    return tmp_path


@pytest.mark.usefixtures("proc")
def test_processor_and_memory_are_read() -> None:
    facts = system_facts()
    assert facts["processor"] == "Some CPU @ 3 GHz"
    assert facts["instructions"] == "avx2 fma avx512f avx512_vnni"
    assert facts["memory"] == "8.2 GiB available of 16.0 GiB"


def test_a_system_without_proc_is_said_to_be_unknown(proc: Path) -> None:
    (proc / "cpuinfo").unlink()
    (proc / "meminfo").unlink()
    facts = system_facts()
    assert facts["instructions"] == "unknown"
    assert facts["memory"] == "unknown available of unknown"
    assert facts["processor"]


def test_cores_are_those_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert usable_cores() == 2
    assert system_facts()["cores"].startswith("2 usable of ")


def test_cores_without_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


def test_versions_of_all_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PACKAGES", ("numpy", "no-such-package"))
    versions = package_versions()
    assert versions["numpy"][0].isdigit()
    assert versions["no-such-package"] == ""
    assert "torch" in PACKAGES
