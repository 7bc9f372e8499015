"""Compiling without a device: what is read from the compiler, and what it is held to."""

from __future__ import annotations

import shutil

import compile_cuda
import pytest
from compile_cuda import PATCHES, USUAL, Usage, every_variant, parse_usage

from kernels.cuda_launch import Variant

REPORT = """
ptxas info    : Compiling entry function 'fca_gather' for 'sm_90'
ptxas info    : Function properties for fca_gather
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 0 barriers
ptxas info    : Compiling entry function 'fca_errors' for 'sm_90'
ptxas info    : Function properties for fca_errors
    48 bytes stack frame, 52 bytes spill stores, 48 bytes spill loads
ptxas info    : Used 254 registers, used 1 barriers, 512 bytes smem, 428 bytes cmem[0]
"""


def test_registers_spills_and_shared_memory_are_read() -> None:
    variant = Variant(9, "mid")
    gather, errors = parse_usage(REPORT, "sm_90", variant)
    assert (gather.kernel, gather.registers, gather.spilled_bytes) == ("fca_gather", 40, 0)
    assert (errors.kernel, errors.registers, errors.spilled_bytes) == ("fca_errors", 254, 52)
    tiles = 2 * 4 * (48 * 20 + 81)
    assert (gather.shared_bytes, errors.shared_bytes) == (0, 512 + tiles)


def test_a_kernel_beyond_a_limit_does_not_fit() -> None:
    def fits(spilled: int, shared: int) -> bool:
        return Usage("sm_90", USUAL[0], "fca_fast", 40, spilled, shared).fits

    assert fits(compile_cuda.SPILL_LIMIT, compile_cuda.SHARED_LIMIT)
    assert not fits(compile_cuda.SPILL_LIMIT + 1, 0)
    assert not fits(0, compile_cuda.SHARED_LIMIT + 1)


def test_the_usual_variants_are_some_of_all() -> None:
    variants = list(every_variant())
    assert len(set(variants)) == len(variants) == len(PATCHES) * 13
    assert set(USUAL) < set(variants)


def test_a_compile_error_ends_the_run(monkeypatch, tmp_path) -> None:
    compiler = tmp_path / "nvcc"
    compiler.write_text("#!/bin/sh\necho 'error: no such thing' >&2\nexit 2\n")
    compiler.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(compiler))
    monkeypatch.setattr(compile_cuda, "version", lambda nvcc: "none")
    monkeypatch.setattr("sys.argv", ["compile_cuda.py"])
    with pytest.raises(SystemExit, match="no such thing"):
        compile_cuda.main()


@pytest.mark.parametrize(("spilled", "code"), [("0", 0), ("9999", 1)])
def test_the_exit_code_tells_of_spills(monkeypatch, capsys, spilled: str, code: int) -> None:
    report = REPORT.replace("52 bytes spill stores", f"{spilled} bytes spill stores")
    monkeypatch.setattr(compile_cuda, "run_nvcc", lambda *_: report)
    monkeypatch.setattr(compile_cuda, "version", lambda nvcc: "none")
    monkeypatch.setattr(shutil, "which", lambda name: "nvcc")
    monkeypatch.setattr("sys.argv", ["compile_cuda.py"])
    with pytest.raises(SystemExit) as ended:
        compile_cuda.main()
    assert ended.value.code == code
    assert f"{2 * 3 * len(USUAL)} kernels" in capsys.readouterr().out
