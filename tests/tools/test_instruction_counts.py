"""Instructions and cycles per feature: the arithmetic and what is read of other programs."""

from __future__ import annotations

import instruction_counts
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instruction_counts import CHANNELS, SIDE_LENGTH, collected, cycles, per_feature, row


@given(st.integers(0, 10**9), st.integers(1, 10**7))
def test_what_a_call_costs_once_is_shared_by_all_channels(once: int, each: int) -> None:
    count = per_feature(lambda case, path, channels: once + each * channels, "u8 first 1", "avx2")
    assert count == pytest.approx((once + each * CHANNELS) / (CHANNELS * SIDE_LENGTH**2))


def test_the_count_is_read_from_callgrind() -> None:
    assert collected("==1== Events    : Ir\n==1== Collected : 184030350\n") == 184030350
    for output in ("valgrind: not found", "==1== Collected : 0\n"):
        with pytest.raises(ValueError, match="callgrind must report what it collected, got"):
            collected(output)


def test_two_calls_are_counted_and_halved(monkeypatch) -> None:
    commands: list[list[str]] = []

    def run(command: list[str]) -> str:
        commands.append(command)
        return "==1== Collected : 42\n"

    monkeypatch.setattr(instruction_counts, "run", run)
    assert instruction_counts.emulate("program", "fast 16 2", "avx2", 32) == 21
    assert commands[0][-9:] == ["program", "fast", "16", "2", "avx2", "32", "128", "128", "1"]
    assert commands[0][0] == "valgrind"


@pytest.mark.parametrize(
    ("output", "expected"),
    [("17.25\n", 17.25), ("path must be one that this CPU has, got avx512\n", None)],
)
def test_a_path_that_is_not_there_has_no_cycles(monkeypatch, output, expected) -> None:
    monkeypatch.setattr(instruction_counts, "run", lambda command: output)
    assert cycles("program", "u8 first 1", "avx512", 3) == expected


def test_a_fault_of_the_program_is_not_a_figure(monkeypatch) -> None:
    monkeypatch.setattr(instruction_counts, "run", lambda command: "KERNEL must be u8")
    with pytest.raises(ValueError, match="could not convert"):
        cycles("program", "x first 1", "avx2", 3)


def test_a_row_leaves_empty_what_was_not_measured() -> None:
    assert row("u8 first 1", "avx2", 50.0, 40.0) == "| u8 first 1 | avx2 | 50.0 | 40.0 | 1.2 |"
    assert row("u8 first 1", "avx512", None, 17.0) == "| u8 first 1 | avx512 |  | 17.0 |  |"
    assert row("u8 first 1", "avx2", 50.0, None) == "| u8 first 1 | avx2 | 50.0 |  |  |"


def test_no_calls_are_refused(monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["instruction_counts.py", "program", "--repeats", "0"])
    with pytest.raises(SystemExit):
        instruction_counts.main()
    assert "--repeats must be >= 1, got 0" in capsys.readouterr().err
