"""A test run says which compiled paths it tested; a required one that it did not test fails it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernels.compiled import usable_paths

TESTS = Path(__file__).parent
REFUSED = "test_compiled.py::test_the_extension_refuses_what_it_cannot_hold"


def run(required: str, *chosen: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *(str(TESTS / name) for name in chosen)],
        cwd=TESTS.parents[1],
        env={**os.environ, "REQUIRE_KERNEL_PATHS": required},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_a_required_path_without_a_test_fails_the_run() -> None:
    code, shown = run("avx2", "test_checks.py")
    assert code == 1
    assert "compiled kernel paths: none run; avx512 avx2 portable not run" in shown
    assert "REQUIRE_KERNEL_PATHS must all have been run, got no test of avx2" in shown


@pytest.mark.skipif(not usable_paths(), reason="no compiled kernel is built")
def test_what_was_run_is_named() -> None:
    code, shown = run("portable", REFUSED)
    assert code == 0, shown
    assert "compiled kernel paths: portable run; avx512 avx2 not run" in shown
    assert "must all have been run" not in shown
