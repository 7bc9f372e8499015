"""The plain-loop oracle, the stored vectors and random maps for the kernel tests."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from kernels import load_native
from kernels.compiled import PATH_VARIABLE, REFERENCE, usable_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from _pytest.terminal import TerminalReporter

    from kernels.cuda_launch import Launch, Variant

PATHS = ("avx512", "avx2", "portable")
ASKED_PATHS = pytest.StashKey[set[str]]()
GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Small maps gain nothing from more, and wait for each other on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def required_paths() -> list[str]:
    """Kernel paths that must have been tested, as REQUIRE_KERNEL_PATHS names them."""
    return os.environ.get("REQUIRE_KERNEL_PATHS", "").split()


@pytest.fixture(scope="session")
def need_path(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Skips what the compiled kernels cannot do here; fails if REQUIRE_KERNEL_PATHS names it.

    Notes which paths were asked for, for the line at the end of the run.
    """
    asked = pytestconfig.stash.setdefault(ASKED_PATHS, set())

    def need(path: str) -> None:
        asked.add(path)
        if path in usable_paths():
            return
        reason = f"the {path} kernel does not run here: {load_native().reason}"
        if path in required_paths():
            pytest.fail(reason)
        pytest.skip(reason)

    return need


def _not_run(config: pytest.Config) -> list[str]:
    return [path for path in PATHS if path not in _run(config)]


def _run(config: pytest.Config) -> list[str]:
    asked = config.stash.get(ASKED_PATHS, set())
    return [path for path in PATHS if path in asked and path in usable_paths()]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A required path without a test that ran fails the run, however the tests were chosen."""
    if session.config.option.collectonly or session.exitstatus != pytest.ExitCode.OK:
        return
    if set(required_paths()) - set(_run(session.config)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """One line: which paths of the compiled kernels were tested here, and which were not."""
    run, not_run = " ".join(_run(config)) or "none", " ".join(_not_run(config)) or "none"
    terminalreporter.write_line(f"compiled kernel paths: {run} run; {not_run} not run")
    if missing := [path for path in required_paths() if path not in _run(config)]:
        terminalreporter.write_line(
            f"REQUIRE_KERNEL_PATHS must all have been run, got no test of {' '.join(missing)}"
        )


class Emulator:
    """Launches the device kernels on the CPU, thread by thread; see tests/native/emulate_cuda.cpp.

    `backwards` runs the threads of a step in the other order.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self.backwards = False
        self.spare_bytes = 0
        self.launches: list[Launch] = []

    def launch(self, variant: Variant, launch: Launch) -> None:
        self.launches.append(launch)
        outcome = getattr(self._library, launch.kernel)(
            *variant.numbers,
            *launch.grid,
            launch.threads,
            launch.shared_bytes + self.spare_bytes,
            int(self.backwards),
            *map(self._argument, launch.arguments),
        )
        assert outcome == 0, f"{launch.kernel}: outcome {outcome} of emulate_cuda.cpp"

    @staticmethod
    def _argument(argument: torch.Tensor | int | float) -> object:
        if isinstance(argument, torch.Tensor):
            assert argument.is_contiguous(), "kernels take dense tensors"
            return ctypes.c_void_p(argument.data_ptr())
        return ctypes.c_int(argument) if isinstance(argument, int) else ctypes.c_float(argument)


@pytest.fixture(scope="session")
def emulation(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The emulated kernels, compiled once; without a compiler a skip, but a failure in CI."""
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None:
        reason = "no C++ compiler: the arithmetic of the CUDA kernels is not tested"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    root = Path(__file__).parents[2]
    library = tmp_path_factory.mktemp("emulation") / "emulate_cuda.so"
    options = ["-std=c++20", "-O1", "-ffp-contract=off", "-shared", "-fPIC"]
    options += ["-Wall", "-Wextra", "-Werror"]
    source = root / "tests" / "native" / "emulate_cuda.cpp"
    include = f"-I{root / 'kernels' / 'csrc'}"
    subprocess.run([compiler, *options, include, "-o", library, source], check=True)
    return ctypes.CDLL(str(library))


@pytest.fixture
def emulator(emulation: ctypes.CDLL) -> Emulator:
    return Emulator(emulation)


@pytest.fixture(scope="session")
def oracle() -> ModuleType:
    """Module of plain loops, loaded by its path: tests are no package."""
    name = "linescan_kernel_oracle"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("oracle.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, np.ndarray]]:
    """Reads a stored vector by its stem; features come as (C, H, W) tensors."""

    def read(stem: str) -> dict[str, np.ndarray]:
        with np.load(GOLDEN / f"{stem}.npz") as stored:
            vector = dict(stored)
        vector["features"] = torch.from_numpy(vector["features"]).permute(2, 0, 1)
        return vector

    return read


@pytest.fixture
def make_map() -> Callable[..., torch.Tensor]:
    """Random features (C, H, W) in [0, 1], with few distinct values if `levels` is given."""

    def make(shape: tuple[int, int, int], levels: int | None = None, seed: int = 0) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        if levels is None:
            return torch.rand(shape, generator=generator)
        return torch.randint(0, levels, shape, generator=generator) / levels

    return make


@pytest.fixture
def make_levels() -> Callable[..., torch.Tensor]:
    """Random levels (C, H, W) uint8 with neighbours that resemble each other."""

    def make(shape: tuple[int, int, int], levels: int, seed: int = 0) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.randint(0, levels, shape, generator=generator)
        noise = torch.randint(-1, 2, shape, generator=generator)
        return (coarse // 2 * 2 + noise).clamp(0, levels - 1).to(torch.uint8)

    return make


@pytest.fixture
def make_reference() -> Callable[..., torch.Tensor]:
    """Ascending values (..., T*T) in [0, 1], or uint8 below `levels`."""

    def make(shape: tuple[int, ...], levels: int | None = None, seed: int = 1) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        if levels is None:
            return torch.rand(shape, generator=generator).sort(dim=-1).values
        values = torch.randint(0, levels, shape, generator=generator)
        return values.sort(dim=-1).values.to(torch.uint8)

    return make


@pytest.fixture(scope="module", params=PATHS)
def path(request: pytest.FixtureRequest, need_path) -> Iterator[str]:
    """Every instruction set in turn."""
    need_path(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PATH_VARIABLE, request.param)
        yield request.param


@pytest.fixture
def threads() -> Iterator[None]:
    """Puts the number of threads back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=["avx512", "avx2", "portable", "reference"])
def any_path(request: pytest.FixtureRequest, need_path) -> Iterator[str]:
    """Every implementation in turn, torch among them."""
    if request.param != REFERENCE:
        need_path(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PATH_VARIABLE, request.param)
        yield request.param
