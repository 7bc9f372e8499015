"""When a rolling profile learns, what it remembers, and who can go on with it."""

from dataclasses import replace

import numpy as np
import pytest

from streamer.scoring.rolling_plan import SPARE_TILES
from streamer.scoring.rolling_state import RollingState
from streamer.scoring.tile_scorer import TileScorer


def test_profiles_are_made_at_fixed_numbers_and_hold_until_the_next(line, clean, rolling) -> None:
    verdicts = [line.judge(clean(n)) for n in range(12)]
    assert [v.score_map.self_judged for v in verdicts] == [
        n < rolling.BOOTSTRAP_TILES for n in range(12)
    ]
    made = [v.profile.sequence for v in verdicts if v.profile is not None]
    assert made == list(range(rolling.BOOTSTRAP_TILES, 12, rolling.REFRESH_TILES))
    digests = [v.score_map.profile_digest for v in verdicts[rolling.BOOTSTRAP_TILES :]]
    assert digests[::2] == digests[1::2]
    assert len(set(digests)) == len(made)
    state = RollingState.from_bytes(verdicts[10].profile.profile)
    assert state.profile.digest == verdicts[10].score_map.profile_digest
    assert state.profile.reference.shape == (rolling.COLUMNS // 8 // 8, 4, 81)
    assert verdicts[10].profile.learnt_from == 0


def test_a_profile_is_made_of_nothing_that_comes_after_its_segment_began(
    backbone, tile_of, clean, rolling
) -> None:
    digests = []
    for changed in (None, 9, 7):
        line = rolling.Line(rolling.scorer_of(backbone), tile_of)
        webs = [clean(n if n != changed else 99) for n in range(10)]
        digests.append([line.judge(pixels).score_map.profile_digest for pixels in webs])
    assert digests[1] == digests[0]
    assert digests[2][:8] == digests[0][:8]
    assert digests[2][8] != digests[0][8]


def test_the_newest_segments_wait_for_the_delay(backbone, tile_of, clean, rolling) -> None:
    digests = []
    for changed in (None, 5):
        line = rolling.Line(rolling.scorer_of(backbone, delay_m=1.0), tile_of)
        webs = [clean(n if n != changed else 99) for n in range(10)]
        digests.append([line.judge(pixels).score_map.profile_digest for pixels in webs])
    assert digests[1][6:8] == digests[0][6:8]
    assert digests[1][8] != digests[0][8]


def test_a_delay_longer_than_the_bootstrap_keeps_the_first_level(
    backbone, tile_of, clean, rolling
) -> None:
    """Until a segment is old enough there is nothing that a new level could rest on."""
    line = rolling.Line(rolling.scorer_of(backbone, delay_m=4.0), tile_of)
    maps = [line.judge(clean(n)).score_map for n in range(14)][rolling.BOOTSTRAP_TILES :]
    first = maps[0]
    waiting = maps[: 4 * rolling.REFRESH_TILES - rolling.BOOTSTRAP_TILES]
    assert {(m.background, m.alarm_level) for m in waiting} == {
        (first.background, first.alarm_level)
    }
    assert maps[-1].alarm_level < 3 * first.alarm_level


def test_no_more_tiles_pass_without_a_state_than_can_be_replayed(
    backbone, tile_of, clean, rolling
) -> None:
    """Web that looks foreign teaches nothing until it is long enough for a new article."""
    line = rolling.Line(rolling.scorer_of(backbone, bootstrap_m=1.0, change_m=6.0), tile_of)
    foreign = range(5, 14)
    webs = [rolling.other_article(clean(n)) if n in foreign else clean(n) for n in range(20)]
    told = [n for n, web in enumerate(webs) if line.judge(web).profile is not None]
    longest = max(b - a for a, b in zip(told, told[1:], strict=False))
    assert longest > 2 * rolling.REFRESH_TILES  # more than any bootstrap or refresh of this plan
    assert longest <= line.scorer._policy.rolling.replay_tiles - SPARE_TILES


def test_what_is_remembered_is_bounded(line, clean, rolling) -> None:
    sizes = []
    for n in range(40):
        news = line.judge(clean(n)).profile
        sizes += [len(news.profile)] if news is not None else []
    (lane,) = line.scorer._rolling._lanes.values()
    assert len(lane.state.segments) == 8  # 8 m of 1.024 m each
    assert len(lane.tiles) <= rolling.REFRESH_TILES
    assert max(sizes[9:]) < 1.1 * min(sizes[9:])


def test_another_worker_continues_as_if_it_were_the_first(
    backbone, tile_of, clean, rolling
) -> None:
    first = rolling.scorer_of(backbone)
    webs = [rolling.with_hole(clean(n)) if n == 9 else clean(n) for n in range(14)]
    webs += [rolling.other_article(clean(n)) for n in range(14, 24)]
    tiles = [tile_of(pixels, n) for n, pixels in enumerate(webs)]
    verdicts = [first.score(tile) for tile in tiles]
    made = [v.profile for v in verdicts if v.profile is not None]
    assert any(RollingState.from_bytes(one.profile).profile is None for one in made)
    for state in made:
        second = rolling.scorer_of(backbone)
        second.adopt(state)
        for tile, before in zip(tiles[state.sequence :], verdicts[state.sequence :], strict=True):
            again = second.score(tile).score_map
            np.testing.assert_array_equal(again.scores, before.score_map.scores)
            assert again.profile_digest == before.score_map.profile_digest
            assert again.alarm_level == before.score_map.alarm_level
            assert again.article_line == before.score_map.article_line


def test_a_tile_that_comes_again_teaches_nothing_again(backbone, tile_of, clean, rolling) -> None:
    once, twice = rolling.scorer_of(backbone), rolling.scorer_of(backbone)
    for n in range(9):
        tile = tile_of(clean(n), n)
        expected = once.score(tile).score_map
        twice.score(tile)
        again = twice.score(tile).score_map
        assert again.profile_digest == expected.profile_digest


def test_with_its_own_reference_a_cell_may_be_normal_either_way(
    backbone, tile_of, clean, rolling
) -> None:
    modes = {
        "lane": rolling.scorer_of(backbone),
        "tile": rolling.scorer_of(backbone, mode="per_tile"),
        "both": rolling.scorer_of(backbone, own_reference=True),
    }
    for n in range(6):
        tile = tile_of(clean(n), n)
        scores = {name: one.score(tile).score_map.scores for name, one in modes.items()}
    np.testing.assert_array_equal(scores["both"], np.minimum(scores["lane"], scores["tile"]))


def test_a_tile_that_fails_is_learnt_when_it_comes_again(
    backbone, tile_of, clean, monkeypatch, rolling
) -> None:
    once, failing = rolling.scorer_of(backbone), rolling.scorer_of(backbone)
    for n in range(7):
        tile = tile_of(clean(n), n)
        expected = once.score(tile)
        if n in (2, 4, 6):
            with monkeypatch.context() as patch:
                patch.setattr(TileScorer, "_score_map", lambda *_: 1 / 0)
                with pytest.raises(ZeroDivisionError):
                    failing.score(tile)
        again = failing.score(tile)
        assert again.score_map.profile_digest == expected.score_map.profile_digest
        assert (again.profile is None) == (expected.profile is None)
        assert again.profile is None or again.profile == replace(expected.profile)
