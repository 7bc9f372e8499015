"""What a live source is told when nobody says anything: the roll begins, and nobody stops it."""

import time

from streamer.sources.live import Live


def test_by_default_the_roll_begins_now_and_goes_on():
    live = Live()
    assert live.since_ns == 0
    assert live.stopping() is False
    assert abs(live.now_ns() - time.time_ns()) < 10**10
