"""Frames of grabs: numbered over wraps, only surely received lines valid, breaks where they are."""

import numpy as np
import pytest

from streamer.camera_sections import ChunkNames
from streamer.message import GapReason
from streamer.sources.camera_frames import FrameMaker, counter_bits, web_format
from streamer.sources.camera_port import Grab, ImageFormat
from streamer.sources.frame import CounterBits, Frame, FrameBreak

LINES, COLUMNS = 8, 1024
IMAGE = ImageFormat(LINES, COLUMNS, "Mono8")
PIXELS = np.random.default_rng(0).integers(1, 256, (LINES, COLUMNS), dtype=np.uint8)


def grab(block_id, payload=None, **keys):
    given = {
        "block_id": block_id,
        "arrived_ns": 1000 + block_id,
        "lines": LINES,
        "columns": COLUMNS,
        "pixel_format": "Mono8",
        "payload": PIXELS.tobytes() if payload is None else payload,
        "is_complete": True,
    }
    return Grab(**(given | keys))


def make(*grabs, chunks=None, image=IMAGE):
    maker = FrameMaker("cam0", image, chunks or ChunkNames())
    return [item for one in grabs for item in maker.make(one)]


def test_a_complete_frame_is_delivered_as_it_is():
    (frame,) = make(grab(65535))
    assert isinstance(frame, Frame)
    assert np.array_equal(frame.pixels, PIXELS)
    assert (frame.camera, frame.valid_lines, frame.captured_ns) == ("cam0", LINES, 66535)
    assert (frame.frame_id, frame.line_id, frame.encoder_first) == (65535, None, None)


def test_frames_count_on_over_the_wrap():
    assert [frame.frame_id for frame in make(grab(65535), grab(1), grab(3))] == [
        65535,
        65536,
        65538,
    ]


def test_an_incomplete_frame_keeps_the_lines_before_the_loss():
    payload = bytearray(PIXELS.tobytes())
    payload[3 * COLUMNS + 100 : 4 * COLUMNS] = bytes(COLUMNS - 100)
    (frame,) = make(grab(1, bytes(payload), is_complete=False))
    assert frame.valid_lines == 3
    assert np.array_equal(frame.pixels[:3], PIXELS[:3])
    assert frame.encoder_last is None


@pytest.mark.parametrize("lines", [LINES, 0])
def test_a_frame_that_lost_its_head_and_end_still_says_how_many_lines_it_had(lines):
    payload = PIXELS.tobytes()[: 5 * COLUMNS + 7]
    (frame,) = make(grab(1, payload, is_complete=False, lines=lines, columns=0))
    assert frame.pixels.shape == (LINES, COLUMNS)
    assert frame.valid_lines == 5


def test_a_frame_without_any_byte_is_all_loss():
    (frame,) = make(grab(1, b"", is_complete=False, lines=0, columns=0))
    assert frame.valid_lines == 0
    assert len(frame.pixels) == LINES


def test_a_frame_that_claims_to_be_complete_and_is_short_is_not_believed():
    (frame,) = make(grab(1, PIXELS.tobytes()[:-1]))
    assert frame.valid_lines == LINES - 1


def test_padding_after_each_line_is_no_pixel():
    padded = np.zeros((LINES, COLUMNS + 4), np.uint8)
    padded[:, :COLUMNS] = PIXELS
    (frame,) = make(grab(1, padded.tobytes(), padding_bytes=4))
    assert np.array_equal(frame.pixels, PIXELS)
    assert frame.valid_lines == LINES


def test_another_width_or_format_is_a_break_and_no_frame():
    for changed in ({"columns": 512}, {"pixel_format": "Mono16"}):
        before, broken = make(grab(1), grab(2, **changed))
        assert isinstance(before, Frame)
        assert isinstance(broken, FrameBreak)
        assert broken.reason is GapReason.CORRUPT_INPUT
        assert (broken.since_ns, broken.captured_ns) == (1001, 1002)
        assert "the camera sends" in broken.detail


def test_a_camera_that_counts_anew_is_a_break_and_then_goes_on():
    items = make(grab(5000), grab(1, arrived_ns=9000), grab(2, arrived_ns=9001))
    assert [type(item) for item in items] == [Frame, FrameBreak, Frame, Frame]
    assert (items[1].since_ns, items[1].captured_ns) == (6000, 9000)
    assert "anew" in items[1].detail
    assert [items[2].frame_id, items[3].frame_id] == [1, 2]


CHUNKS = ChunkNames(
    frame="ChunkFrameID",
    line="ChunkLineID",
    encoder_first="ChunkEncoder",
    encoder_last="ChunkEncoderEnd",
    frame_bits=16,
)


def test_counters_come_from_the_chunks_and_the_camera_s_own_count_shows_what_it_never_sent():
    def counters(frame):
        return {
            "ChunkFrameID": frame,
            "ChunkLineID": 8 * frame,
            "ChunkEncoder": 100,
            "ChunkEncoderEnd": 107,
        }

    torn = grab(3, b"", is_complete=False, counters={})
    sent = (grab(1, counters=counters(11)), grab(2, counters=counters(14)), torn)
    first, second, third = make(*sent, chunks=CHUNKS)
    assert (first.frame_id, second.frame_id) == (11, 14)
    assert (second.line_id, second.encoder_first, second.encoder_last) == (112, 100, 107)
    assert (third.frame_id, third.line_id, third.encoder_last) == (15, None, None)


def test_widths_of_the_counters():
    assert counter_bits(ChunkNames(line_bits=24)) == CounterBits(64, 24, 32)
    assert counter_bits(CHUNKS) == CounterBits(16, 32, 32)


def test_the_format_names_channels_and_bits():
    form = web_format(ImageFormat(1, 512, "RGB8"), "Vendor Model 1")
    assert (form.columns, form.channels, form.bits, form.description) == (
        512,
        3,
        8,
        "Vendor Model 1",
    )
    with pytest.raises(ValueError, match="got .Confidence8"):
        web_format(ImageFormat(1, 512, "Confidence8"), "")


def test_packed_lines_that_end_within_a_byte_count_when_all_their_bits_arrived():
    image = ImageFormat(4, 1001, "Mono10p")
    payload = bytes([255]) * 5005
    for arrived, valid in ((5005, 4), (3754, 3), (3753, 2), (1252, 1), (1251, 0)):
        keys = {"lines": 4, "columns": 1001, "pixel_format": "Mono10p", "is_complete": False}
        torn = payload[:arrived] + bytes(5005 - arrived)
        (frame,) = make(grab(1, torn, **keys), image=image)
        assert frame.valid_lines == valid
        assert (frame.pixels[:valid] == 65535).all()


def test_the_last_line_before_a_loss_has_no_colour_of_its_own_in_a_mosaic():
    image = ImageFormat(LINES, COLUMNS, "BayerRG8")
    payload = PIXELS.tobytes()[: 5 * COLUMNS]
    whole = make(grab(1, pixel_format="BayerRG8"), image=image)[0]
    torn = make(grab(1, payload, pixel_format="BayerRG8", is_complete=False), image=image)[0]
    assert torn.valid_lines == 4
    assert np.array_equal(torn.pixels[:4], whole.pixels[:4])


@pytest.mark.parametrize("cut", [0, 5, 3 * (COLUMNS + 4) - 2, 3 * (COLUMNS + 4) + 1])
def test_padding_of_a_torn_frame_is_no_pixel_either(cut):
    padded = np.zeros((LINES, COLUMNS + 4), np.uint8)
    padded[:, :COLUMNS] = PIXELS
    payload = padded.tobytes()[:cut]
    (frame,) = make(grab(1, payload, padding_bytes=4, is_complete=False))
    assert frame.valid_lines == (cut + 4) // (COLUMNS + 4)
    valid = frame.valid_lines
    assert np.array_equal(frame.pixels[:valid], PIXELS[:valid])
