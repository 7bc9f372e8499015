"""What is encoded is decoded; what is not ours is refused in one way."""

import dataclasses

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer import message as m
from streamer import protocol as p
from streamer import wire

ADDRESS = m.TileAddress("c", 1, 2)
PIXELS = np.arange(128, dtype=np.uint8).reshape(8, 16)
TILE = m.Tile("r", "c", 0, 1, 0, 8, 0, 16, m.Halo(), PIXELS, 5, "digest", (m.Interval(1, 2),))
SCORES = np.array([[0.5, np.nan]], np.float32)
MASKED = (m.Interval(12, 16),)
PLACE = ("r", "c", 0, 1, 0, 8, 0, 16, 8)
MAP = m.ScoreMap(*PLACE, SCORES, 0.0, 1.0, "p", "m", 1, 2, "w", MASKED, PIXELS, True, 640, 0.25)
MESSAGES = [
    TILE,
    MAP,
    dataclasses.replace(MAP, evidence=None),
    p.LedgerRow("r", "c", 0, 0, 8, True, (m.Interval(0, 16),), (), 1),
    m.Gap("r", "c", 0, 1, 2, 8, 16, m.GapReason.OVERLOAD, "x"),
    m.ProfileState("r", "c", 0, 1, "d", b"\x00\xff"),
    m.ProfileState("r", "c", 0, 9, "d", b"\x00\xff", learnt_from=4),
    m.Heartbeat("score", "score-0", m.StageState.READY, 1, 2, 3, 4, "x", {"a": 1.5}),
    p.Credit("w", 2, (ADDRESS,), 9),
    p.TileFailed(ADDRESS, "w", "why"),
    p.Hello("r", "c", "i", (m.Interval(0, 16),), 16, "sim"),
    p.Resume(8, 1),
    p.Ack((ADDRESS, ADDRESS)),
    p.EndOfRoll("r", "c", 8, 1, False, "why", b"{}"),
    p.ProfileQuery("r", "c"),
    p.SlotTile(ADDRESS, p.Slot("linescan-tiles-c-1-0a", 3, 7, 128), b"header"),
    p.ToRecord("i", 3, 16, 1, 8, "sim", loss=m.LineLoss("c", 4, 2, m.GapReason.OVERLOAD, 7, "x")),
    p.EndOfRecording("i", 4, 900, b"{}"),
]


def frames(message):
    return [bytes(frame) for frame in wire.encode(message)]


def same(a, b):
    for field in dataclasses.fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if isinstance(x, np.ndarray):
            np.testing.assert_array_equal(x, y)
            assert x.dtype == y.dtype
        else:
            assert x == y


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_round_trip(message):
    decoded = wire.decode(frames(message))
    assert type(decoded) is type(message)
    same(message, decoded)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_rgb_tiles_of_both_depths(dtype):
    pixels = np.random.default_rng(1).integers(0, 200, (8, 16, 3)).astype(dtype)
    tile = dataclasses.replace(TILE, pixels=pixels)
    same(tile, wire.decode(frames(tile)))


def test_arrays_are_not_copied_on_the_way_out():
    _, buffer = wire.encode(TILE)
    assert np.shares_memory(np.frombuffer(buffer, np.uint8), PIXELS)


def test_arrays_are_read_only_views_on_the_way_in():
    header, buffer = frames(TILE)
    tile = wire.decode([header, buffer])
    assert not tile.pixels.flags.writeable
    assert np.shares_memory(tile.pixels, np.frombuffer(buffer, np.uint8))


def test_figures_that_numpy_has_computed_are_numbers():
    figures = {"level": np.float64(0.5), "lines": np.int64(3)}
    beat = m.Heartbeat("capture", "capture", m.StageState.RUNNING, 1, 0, 0, 0, figures=figures)
    (header,) = wire.encode(beat)
    assert wire.decode([header]).figures == {"level": 0.5, "lines": 3.0}


def test_what_is_no_message_is_not_sent():
    with pytest.raises(wire.WireError, match="message must be one of Tile, .* got dict"):
        wire.encode({})


def rewritten(message, **changes):
    header, *rest = frames(message)
    content = msgspec.msgpack.decode(header)
    fields = content["fields"] | changes
    content["fields"] = fields
    return [msgspec.msgpack.encode(content), *rest]


def test_unknown_fields_of_a_later_minor_version_are_ignored():
    assert wire.decode(rewritten(p.Resume(8, 1), colour="red")) == p.Resume(8, 1)


def test_another_major_version_is_refused():
    header = msgspec.msgpack.decode(frames(p.Resume(8, 1))[0])
    header["version"] = [wire.MAJOR + 1, 0]
    with pytest.raises(wire.WireError, match=r"wire version must be 1\.x, got \(2, 0\)"):
        wire.decode([msgspec.msgpack.encode(header)])


@pytest.mark.parametrize(
    "broken",
    [
        [],
        [b""],
        [b"\xff" * 40],
        frames(TILE)[:1],
        [*frames(TILE), b"more"],
        [frames(TILE)[0], b"too short"],
        [frames(TILE)[0]] * 9,
        rewritten(TILE, pixels={"dtype": "|u1", "shape": [1 << 40, 1 << 40]}),
        rewritten(TILE, pixels={"dtype": "|u1", "shape": [-8, -16]}),
        rewritten(TILE, pixels={"dtype": "object", "shape": [8, 16]}),
        rewritten(TILE, pixels={"dtype": "<f4", "shape": [8, 4]}),
        rewritten(TILE, pixels=[1, 2]),
        rewritten(TILE, lane=-1),
        rewritten(TILE, lane="0"),
        rewritten(m.Gap("r", "c", 0, 1, 2, 8, 16, m.GapReason.OVERLOAD), reason="boredom"),
    ],
    ids=range(15),
)
def test_broken_messages_are_refused(broken):
    with pytest.raises(wire.WireError):
        wire.decode(broken)


def test_a_header_beyond_the_limit_is_refused_before_it_is_parsed():
    with pytest.raises(wire.WireError, match="must have a header"):
        wire.decode([b"\x00" * (wire.MAX_HEADER_BYTES + 1)])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=6))
def test_random_bytes_never_get_through_nor_crash(parts):
    with pytest.raises(wire.WireError):
        wire.decode(parts)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MESSAGES), st.data())
def test_flipped_bytes_give_a_message_or_a_wire_error(message, data):
    parts = frames(message)
    index = data.draw(st.integers(0, len(parts[0]) - 1))
    header = bytearray(parts[0])
    header[index] ^= data.draw(st.integers(1, 255))
    try:
        decoded = wire.decode([bytes(header), *parts[1:]])
    except wire.WireError:
        return
    assert type(decoded).__module__ in ("streamer.message", "streamer.protocol")


def test_scores_that_are_no_numbers_where_there_is_web_are_refused():
    frames = wire.encode(MAP)
    for value in (np.nan, np.inf):
        bad = np.array([[value, np.nan]], np.float32)
        with pytest.raises(wire.WireError, match="scores must be finite where there is web, got 1"):
            wire.decode([frames[0], bad.data.cast("B"), *frames[2:]])
