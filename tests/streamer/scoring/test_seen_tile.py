from dataclasses import replace

import numpy as np
import pytest
import torch

from streamer.message import Interval
from streamer.scoring.features import fixed_scale
from streamer.scoring.profile import complete_profile
from streamer.scoring.seen_tile import (
    Levels,
    SeenTile,
    maps,
    pieces,
    rescore,
    strips,
    without_alarms,
)


def seen(sequence: int, first_line: int, rows: int = 4, *, starts: bool = False) -> SeenTile:
    generator = torch.Generator().manual_seed(sequence)
    features = torch.randint(0, 16, (4, rows, 20), generator=generator).to(torch.uint8)
    scores = np.full((rows, 20), 0.5, np.float32)
    lines = Interval(first_line, first_line + 8 * rows)
    return SeenTile(sequence, lines, 3, starts, features, scores, Levels(0.1, 0.9))


def test_scores_read_in_units_of_the_alarm_level() -> None:
    tile = seen(0, 0)
    tile.scores[0, :4] = (0.1, 0.9, 1.7, np.nan)
    np.testing.assert_allclose(tile.normalised[0, :4], [0, 1, 2, np.nan], atol=1e-6)
    assert tile.may_be_learnt(1.0)[0, :5].tolist() == [True, True, False, False, True]
    assert tile.may_be_learnt(np.inf)[0, :5].tolist() == [True, True, True, False, True]
    assert tile.web.shape == (4, 1, 79)


def test_foreign_share_is_of_the_web_alone() -> None:
    tile = seen(0, 0)
    tile.scores[:, :10] = np.nan
    tile.scores[:, 10:15] = 2.0
    assert tile.foreign_share(1.0) == pytest.approx(0.5)
    tile.scores[:] = np.nan
    assert tile.foreign_share(1.0) == 0


def test_pieces_end_where_web_is_missing_or_a_new_one_starts() -> None:
    tiles = [seen(0, 0), seen(1, 32), seen(3, 96), seen(4, 128, starts=True), seen(5, 160)]
    assert [[t.sequence for t in piece] for piece in pieces(tiles)] == [[0, 1], [3], [4, 5]]
    assert [one.shape for one in maps(tiles)] == [(8, 20), (4, 20), (8, 20)]
    assert [one.follows for one in strips(tiles)] == [False, True, False, False, True]
    assert pieces([]) == []
    moved = replace(tiles[1], first_column=4)
    assert [len(piece) for piece in pieces([tiles[0], moved])] == [1, 1]


def test_a_piece_is_scored_as_one_however_it_was_cut(backbone, lesson) -> None:
    generator = torch.Generator().manual_seed(9)
    reference = torch.randint(0, 16, (4, 81), generator=generator).sort(dim=-1).values
    profile = complete_profile(fixed_scale(backbone.spec), reference.to(torch.uint8), [], lesson)
    tiles = [seen(n, 32 * n) for n in range(4)]
    tiles[1].scores[2, 3] = np.nan
    scores = np.concatenate(rescore(tiles, profile, lesson.method))
    levels = torch.cat([tile.features for tile in tiles], dim=1)
    expected = lesson.method.score(levels, profile.reference)
    expected[6, 3] = np.nan
    np.testing.assert_array_equal(scores, expected)
    assert np.isnan(rescore(tiles[:1], profile, lesson.method)[0]).all()


def test_what_alarmed_and_its_surroundings_do_not_calibrate() -> None:
    scores = np.linspace(0, 0.8, 30 * 40, dtype=np.float32).reshape(30, 40)
    assert np.array_equal(without_alarms(scores, 0.9, 3), scores)
    scores[10, 20] = 1.5
    scores[0, 0] = np.nan
    kept = without_alarms(scores, 0.9, 3)
    gone = np.isnan(kept)
    assert gone[7:14, 17:24].all()
    assert gone.sum() == 49 + 1
    assert np.array_equal(kept[~gone], scores[~gone])


def test_tiles_are_not_changed_by_what_is_made_of_them() -> None:
    tile = seen(0, 0)
    before = tile.scores.copy()
    without_alarms(tile.scores, 0.2, 3)
    maps([tile, replace(tile, sequence=1)])
    np.testing.assert_array_equal(tile.scores, before)
