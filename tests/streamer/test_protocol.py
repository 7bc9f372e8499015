"""The place of a tile in shared memory: what a stranger says becomes no other file's name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer import wire
from streamer.message import TileAddress
from streamer.protocol import SEGMENT_PREFIX, Slot, SlotTile

NAME = "linescan-tiles-cam0-17-00ff"


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "linescan-tiles-", "linescan-tiles-../x", "other-cam0", f"{NAME}\n"],
)
def test_a_name_that_is_none_of_ours_is_refused(name):
    with pytest.raises(ValueError, match="Slot.segment must be linescan-tiles- and up to 100"):
        Slot(name, 0, 1, 10)


@given(st.text(max_size=40))
def test_whatever_is_accepted_stays_in_its_folder(text):
    try:
        name = Slot(SEGMENT_PREFIX + text, 0, 1, 1).segment
    except ValueError:
        return
    assert "/" not in name
    assert "\0" not in name
    assert name.startswith(SEGMENT_PREFIX)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ((-1, 1, 10), "Slot.index must be >= 0, got -1"),
        ((0, 0, 10), "Slot.generation must be > 0, got 0"),
        ((0, 1, 0), "Slot.size_bytes must be > 0, got 0"),
    ],
)
def test_a_place_that_is_none_is_refused(place, text):
    with pytest.raises(ValueError, match=text):
        Slot(NAME, *place)


def test_it_crosses_a_process():
    sent = SlotTile(TileAddress("c", 1, 2), Slot(NAME, 3, 1 << 40, 9), b"\x00header")
    assert wire.decode(wire.encode(sent)) == sent


def test_a_bad_place_from_outside_is_no_message():
    frame = bytes(wire.encode(SlotTile(TileAddress("c", 1, 2), Slot(NAME, 3, 1, 9), b""))[0])
    stranger = frame.replace(b"linescan-tiles-", b"linescan-t/les-")
    with pytest.raises(wire.WireError, match=r"Slot\.segment must be"):
        wire.decode([stranger])
