from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from kernels import cuda_code
from kernels.cuda_code import Code, assemble, cache_folder, cubin, read_cached, write_cached
from kernels.cuda_launch import Variant

CODE = Code("kernel", {"FCA_PATCH": 9}, "sm_90", "13.0")


def test_the_source_stands_alone_and_holds_each_header_once() -> None:
    source = assemble()
    assert "#include <cmath>" in source
    assert '#include "' not in source
    assert "#pragma once" not in source
    for name in ("struct Block {", "class ErrorsThread", "class FastThread", "struct GatherTask"):
        assert source.count(name) == 1
    assert source.index("struct Block {") < source.index("class ErrorsThread")


def test_a_missing_source_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "main.cu").write_text('#include "fca_gone.h"\n')
    with pytest.raises(FileNotFoundError, match=r"fca_gone\.h"):
        assemble(tmp_path, "main.cu")


@pytest.mark.parametrize(
    "other",
    [
        Code("kernel ", {"FCA_PATCH": 9}, "sm_90", "13.0"),
        Code("kernel", {"FCA_PATCH": 7}, "sm_90", "13.0"),
        Code("kernel", {"FCA_PATCH": 9, "FCA_TIES": 1}, "sm_90", "13.0"),
        Code("kernel", {"FCA_PATCH": 9}, "sm_80", "13.0"),
        Code("kernel", {"FCA_PATCH": 9}, "sm_90", "13.1"),
    ],
)
def test_the_file_name_changes_with_all_that_matters(other: Code) -> None:
    assert other.name != CODE.name
    assert CODE.name == Code("kernel", {"FCA_PATCH": 9}, "sm_90", "13.0").name


def test_options_of_the_compiler_keep_products_and_sums_apart() -> None:
    assert CODE.options == [
        "--gpu-architecture=sm_90",
        "--std=c++17",
        "--fmad=false",
        "-DFCA_PATCH=9",
    ]


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "linescan" / "kernels"
    for ignored in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert cache_folder() == Path.home() / ".cache" / "linescan" / "kernels"


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[Code]:
    """Stands in for NVRTC, and says what it was asked for."""
    asked: list[Code] = []

    def compile_cubin(code: Code) -> bytes:
        asked.append(code)
        return f"code {len(asked)}".encode()

    monkeypatch.setattr(cuda_code, "compile_cubin", compile_cubin)
    return asked


def test_code_is_compiled_once(compilations: list[Code], tmp_path: Path) -> None:
    assert cubin(CODE, tmp_path / "new") == cubin(CODE, tmp_path / "new") == b"code 1"
    assert compilations == [CODE]
    assert [path.name for path in (tmp_path / "new").iterdir()] == [CODE.name]


@pytest.mark.parametrize("damage", ["shorten", "flip", "empty", "header"])
def test_a_damaged_file_is_compiled_anew(
    compilations: list[Code], tmp_path: Path, damage: str
) -> None:
    cubin(CODE, tmp_path)
    path = tmp_path / CODE.name
    stored = path.read_bytes()
    damaged = {
        "shorten": stored[:-1],
        "flip": stored[:-1] + bytes([stored[-1] ^ 1]),
        "empty": b"",
        "header": stored[: len(stored) - len(b"code 1")],
    }
    path.write_bytes(damaged[damage])
    assert read_cached(path) is None
    assert cubin(CODE, tmp_path) == b"code 2"
    assert read_cached(path) == b"code 2"


def test_a_folder_that_cannot_be_written_costs_only_time(
    compilations: list[Code], tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert cubin(CODE, blocked / "below") == b"code 1"
    assert cubin(CODE, blocked / "below") == b"code 2"


def test_a_failed_write_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space left"):
        write_cached(tmp_path / "code", b"code")
    assert list(tmp_path.iterdir()) == []


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> object:
        if name == "cuda.core":
            msg = "No module named 'cuda'"
            raise ModuleNotFoundError(msg)
        return object()

    monkeypatch.setattr(importlib.util, "find_spec", find)
    text = "the package cuda-core is not installed (extra `gpu`)"
    assert cuda_code.missing_package() == text
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert cuda_code.missing_package() is None


@pytest.fixture
def _nvrtc() -> None:
    """NVRTC needs no GPU; where it is not installed `make cuda` compiles the kernels with nvcc."""
    if importlib.util.find_spec("cuda") is None:
        pytest.skip("cuda-bindings is not installed; nvcc compiles the kernels in `make cuda`")
    try:
        cuda_code.compiler_version()
    except RuntimeError as fault:
        pytest.skip(str(fault))


@pytest.mark.usefixtures("_nvrtc")
@pytest.mark.parametrize("architecture", ["sm_80", "sm_89", "sm_90"])
@pytest.mark.parametrize("variant", [Variant(9), Variant(5, "mean", True, True)])
def test_nvrtc_compiles_the_kernels(architecture: str, variant: Variant, tmp_path: Path) -> None:
    code = Code(assemble(), variant.macros, architecture, "installed")
    compiled = cubin(code, tmp_path)
    assert compiled.startswith(b"\x7fELF")
    expected = b"fca_fast" if variant.ties is None else b"fca_errors"
    assert expected in compiled


@pytest.mark.usefixtures("_nvrtc")
def test_nvrtc_says_what_it_refuses() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)does not compile fca_cuda\.cu for sm_90: .*error"):
        cuda_code.compile_cubin(Code("nonsense", {}, "sm_90", "installed"))
    with pytest.raises(RuntimeError, match="gpu-architecture"):
        cuda_code.compile_cubin(Code(assemble(), {"FCA_PATCH": 3}, "sm_1", "installed"))
