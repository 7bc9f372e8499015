"""The register map: nothing overlaps, what fits comes back, what does not is the nearest."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.gateways.modbus_registers import (
    ACK,
    BY_NAME,
    COMMAND,
    REGISTERS,
    WORD_COUNT,
    WRITABLE,
    Form,
    Register,
    decode,
    encode,
)

MOST_PER_REQUEST = 125  # Modbus Application Protocol V1.1b3, 6.3


def fitting(register):
    lowest, highest = register.form.bounds
    return st.integers(lowest, highest)


IMAGES = st.fixed_dictionaries({r.name: fitting(r) for r in REGISTERS})
NUMBERS = st.one_of(st.integers(-(2**70), 2**70), st.floats())


def test_values_lie_one_after_the_other_under_names_of_their_own():
    ends = [0, *(r.end for r in REGISTERS)]
    assert [r.address for r in REGISTERS] == ends[:-1]
    assert len(BY_NAME) == len(REGISTERS)
    assert WORD_COUNT == ends[-1] <= MOST_PER_REQUEST  # one request reads all


def test_only_what_the_plc_writes_is_writable():
    writable = [r for r in REGISTERS if WRITABLE[0] <= r.address < WRITABLE[1]]
    assert writable == [r for r in REGISTERS if r.by_plc] == [COMMAND, ACK]


@given(IMAGES)
def test_what_fits_comes_back(values):
    words = encode(values)
    assert len(words) == WORD_COUNT
    assert all(0 <= word <= 0xFFFF for word in words)
    assert decode(words) == values


@given(IMAGES, st.sampled_from(REGISTERS), st.data())
def test_a_value_changes_its_own_words_alone(values, register, draw):
    before = encode(values)
    after = encode({**values, register.name: draw.draw(fitting(register))})
    changed = [at for at, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    assert set(changed) <= set(range(register.address, register.end))


@given(st.sampled_from(REGISTERS), NUMBERS)
def test_whatever_the_number_the_words_are_words_and_the_nearest(register, number):
    words = register.encode(number)
    assert len(words) == register.form.words
    assert all(0 <= word <= 0xFFFF for word in words)
    if math.isnan(number) or register.form is Form.COUNT32:
        return
    lowest, highest = register.form.bounds
    assert register.decode(words) == round(min(max(number, lowest), highest))


@given(st.integers(-(2**70), 2**70), st.integers(0, 2**31 - 1))
def test_differences_of_counts_are_right_over_the_wrap(count, way):
    register = BY_NAME["encoder"]
    first, end = (register.decode(register.encode(c)) for c in (count, count + way))
    assert (end - first) % 2**32 == way


def test_the_high_word_comes_first():
    assert BY_NAME["position_mm"].encode(0x12345678) == (0x1234, 0x5678)
    assert BY_NAME["alarm_cross_first_mm"].encode(-2) == (0xFFFF, 0xFFFE)


def test_no_number_is_zero_and_no_count_is_zero():
    assert BY_NAME["lag_ms"].encode(math.nan) == (0, 0)
    assert BY_NAME["encoder"].encode(math.inf) == (0, 0)


def test_what_is_not_in_the_map_is_named():
    with pytest.raises(ValueError, match=r"must be in the map, got \['speeed'\]"):
        encode({"speeed": 1})
    with pytest.raises(ValueError, match="words, got 3"):
        decode([0, 0, 0])
    with pytest.raises(ValueError, match="address must be 0 to 65535"):
        Register(70_000, "far", Form.U16, "", "")
