"""Requests on a block of words: as the specification asks, and nothing that comes breaks it."""

import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.gateways.modbus_requests import LONGEST_REQUEST, Block, answer, refusal

COUNT, FIRST, END = 20, 16, 19
UNWANTED = 13
FUNCTION, ADDRESS, VALUE = 1, 2, 3  # exceptions


class Words:
    """Words of a block, as they were and as they are."""

    def __init__(self):
        self.now = list(range(100, 100 + COUNT))
        self.writes = []

    def write(self, address, values):
        if UNWANTED in values:
            raise ValueError
        self.now[address : address + len(values)] = values
        self.writes.append((address, list(values)))

    @property
    def block(self):
        return Block(COUNT, (FIRST, END), lambda: self.now, self.write)


def ask(function, *numbers, more=b"", words=None):
    request = bytes([function]) + struct.pack(f">{len(numbers)}H", *numbers) + more
    return asyncio.run(answer(request, (words or Words()).block))


def refused(function, code):
    return bytes([function | 0x80, code])


@pytest.mark.parametrize("function", [3, 4])
@given(address=st.integers(0, 65_535), count=st.integers(0, 65_535))
def test_a_read_gives_the_words_or_says_what_is_wrong(function, address, count):
    said = ask(function, address, count)
    if not 1 <= count <= 125:
        assert said == refused(function, VALUE)
    elif address + count > COUNT:
        assert said == refused(function, ADDRESS)
    else:
        wanted = range(100 + address, 100 + address + count)
        assert said == struct.pack(f">BB{count}H", function, 2 * count, *wanted)


@given(address=st.integers(0, 65_535), value=st.integers(0, 65_535))
def test_a_single_write_is_taken_where_it_may_be(address, value):
    words = Words()
    said = ask(6, address, value, words=words)
    if not FIRST <= address < END:
        assert said == refused(6, ADDRESS)
    elif value == UNWANTED:
        assert said == refused(6, VALUE)
    else:
        assert said == struct.pack(">BHH", 6, address, value)
        assert words.writes == [(address, [value])]
        return
    assert words.now == list(range(100, 100 + COUNT))


@given(address=st.integers(0, 30), values=st.lists(st.integers(14, 65_535), max_size=123))
def test_several_words_are_taken_all_or_none(address, values):
    words = Words()
    head = struct.pack(">B", 2 * len(values))
    more = head + struct.pack(f">{len(values)}H", *values)
    said = ask(16, address, len(values), more=more, words=words)
    if not values:
        assert said == refused(16, VALUE)
    elif address >= FIRST and address + len(values) <= END:
        assert said == struct.pack(">BHH", 16, address, len(values))
        assert words.writes == [(address, values)]
        return
    else:
        assert said == refused(16, ADDRESS)
    assert words.writes == []


@pytest.mark.parametrize(
    "more",
    [b"", b"\x02\x00\x01", b"\x04\x00\x01", b"\x04\x00\x01\x00\x02\x00", b"\x02\x00\x01\x00\x02"],
)
def test_a_write_that_contradicts_itself_is_refused(more):
    words = Words()
    assert ask(16, FIRST, 2, more=more, words=words) == refused(16, VALUE)
    assert words.writes == []


def test_a_request_that_is_too_long_is_refused():
    assert ask(3, 0, 1, 0) == refused(3, VALUE)
    assert ask(6, FIRST, 1, 0) == refused(6, VALUE)


@pytest.mark.parametrize("function", [0, 1, 2, 5, 8, 15, 17, 22, 23, 43, 90, 127])
def test_other_functions_are_refused_as_such(function):
    assert ask(function, 0, 1) == refused(function, FUNCTION)


@given(st.binary(min_size=1, max_size=LONGEST_REQUEST))
def test_whatever_comes_there_is_an_answer_and_words_stay_words(request):
    words = Words()
    said = asyncio.run(answer(request, words.block))
    assert said[0] & 0x7F == request[0] & 0x7F
    assert len(said) <= LONGEST_REQUEST
    assert words.now[:FIRST] == list(range(100, 100 + FIRST))
    assert words.now[END:] == [100 + END]


def test_a_refusal_keeps_the_function():
    assert refusal(3, 11) == b"\x83\x0b"
    assert refusal(0x83, 1) == b"\x83\x01"
