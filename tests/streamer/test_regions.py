"""Labelling of a strip: leaving out empty columns and joining open regions change nothing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from streamer.regions import EIGHT_NEIGHBOURS, Region, join_regions, label_strip, new_parts
from streamer.web import Strip, WebGeometry


def full(labelled, columns):
    """The groups on the whole grid."""
    groups = np.zeros((labelled.groups.shape[0], columns), int)
    groups[:, labelled.columns] = labelled.groups
    return groups


def same_partition(ours, theirs):
    pairs = set(zip(ours.ravel().tolist(), theirs.ravel().tolist(), strict=True))
    firsts, seconds = zip(*pairs, strict=True)
    return len(set(firsts)) == len(firsts) and len(set(seconds)) == len(seconds)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 30), st.floats(0.01, 0.9))
def test_groups_are_those_of_the_whole_strip(seed, rows, columns, density):
    noise = np.random.default_rng(seed)
    scores = (noise.random((rows, columns)) < density).astype(np.float32)
    scores[noise.random(scores.shape) < 0.1] = np.nan
    labelled = label_strip(scores, np.zeros(columns, np.int64), 0.6)
    expected, count = ndimage.label(scores >= 0.6, structure=EIGHT_NEIGHBOURS)
    assert labelled.groups_count == count
    assert same_partition(full(labelled, columns), expected)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 30), st.floats(0.01, 0.9))
def test_open_regions_connect_what_they_touch(seed, rows, columns, density):
    noise = np.random.default_rng(seed)
    above = (noise.random((3, columns)) < density).astype(np.float32)
    below = (noise.random((rows, columns)) < density).astype(np.float32)
    keys, _ = ndimage.label(above, structure=EIGHT_NEIGHBOURS)
    labelled = label_strip(below, keys[-1].astype(np.int64), 0.6)
    whole, _ = ndimage.label(np.vstack([above, below]), structure=EIGHT_NEIGHBOURS)
    assert same_partition(full(labelled, columns), whole[3:])
    of_key = dict(zip(labelled.keys.tolist(), labelled.of_key.tolist(), strict=True))
    for row, column in np.argwhere(full(labelled, columns) > 0):
        touched = set(keys[-1][whole[2] == whole[3 + row, column]].tolist()) - {0}
        assert all(of_key[key] == full(labelled, columns)[row, column] for key in touched)
    assert set(of_key) == set(keys[-1].tolist()) - {0}


def test_nothing_in_the_strip_and_nothing_above_gives_no_groups():
    labelled = label_strip(np.full((4, 6), np.nan, np.float32), np.zeros(6, np.int64), 0.6)
    assert (labelled.groups.shape, labelled.groups_count, labelled.keys.size) == ((4, 0), 0, 0)


def test_an_empty_strip_below_an_open_region_keeps_its_group():
    labelled = label_strip(np.zeros((2, 6), np.float32), np.array([0, 7, 7, 0, 9, 0]), 0.6)
    assert labelled.keys.tolist() == [7, 9]
    assert sorted(labelled.of_key.tolist()) == [1, 2]
    assert not labelled.groups.any()


def test_parts_are_those_that_can_become_a_defect():
    scores = np.array([[0.7, 0, 2.0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0.8]], np.float32)
    strip = Strip(80, 20, 8, scores, starts_piece=True, captured_ns=5)
    geometry = WebGeometry(columns=37, pixel_mm=0.5, line_mm=0.5, speed_m_min=60)
    labelled = label_strip(scores, np.zeros(5, np.int64), 0.6)
    parts = new_parts(labelled, strip, geometry, next_key=3)
    seeded, open_below = sorted(parts.values(), key=lambda part: part.first_line)
    assert seeded[1:10] == (80, 88, 16, 24, 1, 2.0, 2.0, 64, 5)
    assert open_below[1:6] == (96, 100, 32, 37, 1)
    assert open_below.pixels == 4 * 5
    assert {seeded.key, open_below.key} == {3, 4}


def test_a_joined_region_keeps_its_own_key_and_what_was_announced():
    told = Region(1, 8, 16, 0, 8, 1, 1.5, 1.5, 64, 10, defect_id=4, quiet_until=99)
    other = Region(2, 0, 8, 8, 24, 2, 1.8, 1.0, 128, 11)
    joined = join_regions(told, other)
    assert joined[:10] == (1, 0, 16, 0, 24, 3, 1.5 + 1.8, 1.5, 192, 11)
    assert (joined.defect_id, joined.quiet_until) == (4, 99)
