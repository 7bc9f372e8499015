"""Slice checksums of FFV1 against files that a real encoder wrote."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streamer.sources.ffv1 import FrameCheck, slices_are_whole


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "a.mkv"
    frames = np.random.default_rng(2).integers(0, 256, (6, 48, 64), dtype=np.uint8)
    options = [cv2.VIDEOWRITER_PROP_IS_COLOR, 0]
    four = cv2.VideoWriter.fourcc(*"FFV1")
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, four, 25, (64, 48), options)
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def packets(path) -> list[bytes]:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    found = []
    while capture.grab():
        found.append(capture.retrieve()[1].tobytes())
    capture.release()
    return found


def test_encoded_frames_are_whole(film):
    found = packets(film)
    assert len(found) == 6
    assert all(slices_are_whole(packet) for packet in found)


@pytest.mark.parametrize("place", [0.0, 0.3, 0.5, 0.99])
def test_any_flipped_bit_shows(film, place):
    packet = bytearray(packets(film)[2])
    packet[int(place * (len(packet) - 1))] ^= 4
    assert not slices_are_whole(bytes(packet))


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 9, 500])
def test_a_cut_frame_is_not_whole(film, kept):
    packet = packets(film)[0]
    assert not slices_are_whole(packet[:kept])
    assert not slices_are_whole(packet[kept + 1 :])


def test_damage_lasts_until_the_next_key_frame(film):
    content, third = bytearray(film.read_bytes()), packets(film)[2]
    start = content.index(third)
    content[start + 40] ^= 1
    film.write_bytes(content)
    check = FrameCheck(film)
    assert check.has_checksums
    assert [check.is_damaged(40.0 * n) for n in range(6)] == [False, False, *[True] * 4]
    check.close()
    check.close()


def test_frames_may_be_skipped(film):
    check = FrameCheck(film)
    assert not check.is_damaged(160.0)
    assert not check.is_damaged(200.0)
    assert not check.is_damaged(10_000.0)
    check.close()


def test_a_first_frame_without_checksums_switches_the_check_off(film):
    content, first = bytearray(film.read_bytes()), packets(film)[0]
    content[content.index(first) + 9] ^= 1
    film.write_bytes(content)
    check = FrameCheck(film)
    assert not check.has_checksums
    assert not check.is_damaged(80.0)
    check.close()
