"""The memory of a call: what the system tells, in a process of its own."""

from __future__ import annotations

import kernel_memory
import pytest
import torch
from kernel_cases import Case


def test_a_size_is_read_from_the_status(tmp_path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmHWM:\t  5120 kB\nVmRSS:\t  4096 kB\n", encoding="ascii")
    assert kernel_memory.status_kib("VmHWM", status) == 5120
    assert kernel_memory.status_kib("VmRSS", status) == 4096
    with pytest.raises(ValueError, match="must have a line VmSwap, got none"):
        kernel_memory.status_kib("VmSwap", status)


def test_growth_is_what_the_call_takes(monkeypatch) -> None:
    held: list[torch.Tensor] = []

    def prepare(case: Case):
        size = 100_000_000 if case.shape == (2, 16, 16) else 1
        return lambda: held.append(torch.ones(size, dtype=torch.uint8))

    monkeypatch.setattr(kernel_memory, "prepare", prepare)
    threads = torch.get_num_threads()
    grown = kernel_memory.growth_mb(Case("u8", (2, 16, 16)))
    torch.set_num_threads(threads)
    assert sum(one.numel() for one in held) > 100_000_000
    # Peaks of other tests may be above it, so only what must be there is held to.
    assert grown >= 99


def test_a_fresh_process_says_what_a_small_map_takes() -> None:
    assert 0 <= kernel_memory.extra_mb(Case("u8", (4, 24, 24))) < 32
