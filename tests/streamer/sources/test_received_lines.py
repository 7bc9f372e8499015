"""No byte that a lost packet can have touched counts as received."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamer.sources.received_lines import SMALLEST_LOSS_BYTES, received_bytes


@given(
    seed=st.integers(0, 1000),
    packet=st.integers(SMALLEST_LOSS_BYTES, 3000),
    size=st.integers(1, 40_000),
    dark=st.floats(0, 1),
    lost=st.sets(st.integers(0, 80), max_size=5),
)
def test_what_counts_as_received_is_the_camera_s_own(seed, packet, size, dark, lost):
    rng = np.random.default_rng(seed)
    sent = rng.integers(0, 256, size, dtype=np.uint8) * (rng.random(size) > dark)
    arrived = sent.copy()
    for number in lost:
        arrived[number * packet : (number + 1) * packet] = 0
    touched = [number * packet for number in lost if number * packet < size]
    found = received_bytes(arrived.tobytes(), size)
    assert found <= min(touched, default=size)
    if dark == 0 and not touched:
        assert found >= size - 1 or sent[-1] == 0


def test_bright_pixels_before_the_loss_all_count():
    payload = bytes([9]) * 5000 + bytes(1500) + bytes([9]) * 3500
    assert received_bytes(payload, len(payload)) == 5000
    assert received_bytes(payload[:4000], 10_000) == 4000


def test_a_short_run_at_the_end_is_a_loss_and_within_the_frame_it_is_black():
    inside = bytes([9]) * 1000 + bytes(500) + bytes([9]) * 1000
    assert received_bytes(inside, 2500) == 2500
    assert received_bytes(inside, 1300) == 1000
    assert received_bytes(b"", 100) == 0
