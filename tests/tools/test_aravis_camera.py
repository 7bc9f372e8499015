"""The pixels that Aravis' camera shows: the simulated web, in order, numbered as its ids count."""

import aravis_camera
import numpy as np


def test_frames_are_consecutive_lines_of_one_web():
    frames = aravis_camera.woven_frames(128, 32, 4)
    assert frames.shape == (4, 32, 128)
    longer = aravis_camera.woven_frames(128, 64, 2)
    assert np.array_equal(frames.reshape(-1, 128), longer.reshape(-1, 128))
    assert len({frame.tobytes() for frame in frames}) == 4


def test_ids_count_without_0():
    ids = [65401, 65402, 65535, 1, 2]
    assert [aravis_camera.frame_index(one) for one in ids] == [0, 1, 134, 135, 136]
