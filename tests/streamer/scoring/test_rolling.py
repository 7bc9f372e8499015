"""A rolling profile on webs of some metres: what it learns, when, and what it must not learn."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from streamer.config import Config
from streamer.message import Halo, Interval, LineBlock, ScoreMap, Tile
from streamer.ports import Verdict
from streamer.scoring.lesson import Lesson
from streamer.scoring.rolling_plan import SPARE_TILES
from streamer.scoring.rolling_state import RollingState
from streamer.scoring.tile_scorer import TileScorer, open_tile_scorer
from streamer.scoring.web_profile import learn_web_profile
from streamer.tiling import Origin, TileGrid, cut, finish, start_tiling
from streamer.web import WebGeometry

LINES, COLUMNS = 128, 256
TILE_M = 0.512
GEOMETRY = WebGeometry(COLUMNS, 4.0, 4.0, 60.0)
PROFILE = {
    "mode": "rolling",
    "bootstrap_m": 2.0,
    "refresh_m": 1.0,
    "window_m": 8.0,
    "change_m": 2.0,
}
BOOTSTRAP_TILES, REFRESH_TILES = 4, 2


@dataclass
class Line:
    """Scores the tiles of one lane, one after the other."""

    scorer: TileScorer
    tile_of: Callable[..., Tile]
    sequence: int = 0

    def judge(self, pixels: np.ndarray, **changes: object) -> Verdict:
        verdict = self.scorer.score(self.tile_of(pixels, self.sequence, **changes))
        self.sequence += 1
        return verdict


def scorer_of(backbone, geometry=GEOMETRY, tile_lines: int = LINES, **profile) -> TileScorer:
    settings = Config.model_validate(
        {
            "tiles": {"lines": tile_lines, "columns": COLUMNS},
            "profile": PROFILE | profile,
            # Four channels need more levels than the 240 of a real backbone.
            "scoring": {"levels": 16, "sigma_blur": 1.0},
        }
    )
    return open_tile_scorer(backbone, settings, geometry, "w1")


@pytest.fixture
def line(backbone, tile_of) -> Line:
    return Line(scorer_of(backbone), tile_of)


@pytest.fixture
def clean(web) -> Callable[[int], np.ndarray]:
    return lambda seed: web(LINES, COLUMNS, seed)


def with_hole(pixels: np.ndarray, column: int = 136) -> np.ndarray:
    holed = pixels.copy()
    holed[56:72, column : column + 24] = 255
    return holed


def other_article(pixels: np.ndarray) -> np.ndarray:
    """The same yarn in another weave: coarse stripes along the web."""
    striped = 0.6 * pixels + 80.0 * (np.arange(COLUMNS) % 32 < 10)
    return np.clip(striped, 0, 255).astype(np.uint8)


def peak(score_map: ScoreMap) -> float:
    """In units of the alarm level."""
    span = score_map.alarm_level - score_map.background
    return float((np.nanmax(score_map.scores) - score_map.background) / span)


def test_profiles_are_made_at_fixed_numbers_and_hold_until_the_next(line, clean) -> None:
    verdicts = [line.judge(clean(n)) for n in range(12)]
    assert [v.score_map.self_judged for v in verdicts] == [n < BOOTSTRAP_TILES for n in range(12)]
    made = [v.profile.sequence for v in verdicts if v.profile is not None]
    assert made == list(range(BOOTSTRAP_TILES, 12, REFRESH_TILES))
    digests = [v.score_map.profile_digest for v in verdicts[BOOTSTRAP_TILES:]]
    assert digests[::2] == digests[1::2]
    assert len(set(digests)) == len(made)
    state = RollingState.from_bytes(verdicts[10].profile.profile)
    assert state.profile.digest == verdicts[10].score_map.profile_digest
    assert state.profile.reference.shape == (COLUMNS // 8 // 8, 4, 81)
    assert verdicts[10].profile.learnt_from == 0


def test_a_profile_is_made_of_nothing_that_comes_after_its_segment_began(
    backbone, tile_of, clean
) -> None:
    digests = []
    for changed in (None, 9, 7):
        line = Line(scorer_of(backbone), tile_of)
        webs = [clean(n if n != changed else 99) for n in range(10)]
        digests.append([line.judge(pixels).score_map.profile_digest for pixels in webs])
    assert digests[1] == digests[0]
    assert digests[2][:8] == digests[0][:8]
    assert digests[2][8] != digests[0][8]


def test_the_newest_segments_wait_for_the_delay(backbone, tile_of, clean) -> None:
    digests = []
    for changed in (None, 5):
        line = Line(scorer_of(backbone, delay_m=1.0), tile_of)
        webs = [clean(n if n != changed else 99) for n in range(10)]
        digests.append([line.judge(pixels).score_map.profile_digest for pixels in webs])
    assert digests[1][6:8] == digests[0][6:8]
    assert digests[1][8] != digests[0][8]


def test_a_delay_longer_than_the_bootstrap_keeps_the_first_level(backbone, tile_of, clean) -> None:
    """Until a segment is old enough there is nothing that a new level could rest on."""
    line = Line(scorer_of(backbone, delay_m=4.0), tile_of)
    maps = [line.judge(clean(n)).score_map for n in range(14)][BOOTSTRAP_TILES:]
    first = maps[0]
    waiting = maps[: 4 * REFRESH_TILES - BOOTSTRAP_TILES]
    assert {(m.background, m.alarm_level) for m in waiting} == {
        (first.background, first.alarm_level)
    }
    assert maps[-1].alarm_level < 3 * first.alarm_level


def test_a_defect_after_web_that_was_masked_for_long_is_found(backbone, tile_of, clean) -> None:
    line = Line(scorer_of(backbone, window_m=1.0), tile_of)
    for n in range(8):
        line.judge(clean(n))
    for n in range(8, 14):
        line.judge(clean(n), masked=(Interval(0, COLUMNS),))
    after = line.judge(with_hole(clean(14))).score_map
    assert after.background > 0
    assert peak(after) > 1


def test_no_more_tiles_pass_without_a_state_than_can_be_replayed(backbone, tile_of, clean) -> None:
    """Web that looks foreign teaches nothing until it is long enough for a new article."""
    line = Line(scorer_of(backbone, bootstrap_m=1.0, change_m=6.0), tile_of)
    foreign = range(5, 14)
    webs = [other_article(clean(n)) if n in foreign else clean(n) for n in range(20)]
    told = [n for n, web in enumerate(webs) if line.judge(web).profile is not None]
    longest = max(b - a for a, b in zip(told, told[1:], strict=False))
    assert longest > 2 * REFRESH_TILES  # more than any bootstrap or refresh of this plan
    assert longest <= line.scorer._policy.rolling.replay_tiles - SPARE_TILES


def test_what_is_remembered_is_bounded(line, clean) -> None:
    sizes = []
    for n in range(40):
        news = line.judge(clean(n)).profile
        sizes += [len(news.profile)] if news is not None else []
    (lane,) = line.scorer._rolling._lanes.values()
    assert len(lane.state.segments) == 8  # 8 m of 1.024 m each
    assert len(lane.tiles) <= REFRESH_TILES
    assert max(sizes[9:]) < 1.1 * min(sizes[9:])


def test_a_defect_that_fills_a_tile_is_found_and_not_learnt(line, clean) -> None:
    for n in range(8):
        line.judge(clean(n))
    flat = line.judge(np.full((LINES, COLUMNS), 235, np.uint8)).score_map
    span = flat.alarm_level - flat.background
    assert ((flat.scores - flat.background) / span > 1).mean() > 0.95
    after = [line.judge(clean(n)) for n in range(9, 13)]
    assert max(peak(v.score_map) for v in after) < 1
    assert {v.score_map.article_line for v in after} == {0}


def test_the_same_defect_every_metre_is_found_after_100_metres(line, clean) -> None:
    peaks = []
    for n in range(int(100 / TILE_M)):
        bad = n % 2 == 1
        found = peak(line.judge(with_hole(clean(n)) if bad else clean(n)).score_map)
        peaks += [found] if bad and n > BOOTSTRAP_TILES else []
    assert len(peaks) > 90
    assert min(peaks) > 1
    assert np.median(peaks[-20:]) > 0.8 * np.median(peaks[:20])


def test_a_streak_that_never_ends_is_found_to_its_end(line, clean) -> None:
    def streaked(pixels: np.ndarray) -> np.ndarray:
        pixels = pixels.copy()
        pixels[:, 120:136] = 250
        return pixels

    for n in range(8):
        line.judge(clean(n))
    peaks = [peak(line.judge(streaked(clean(n))).score_map) for n in range(8, 60)]
    assert min(peaks) > 1


def test_light_that_changes_slowly_does_not_alarm(backbone, tile_of, clean) -> None:
    tiles = 120  # 61 m
    line = Line(scorer_of(backbone, window_m=4.0), tile_of)
    fixed = Line(scorer_of(backbone, mode="fixed"), tile_of)
    rolling_peaks, fixed_peaks, maps = [], [], []
    for n in range(tiles):
        light = 1.0 - 0.3 * n / tiles
        pixels = (light * clean(n)).astype(np.uint8)
        maps.append(line.judge(pixels).score_map)
        rolling_peaks.append(peak(maps[-1]))
        fixed_peaks.append(peak(fixed.judge(pixels).score_map))
    assert sum(value > 1 for value in rolling_peaks[BOOTSTRAP_TILES:]) <= 2
    assert sum(value > 1 for value in fixed_peaks[-40:]) > 30
    assert maps[-1].article_line == 0
    assert maps[-1].profile_drift > 0.02


def test_another_article_is_noticed_and_learnt(line, clean) -> None:
    before, changed_at = 20, 20 * LINES
    for n in range(before):
        line.judge(clean(n))
    maps = [line.judge(other_article(clean(n))).score_map for n in range(before, 60)]
    noticed = next(n for n, one in enumerate(maps) if one.article_line)
    assert noticed == 3  # 2 m are 4 tiles
    assert {one.article_line for one in maps[noticed:]} == {changed_at}
    assert all(peak(one) > 1 for one in maps[: noticed + 1])
    bootstrap = [one.self_judged for one in maps[noticed + 1 :]]
    assert bootstrap == [n < BOOTSTRAP_TILES for n in range(len(bootstrap))]
    assert max(peak(one) for one in maps[noticed + 1 :]) < 1
    assert maps[noticed + 1].profile_drift == 0


@pytest.mark.parametrize(("light", "article"), [(0.94, 0), (0.85, 0), (0.5, 20 * LINES)])
def test_no_step_of_the_light_bars_the_lane_from_learning(line, clean, light, article) -> None:
    """Small ones are learnt cell by cell, large ones as a new article; none alarms for ever."""
    for n in range(20):
        line.judge(clean(n))
    maps = [line.judge((light * clean(n)).astype(np.uint8)).score_map for n in range(20, 60)]
    assert {one.article_line for one in maps[10:]} == {article}
    assert sum(peak(one) > 1 for one in maps[12:]) <= 2


def test_a_short_change_is_no_new_article(line, clean) -> None:
    for n in range(20):
        line.judge(clean(n))
    maps = [line.judge(other_article(clean(n))).score_map for n in range(20, 23)]
    maps += [line.judge(clean(n)).score_map for n in range(23, 40)]
    assert all(peak(one) > 1 for one in maps[:3])
    assert max(peak(one) for one in maps[3:]) < 1
    assert {one.article_line for one in maps} == {0}


def test_masked_columns_are_never_learnt(backbone, tile_of, clean) -> None:
    masked = (Interval(96, 168),)
    profiles = []
    for grey in (0, 255):
        line = Line(scorer_of(backbone), tile_of)
        for n in range(9):
            pixels = clean(n)
            pixels[:, 112:152] = grey  # further from the web than the features reach
            news = line.judge(pixels, masked=masked).profile
            if news is not None:
                profiles.append(RollingState.from_bytes(news.profile).profile)
    one, other = profiles[: len(profiles) // 2], profiles[len(profiles) // 2 :]
    assert len(one) == 3
    for first, second in zip(one, other, strict=True):
        assert torch.equal(first.reference, second.reference)


def test_a_tile_without_web_teaches_nothing(line, clean) -> None:
    everything = (Interval(0, COLUMNS),)
    verdicts = [line.judge(clean(n), masked=everything) for n in range(8)]
    assert all(v.profile is None and v.score_map.self_judged for v in verdicts)
    assert all(np.isnan(v.score_map.scores).all() for v in verdicts)
    later = [line.judge(clean(n)) for n in range(8, 20)]
    assert any(not v.score_map.self_judged for v in later)


def test_lanes_learn_apart_whatever_comes_between(backbone, tile_of, clean) -> None:
    both = scorer_of(backbone)
    mixed: dict[int, list[str]] = {0: [], 1: []}
    for n in range(10):
        for lane in (1, 0):
            verdict = both.score(tile_of(clean(n + 50 * lane), n, lane=lane))
            mixed[lane].append(verdict.score_map.profile_digest)
    for lane in (0, 1):
        alone = scorer_of(backbone)
        tiles = [tile_of(clean(n + 50 * lane), n, lane=lane) for n in range(10)]
        assert [alone.score(t).score_map.profile_digest for t in tiles] == mixed[lane]


def test_another_worker_continues_as_if_it_were_the_first(backbone, tile_of, clean) -> None:
    first = scorer_of(backbone)
    webs = [with_hole(clean(n)) if n == 9 else clean(n) for n in range(14)]
    webs += [other_article(clean(n)) for n in range(14, 24)]
    tiles = [tile_of(pixels, n) for n, pixels in enumerate(webs)]
    verdicts = [first.score(tile) for tile in tiles]
    made = [v.profile for v in verdicts if v.profile is not None]
    assert any(RollingState.from_bytes(one.profile).profile is None for one in made)
    for state in made:
        second = scorer_of(backbone)
        second.adopt(state)
        for tile, before in zip(tiles[state.sequence :], verdicts[state.sequence :], strict=True):
            again = second.score(tile).score_map
            np.testing.assert_array_equal(again.scores, before.score_map.scores)
            assert again.profile_digest == before.score_map.profile_digest
            assert again.alarm_level == before.score_map.alarm_level
            assert again.article_line == before.score_map.article_line


def test_a_tile_that_comes_again_teaches_nothing_again(backbone, tile_of, clean) -> None:
    once, twice = scorer_of(backbone), scorer_of(backbone)
    for n in range(9):
        tile = tile_of(clean(n), n)
        expected = once.score(tile).score_map
        twice.score(tile)
        again = twice.score(tile).score_map
        assert again.profile_digest == expected.profile_digest


def test_a_state_of_other_bands_is_refused(backbone, tile_of, clean) -> None:
    line = Line(scorer_of(backbone), tile_of)
    news = next(v.profile for v in (line.judge(clean(n)) for n in range(9)) if v.profile)
    with pytest.raises(ValueError, match="profile must have bands of None features, got 8"):
        scorer_of(backbone, band_features=0).adopt(news)


def test_unbounded_features_keep_the_scale_of_their_article(
    unbounded_backbone, tile_of, clean
) -> None:
    line = Line(scorer_of(unbounded_backbone), tile_of)
    scales = []
    for n in range(40):
        pixels = clean(n) if n < 20 else other_article(clean(n))
        news = line.judge(pixels).profile
        profile = RollingState.from_bytes(news.profile).profile if news is not None else None
        scales += [profile.scale.factor] if profile is not None else []
    distinct = {tuple(one.tolist()) for one in scales}
    assert len(scales) > 10
    assert len(distinct) == 2


def test_with_its_own_reference_a_cell_may_be_normal_either_way(backbone, tile_of, clean) -> None:
    modes = {
        "lane": scorer_of(backbone),
        "tile": scorer_of(backbone, mode="per_tile"),
        "both": scorer_of(backbone, own_reference=True),
    }
    for n in range(6):
        tile = tile_of(clean(n), n)
        scores = {name: one.score(tile).score_map.scores for name, one in modes.items()}
    np.testing.assert_array_equal(scores["both"], np.minimum(scores["lane"], scores["tile"]))


def cut_web(pixels: np.ndarray, tile_lines: int) -> Iterator[Tile]:
    grid = TileGrid(COLUMNS, tile_lines, COLUMNS, 96, 8, 16, 72)
    state = start_tiling(Origin("roll", "cam0", "c0ffee"), grid)
    state, rows = cut(state, LineBlock("cam0", 0, pixels, len(pixels), 1))
    _, last = finish(state)
    for row in (*rows, *last):
        yield from row.tiles


@pytest.mark.parametrize("tile_lines", [64, 256])
def test_other_tiles_give_the_same_profiles_and_scores(backbone, web, tile_lines) -> None:
    """As long as a segment and the bootstrap are the same lines."""
    pixels = web(24 * LINES, COLUMNS, 5)
    pixels[2200:2216, 64:88] = 255
    found = {}
    for size in (128, tile_lines):
        scorer = scorer_of(backbone, tile_lines=size)
        maps = [scorer.score(tile).score_map for tile in cut_web(pixels, size)]
        (lane,) = scorer._rolling._lanes.values()
        normalised = [(m.scores - m.background) / (m.alarm_level - m.background) for m in maps]
        found[size] = (np.concatenate(normalised), lane.state.profile.digest)
    bootstrap = BOOTSTRAP_TILES * LINES // 8
    ours, theirs = found[128], found[tile_lines]
    np.testing.assert_array_equal(ours[0][bootstrap:], theirs[0][bootstrap:])
    assert ours[1] == theirs[1]
    assert ours[0].max() > 1


def test_figures_tell_how_far_the_profile_has_moved(line, clean) -> None:
    verdicts = [line.judge(clean(n)) for n in range(8)]
    verdicts += [line.judge((0.9 * clean(n)).astype(np.uint8)) for n in range(8, 40)]
    assert verdicts[5].figures == {"profile_step": 0.0, "profile_drift": 0.0}
    last = verdicts[-1]
    assert last.figures["profile_drift"] == last.score_map.profile_drift > 0
    assert 0 < last.figures["profile_step"] < last.figures["profile_drift"]


def test_a_tile_that_fails_is_learnt_when_it_comes_again(
    backbone, tile_of, clean, monkeypatch
) -> None:
    once, failing = scorer_of(backbone), scorer_of(backbone)
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


def test_a_web_that_wanders_under_its_masks_is_learnt_where_it_lies(
    backbone, tile_of, web, clean
) -> None:
    """A mask at the edge makes the next tiles narrower, or lets them begin later."""
    line = Line(scorer_of(backbone), tile_of)
    maps = []
    for n in range(24):
        first, end = ((0, 256), (32, 256), (0, 208), (16, 240))[n % 4]
        pixels = clean(n)[:, first:end].copy()
        if n == 18:
            pixels = with_hole(pixels, 64)
        maps.append(line.judge(pixels, first_column=first, column_count=end - first).score_map)
    (lane,) = line.scorer._rolling._lanes.values()
    assert lane.state.profile.reference.shape[0] == 4
    found = [peak(one) for one in maps[BOOTSTRAP_TILES:]]
    assert found.index(max(found)) == 18 - BOOTSTRAP_TILES
    assert max(found) > 1 > sorted(found)[-2]


def test_a_fixed_profile_with_bands_is_learnt_once(backbone, tile_of, clean) -> None:
    line = Line(scorer_of(backbone, mode="fixed", band_features=8), tile_of)
    verdicts = [line.judge(clean(n)) for n in range(12)]
    verdicts += [line.judge(other_article(clean(n))) for n in range(12, 24)]
    (made,) = [v.profile for v in verdicts if v.profile is not None]
    assert (made.sequence, made.learnt_from) == (BOOTSTRAP_TILES, None)
    digests = {v.score_map.profile_digest for v in verdicts[BOOTSTRAP_TILES:]}
    assert digests == {RollingState.from_bytes(made.profile).profile.digest}
    assert all(peak(v.score_map) > 1 for v in verdicts[12:])
    (lane,) = line.scorer._rolling._lanes.values()
    assert lane.tiles == {}
    second = scorer_of(backbone, mode="fixed", band_features=8)
    second.adopt(made)
    again = second.score(tile_of(clean(9), 9)).score_map
    np.testing.assert_array_equal(again.scores, verdicts[9].score_map.scores)


def test_a_saved_profile_with_bands_serves_every_lane(backbone, tile_of, web, tmp_path) -> None:
    path = tmp_path / "banded.safetensors"
    pixels = web(160, 512)
    pixels[:, 384:] = 240  # a margin
    settings = Config.model_validate(
        {
            "tiles": {"lines": LINES, "columns": COLUMNS},
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
