"""Webs with known edges: what is beside them is margin, and nothing else is."""

import numpy as np
import pytest
from edge_webs import MARGINS, edged_web, frayed_web, pierced, wandering


@pytest.mark.parametrize("margin", MARGINS)
def test_the_margins_end_where_they_are_said_to(margin):
    left, right = wandering(200, 50, 10, 100), np.full(200, 30.0)
    web = edged_web(left, right, 400, margin)
    level, noise = MARGINS[margin]
    for line in (0, 25, 75):
        edge = round(left[line])
        beside = np.concatenate([web.pixels[line, :edge], web.pixels[line, 370:]])
        assert np.abs(beside.astype(float) - level).max() <= 5 * noise + 0.5
        assert web.pixels[line, edge:370].std() > 10
    assert (web.left, web.right) == (left, right)


def test_threads_and_holes_change_pixels_and_not_the_truth():
    edge = np.full(300, 40.0)
    plain = edged_web(edge, edge, 300)
    frayed = frayed_web(edge, edge, 300, "white", 0, 5.0)
    changed = np.flatnonzero((frayed.pixels != plain.pixels).any(axis=0))
    assert changed.size > 0
    assert (np.minimum(np.abs(changed - 40), np.abs(changed - 260)) < 30).all()
    holed = pierced(plain, 5, "white")
    assert (holed.pixels[:, 40:260] == 255).sum() > 100
    assert holed.left is plain.left
