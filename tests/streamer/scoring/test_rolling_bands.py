"""Where the bands of a profile lie on the web, however it is cut into tiles and lanes."""

from collections.abc import Iterator

import numpy as np
import pytest

from streamer.config import Config
from streamer.message import Halo, LineBlock, Tile
from streamer.scoring.lesson import Lesson
from streamer.scoring.rolling_state import RollingState
from streamer.scoring.tile_scorer import open_tile_scorer
from streamer.scoring.web_profile import learn_web_profile
from streamer.tiling import Origin, TileGrid, cut, finish, start_tiling
from streamer.web import WebGeometry


def test_lanes_learn_apart_whatever_comes_between(backbone, tile_of, clean, rolling) -> None:
    both = rolling.scorer_of(backbone)
    mixed: dict[int, list[str]] = {0: [], 1: []}
    for n in range(10):
        for lane in (1, 0):
            verdict = both.score(tile_of(clean(n + 50 * lane), n, lane=lane))
            mixed[lane].append(verdict.score_map.profile_digest)
    for lane in (0, 1):
        alone = rolling.scorer_of(backbone)
        tiles = [tile_of(clean(n + 50 * lane), n, lane=lane) for n in range(10)]
        assert [alone.score(t).score_map.profile_digest for t in tiles] == mixed[lane]


def test_a_state_of_other_bands_is_refused(backbone, tile_of, clean, rolling) -> None:
    line = rolling.Line(rolling.scorer_of(backbone), tile_of)
    news = next(v.profile for v in (line.judge(clean(n)) for n in range(9)) if v.profile)
    with pytest.raises(ValueError, match="profile must have bands of None features, got 8"):
        rolling.scorer_of(backbone, band_features=0).adopt(news)


def cut_web(pixels: np.ndarray, tile_lines: int) -> Iterator[Tile]:
    grid = TileGrid(256, tile_lines, 256, 96, 8, 16, 72)
    state = start_tiling(Origin("roll", "cam0", "c0ffee"), grid)
    state, rows = cut(state, LineBlock("cam0", 0, pixels, len(pixels), 1))
    _, last = finish(state)
    for row in (*rows, *last):
        yield from row.tiles


@pytest.mark.parametrize("tile_lines", [64, 256])
def test_other_tiles_give_the_same_profiles_and_scores(backbone, web, tile_lines, rolling) -> None:
    """As long as a segment and the bootstrap are the same lines."""
    pixels = web(24 * rolling.LINES, rolling.COLUMNS, 5)
    pixels[2200:2216, 64:88] = 255
    found = {}
    for size in (128, tile_lines):
        scorer = rolling.scorer_of(backbone, tile_lines=size)
        maps = [scorer.score(tile).score_map for tile in cut_web(pixels, size)]
        (lane,) = scorer._rolling._lanes.values()
        normalised = [(m.scores - m.background) / (m.alarm_level - m.background) for m in maps]
        found[size] = (np.concatenate(normalised), lane.state.profile.digest)
    bootstrap = rolling.BOOTSTRAP_TILES * rolling.LINES // 8
    ours, theirs = found[128], found[tile_lines]
    np.testing.assert_array_equal(ours[0][bootstrap:], theirs[0][bootstrap:])
    assert ours[1] == theirs[1]
    assert ours[0].max() > 1


def test_a_web_that_wanders_under_its_masks_is_learnt_where_it_lies(
    backbone, tile_of, web, clean, rolling
) -> None:
    """A mask at the edge makes the next tiles narrower, or lets them begin later."""
    line = rolling.Line(rolling.scorer_of(backbone), tile_of)
    maps = []
    for n in range(24):
        first, end = ((0, 256), (32, 256), (0, 208), (16, 240))[n % 4]
        pixels = clean(n)[:, first:end].copy()
        if n == 18:
            pixels = rolling.with_hole(pixels, 64)
        maps.append(line.judge(pixels, first_column=first, column_count=end - first).score_map)
    (lane,) = line.scorer._rolling._lanes.values()
    assert lane.state.profile.reference.shape[0] == 4
    found = [rolling.peak(one) for one in maps[rolling.BOOTSTRAP_TILES :]]
    assert found.index(max(found)) == 18 - rolling.BOOTSTRAP_TILES
    assert max(found) > 1 > sorted(found)[-2]


def test_a_fixed_profile_with_bands_is_learnt_once(backbone, tile_of, clean, rolling) -> None:
    line = rolling.Line(rolling.scorer_of(backbone, mode="fixed", band_features=8), tile_of)
    verdicts = [line.judge(clean(n)) for n in range(12)]
    verdicts += [line.judge(rolling.other_article(clean(n))) for n in range(12, 24)]
    (made,) = [v.profile for v in verdicts if v.profile is not None]
    assert (made.sequence, made.learnt_from) == (rolling.BOOTSTRAP_TILES, None)
    digests = {v.score_map.profile_digest for v in verdicts[rolling.BOOTSTRAP_TILES :]}
    assert digests == {RollingState.from_bytes(made.profile).profile.digest}
    assert all(rolling.peak(v.score_map) > 1 for v in verdicts[12:])
    (lane,) = line.scorer._rolling._lanes.values()
    assert lane.tiles == {}
    second = rolling.scorer_of(backbone, mode="fixed", band_features=8)
    second.adopt(made)
    again = second.score(tile_of(clean(9), 9)).score_map
    np.testing.assert_array_equal(again.scores, verdicts[9].score_map.scores)


def test_a_saved_profile_with_bands_serves_every_lane(
    backbone, tile_of, web, tmp_path, rolling
) -> None:
    path = tmp_path / "banded.safetensors"
    pixels = web(160, 512)
    pixels[:, 384:] = 240  # a margin
    settings = Config.model_validate(
        {
            "tiles": {"lines": rolling.LINES, "columns": rolling.COLUMNS},
            "profile": {"mode": "fixed", "band_features": 8, "file": str(path)},
        }
    )
    whole = WebGeometry(512, 4.0, 4.0, 60.0)
    lesson = Lesson.of(settings, whole, backbone.spec)
    learn_web_profile([tile_of(pixels)], backbone, lesson).save(path)
    scorer = open_tile_scorer(backbone, settings, whole, "w1")
    in_one = scorer.score(tile_of(pixels)).score_map
    place = {"lane": 1, "column_count": 256, "halo": Halo(left=96)}
    right = tile_of(pixels[:, 160:], first_column=256, **place)
    np.testing.assert_array_equal(scorer.score(right).score_map.scores, in_one.scores[:, 32:])
    # The same pixels where the web has no margin.
    elsewhere = scorer.score(tile_of(pixels[:, 160:], first_column=96, **place)).score_map
    assert np.median(elsewhere.scores[:, 16:]) > 2 * np.median(in_one.scores[:, 48:])
