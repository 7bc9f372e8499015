from __future__ import annotations

import json

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import MedianAccumulator, MedianMemory
from kernels.saved_state import SavedState
from kernels.strips import Strip

MEMORY = MedianMemory(2, 13, 24, 8, 5, 3, 2, 4, 5)


def accumulator() -> MedianAccumulator:
    one = MedianAccumulator(MEMORY)
    levels = torch.arange(2 * 20 * 13).view(2, 20, 13) % 5
    one.push(levels.to(torch.uint8), 3)
    return one


CONTENT = accumulator().to_bytes()


def described(**change: object) -> bytes:
    """The bytes with other entries in their description, and with the tensors as they are."""
    size = int.from_bytes(CONTENT[:8], "little")
    metadata = json.loads(CONTENT[8 : 8 + size])["__metadata__"]
    description = json.loads(metadata["median_accumulator"]) | change
    tensors = safetensors.torch.load(CONTENT)
    return safetensors.torch.save(tensors, metadata={"median_accumulator": json.dumps(description)})


def test_all_is_kept() -> None:
    state = SavedState.from_bytes(CONTENT)
    assert state.memory == MEMORY
    assert state.tail.end_line == 23
    assert state.tail.lines == 2
    assert state.digest() == accumulator().digest()
    assert state.to_bytes() == CONTENT


@pytest.mark.parametrize("memory", [MEMORY, MedianMemory(1, 9, 1, 1)])
def test_nothing_learnt_is_a_state_too(memory: MedianMemory) -> None:
    empty = SavedState.empty(memory)
    again = SavedState.from_bytes(empty.to_bytes())
    assert again.digest() == empty.digest() != accumulator().digest()
    assert again.tail.equals(empty.tail)


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, len(CONTENT) - 1), value=st.integers(0, 255))
def test_a_damaged_byte_is_refused(place: int, value: int) -> None:
    damaged = CONTENT[:place] + bytes([value]) + CONTENT[place + 1 :]
    try:
        state = SavedState.from_bytes(damaged)
    except ValueError:
        return
    # White space of the header is of no importance.
    assert state.to_bytes() == CONTENT


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(CONTENT) - 1))
def test_what_is_cut_short_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="state must be"):
        SavedState.from_bytes(CONTENT[:length])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="state must be the bytes of a MedianAccumulator"):
        SavedState.from_bytes(content)


def test_a_header_without_end_is_refused() -> None:
    nested = b"[" * 100_000
    with pytest.raises(ValueError, match="state must be the bytes of a MedianAccumulator"):
        SavedState.from_bytes(len(nested).to_bytes(8, "little") + nested)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"format": 2}, "state must have format 1, got 2"),
        ({"digest": "00"}, "state must have the digest 00, got"),
        ({"digest": None}, "state must have the digest None, got"),
        ({"next_line": 31}, "state must have the digest"),
        ({"next_line": 1}, "tail must be of at most 1 lines, got 2"),
        ({"next_line": "23"}, "next_line must be an integer, got '23'"),
        ({"next_line": float("inf")}, "next_line must be an integer, got inf"),
        ({"memory": {"channels": 2}}, "state must be complete, got TypeError"),
        ({"memory": 7}, "state must be complete, got TypeError"),
        (
            {"memory": {"channels": 10**15, "columns": 13, "memory_lines": 8, "segment_lines": 8}},
            "segments must be torch.uint8 of shape",
        ),
        (
            {"memory": {"channels": 0, "columns": 13, "memory_lines": 8, "segment_lines": 8}},
            "channels must be >= 1, got 0",
        ),
    ],
)
def test_a_wrong_description_is_refused(change: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        SavedState.from_bytes(described(**change))


def parts() -> dict[str, torch.Tensor]:
    return safetensors.torch.load(CONTENT)


def state(**change: torch.Tensor) -> SavedState:
    held = parts() | change
    tail = Strip(held["tail"], held["tail_kept"], 21)
    return SavedState(MEMORY, held["segments"], held["seen"], tail)


def test_a_state_that_cannot_be_is_refused() -> None:
    held = parts()
    assert state().to_bytes() == CONTENT
    uneven, many = held["segments"].clone(), held["segments"].clone()
    uneven[0, 0, 0, 0, 3] += 1
    many[..., 0] += 200
    for change, text in (
        ({"segments": held["segments"].short()}, "segments must be torch.uint8 of shape"),
        ({"segments": uneven}, "segments must hold every window at every level"),
        ({"segments": many}, "segments must hold no more windows than were seen"),
        ({"seen": held["seen"][:, :1]}, "seen must be torch.bool of shape"),
        ({"tail": held["tail"] + 5}, "tail must be below levels_count 5"),
        ({"tail": held["tail"][:, :1]}, "tail must be torch.uint8 of shape"),
        ({"tail_kept": held["tail_kept"][:, :5]}, "tail_kept must be torch.bool of shape"),
    ):
        with pytest.raises(ValueError, match=text):
            state(**change)


def test_counts_below_zero_are_refused() -> None:
    memory = MedianMemory(1, 300, 9, 9)
    empty = SavedState.empty(MedianMemory(1, 300, 90, 90, stride=1))
    assert empty.segments.dtype == torch.int16
    with pytest.raises(ValueError, match="segments must hold counts, got -1"):
        SavedState(empty.memory, empty.segments - 1, empty.seen, empty.tail)
    assert memory.segment_type == torch.uint8


def test_a_missing_tensor_is_refused() -> None:
    size = int.from_bytes(CONTENT[:8], "little")
    metadata = json.loads(CONTENT[8 : 8 + size])["__metadata__"]
    tensors = parts()
    del tensors["seen"]
    with pytest.raises(ValueError, match="state must be complete, got KeyError"):
        SavedState.from_bytes(safetensors.torch.save(tensors, metadata=metadata))
