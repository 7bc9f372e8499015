"""Mirrored borders."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from streamer.backbones.mirror import Mirror


@given(lines=st.integers(1, 9), columns=st.integers(1, 9), width=st.integers(0, 20))
def test_it_is_numpys_reflection_of_any_width(lines: int, columns: int, width: int) -> None:
    image = torch.arange(float(2 * lines * columns)).view(1, 2, lines, columns)
    around = [(0, 0), (0, 0), (width, width), (width, width)]
    expected = np.pad(image.numpy(), around, mode="reflect")
    np.testing.assert_array_equal(Mirror(width)(image).numpy(), expected)


def test_it_is_torchs_where_torch_has_one() -> None:
    image = torch.rand(2, 3, 12, 15)
    expected = torch.nn.functional.pad(image, (7, 7, 7, 7), mode="reflect")
    torch.testing.assert_close(Mirror(7)(image), expected, rtol=0, atol=0)
