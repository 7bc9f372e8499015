"""Compiles the device kernels with NVRTC and keeps the result on disk; launches nothing."""

# NVRTC needs no GPU: what is compiled here, and for which architecture, is the caller's choice.

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCES = Path(__file__).parent / "csrc"
KERNEL_FILE = "fca_cuda.cu"
CACHE_VARIABLE = "XDG_CACHE_HOME"
_INCLUDE = re.compile(r'^#include "(fca_\w+\.h)"$', re.MULTILINE)
# Without contraction: products and sums are rounded apart, as torch rounds them.
_OPTIONS = ("--std=c++17", "--fmad=false")
_MAGIC = b"linescan cubin 1\n"
_DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class Code:
    """One compilation: the whole source, its definitions, the architecture ("sm_90") and NVRTC."""

    source: str
    macros: Mapping[str, int]
    architecture: str
    compiler: str

    @property
    def options(self) -> list[str]:
        """Options of the compiler."""
        definitions = [f"-D{name}={value}" for name, value in sorted(self.macros.items())]
        return [f"--gpu-architecture={self.architecture}", *_OPTIONS, *definitions]

    @property
    def name(self) -> str:
        """File name that changes with whatever the compiled code depends on."""
        content = "\0".join([self.compiler, *self.options, self.source])
        return f"fca-{self.architecture}-{hashlib.sha256(content.encode()).hexdigest()[:32]}.cubin"


@cache
def assemble(folder: Path = SOURCES, name: str = KERNEL_FILE) -> str:
    """The kernel file with each of its headers put in where it is first included.

    Raises:
        OSError: a source is missing, as in a package that was built without them.
    """
    seen: set[str] = set()

    def insert(text: str) -> str:
        return _INCLUDE.sub(lambda found: once(found[1]), text)

    def once(header: str) -> str:
        if header in seen:
            return ""
        seen.add(header)
        return insert((folder / header).read_text(encoding="utf-8").replace("#pragma once\n", ""))

    return insert((folder / name).read_text(encoding="utf-8"))


def missing_package() -> str | None:
    """What to install before anything can be compiled; None if nothing."""
    needed = {"cuda.core": "cuda-core", "cuda.bindings": "cuda-bindings"}
    for module, package in needed.items():
        try:
            found = importlib.util.find_spec(module) is not None
        except ModuleNotFoundError:
            found = False
        if not found:
            return f"the package {package} is not installed (extra `gpu`)"
    return None


def compiler_version() -> tuple[int, int]:
    """NVRTC's version, (13, 5).

    Raises:
        RuntimeError: no NVRTC can be loaded.
    """
    from cuda.bindings import nvrtc

    result, major, minor = nvrtc.nvrtcVersion()
    _checked("tell its version", (result,))
    return int(major), int(minor)


def cubin(code: Code, folder: Path | None = None) -> bytes:
    """Compiled code, from the cache if it is there and whole.

    `folder` is that of the cache (None: `cache_folder()`). One that cannot be written to costs
    time, not the result.

    Raises:
        RuntimeError: NVRTC refuses the source or the architecture; its log is in the message.
    """
    path = (cache_folder() if folder is None else folder) / code.name
    stored = read_cached(path)
    if stored is not None:
        return stored
    compiled = compile_cubin(code)
    with contextlib.suppress(OSError):
        write_cached(path, compiled)
    return compiled


def compile_cubin(code: Code) -> bytes:
    """Compile with NVRTC, without the cache.

    Raises:
        RuntimeError: NVRTC refuses the source or the architecture; its log is in the message.
    """
    from cuda.bindings import nvrtc

    source, name = code.source.encode(), KERNEL_FILE.encode()
    program = _checked("create a program", nvrtc.nvrtcCreateProgram(source, name, 0, [], []))
    try:
        options = [option.encode() for option in code.options]
        (result,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
        if int(result) != 0:
            msg = f"NVRTC does not compile {KERNEL_FILE} for {code.architecture}: {_log(program)}"
            raise RuntimeError(msg)
        size = _checked("size the code", nvrtc.nvrtcGetCUBINSize(program))
        compiled = bytes(size)
        _checked("hand over the code", nvrtc.nvrtcGetCUBIN(program, compiled))
        return compiled
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def _log(program: Any) -> str:
    from cuda.bindings import nvrtc

    log = bytes(_checked("size its log", nvrtc.nvrtcGetProgramLogSize(program)))
    _checked("show its log", nvrtc.nvrtcGetProgramLog(program, log))
    return log.decode(errors="replace").strip("\0\n ")


def _checked(step: str, answer: tuple[Any, ...]) -> Any:
    """What a call of NVRTC returns beside its result code."""
    result, *values = answer
    if int(result) != 0:
        msg = f"NVRTC does not {step}: {result!r}"
        raise RuntimeError(msg)
    return values[0] if values else None


def cache_folder() -> Path:
    """`linescan/kernels` in the user's cache folder (XDG base directories)."""
    given = os.environ.get(CACHE_VARIABLE, "")
    # The standard: a path that is not absolute is as good as none.
    base = Path(given) if given and Path(given).is_absolute() else Path.home() / ".cache"
    return base / "linescan" / "kernels"


def read_cached(path: Path) -> bytes | None:
    """The code in a cache file; None if there is none or it is not what was written."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    start = len(_MAGIC) + _DIGEST_BYTES
    code = stored[start:]
    whole = _MAGIC + hashlib.sha256(code).digest()
    return code if code and stored[:start] == whole else None


def write_cached(path: Path, code: bytes) -> None:
    """Write a cache file whole or not at all: other processes may be at the same one.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(code).digest() + code)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
