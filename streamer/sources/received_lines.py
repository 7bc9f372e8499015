"""Which lines of an incomplete frame are surely received; knows no camera."""

from __future__ import annotations

import numpy as np

# GigE Vision allows packets down to 576 bytes: 540 of them are pixels.
SMALLEST_LOSS_BYTES = 512


def received_bytes(payload: bytes, expected: int) -> int:
    """Bytes at the front of `payload` that no lost packet can have touched.

    What a lost packet would have brought is zero in the payload, or cut off at its end. So nothing
    is missing before the first run of zeros that is as long as a packet or reaches the end. Black
    pixels that look the same only shorten the answer.
    """
    zero = np.frombuffer(payload, np.uint8)[:expected] == 0
    edges = np.flatnonzero(np.diff(zero, prepend=False, append=False))
    starts, ends = edges[0::2], edges[1::2]
    suspect = (ends - starts >= SMALLEST_LOSS_BYTES) | (ends == len(zero))
    return int(starts[suspect][0]) if suspect.any() else len(zero)
