"""A backbone that is quick and local, and images of noise, for commands that score images."""

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from streamer.ports import BackboneSpec


class Blocks:
    """Mean and spread of 8 x 8 blocks as two channels."""

    def __init__(self):
        self.spec = BackboneSpec("blocks", 8, 12, 2, "b10c", "torch:cpu", (0.0, 6.0))
        self.calls = 0
        self.closed = False

    def embed(self, pixels):
        self.calls += 1
        grey = pixels.astype(np.float32) / 255
        grey = grey.mean(2) if grey.ndim == 3 else grey
        rows, columns = (size // 8 for size in grey.shape)
        blocks = grey.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3)
        planes = np.stack([blocks.mean((2, 3)), 3 * blocks.std((2, 3))])
        summed = functional.avg_pool2d(torch.from_numpy(planes)[None], 3, 1, 1)[0]
        return 6 * summed.clamp(0, 1)

    def close(self):
        self.closed = True


@pytest.fixture
def blocks():
    return Blocks()


@pytest.fixture
def texture(tmp_path):
    """Writes an image of noise and returns its path."""

    def write(name, lines=128, columns=160):
        noise = np.random.default_rng(len(name)).integers(0, 256, (lines, columns), np.uint8)
        cv2.imwrite(str(tmp_path / name), noise)
        return tmp_path / name

    return write
