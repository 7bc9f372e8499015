"""A rolling profile on webs of some metres: what it finds, follows and must not learn."""

import numpy as np
import pytest
import torch

from streamer.message import Interval
from streamer.scoring.rolling_state import RollingState


def test_a_defect_after_web_that_was_masked_for_long_is_found(
    backbone, tile_of, clean, rolling
) -> None:
    line = rolling.Line(rolling.scorer_of(backbone, window_m=1.0), tile_of)
    for n in range(8):
        line.judge(clean(n))
    for n in range(8, 14):
        line.judge(clean(n), masked=(Interval(0, rolling.COLUMNS),))
    after = line.judge(rolling.with_hole(clean(14))).score_map
    assert after.background > 0
    assert rolling.peak(after) > 1


def test_a_defect_that_fills_a_tile_is_found_and_not_learnt(line, clean, rolling) -> None:
    for n in range(8):
        line.judge(clean(n))
    flat = line.judge(np.full((rolling.LINES, rolling.COLUMNS), 235, np.uint8)).score_map
    span = flat.alarm_level - flat.background
    assert ((flat.scores - flat.background) / span > 1).mean() > 0.95
    after = [line.judge(clean(n)) for n in range(9, 13)]
    assert max(rolling.peak(v.score_map) for v in after) < 1
    assert {v.score_map.article_line for v in after} == {0}


def test_the_same_defect_every_metre_is_found_after_100_metres(line, clean, rolling) -> None:
    peaks = []
    for n in range(int(100 / rolling.TILE_M)):
        bad = n % 2 == 1
        found = rolling.peak(line.judge(rolling.with_hole(clean(n)) if bad else clean(n)).score_map)
        peaks += [found] if bad and n > rolling.BOOTSTRAP_TILES else []
    assert len(peaks) > 90
    assert min(peaks) > 1
    assert np.median(peaks[-20:]) > 0.8 * np.median(peaks[:20])


def test_a_streak_that_never_ends_is_found_to_its_end(line, clean, rolling) -> None:
    def streaked(pixels: np.ndarray) -> np.ndarray:
        pixels = pixels.copy()
        pixels[:, 120:136] = 250
        return pixels

    for n in range(8):
        line.judge(clean(n))
    peaks = [rolling.peak(line.judge(streaked(clean(n))).score_map) for n in range(8, 60)]
    assert min(peaks) > 1


def test_light_that_changes_slowly_does_not_alarm(backbone, tile_of, clean, rolling) -> None:
    tiles = 120  # 61 m
    line = rolling.Line(rolling.scorer_of(backbone, window_m=4.0), tile_of)
    fixed = rolling.Line(rolling.scorer_of(backbone, mode="fixed"), tile_of)
    rolling_peaks, fixed_peaks, maps = [], [], []
    for n in range(tiles):
        light = 1.0 - 0.3 * n / tiles
        pixels = (light * clean(n)).astype(np.uint8)
        maps.append(line.judge(pixels).score_map)
        rolling_peaks.append(rolling.peak(maps[-1]))
        fixed_peaks.append(rolling.peak(fixed.judge(pixels).score_map))
    assert sum(value > 1 for value in rolling_peaks[rolling.BOOTSTRAP_TILES :]) <= 2
    assert sum(value > 1 for value in fixed_peaks[-40:]) > 30
    assert maps[-1].article_line == 0
    assert maps[-1].profile_drift > 0.02


def test_another_article_is_noticed_and_learnt(line, clean, rolling) -> None:
    before, changed_at = 20, 20 * rolling.LINES
    for n in range(before):
        line.judge(clean(n))
    maps = [line.judge(rolling.other_article(clean(n))).score_map for n in range(before, 60)]
    noticed = next(n for n, one in enumerate(maps) if one.article_line)
    assert noticed == 3  # 2 m are 4 tiles
    assert {one.article_line for one in maps[noticed:]} == {changed_at}
    assert all(rolling.peak(one) > 1 for one in maps[: noticed + 1])
    bootstrap = [one.self_judged for one in maps[noticed + 1 :]]
    assert bootstrap == [n < rolling.BOOTSTRAP_TILES for n in range(len(bootstrap))]
    assert max(rolling.peak(one) for one in maps[noticed + 1 :]) < 1
    assert maps[noticed + 1].profile_drift == 0


@pytest.mark.parametrize(("light", "article"), [(0.94, 0), (0.85, 0), (0.5, 20 * 128)])
def test_no_step_of_the_light_bars_the_lane_from_learning(
    line, clean, light, article, rolling
) -> None:
    """Small ones are learnt cell by cell, large ones as a new article; none alarms for ever."""
    for n in range(20):
        line.judge(clean(n))
    maps = [line.judge((light * clean(n)).astype(np.uint8)).score_map for n in range(20, 60)]
    assert {one.article_line for one in maps[10:]} == {article}
    assert sum(rolling.peak(one) > 1 for one in maps[12:]) <= 2


def test_a_short_change_is_no_new_article(line, clean, rolling) -> None:
    for n in range(20):
        line.judge(clean(n))
    maps = [line.judge(rolling.other_article(clean(n))).score_map for n in range(20, 23)]
    maps += [line.judge(clean(n)).score_map for n in range(23, 40)]
    assert all(rolling.peak(one) > 1 for one in maps[:3])
    assert max(rolling.peak(one) for one in maps[3:]) < 1
    assert {one.article_line for one in maps} == {0}


def test_masked_columns_are_never_learnt(backbone, tile_of, clean, rolling) -> None:
    masked = (Interval(96, 168),)
    profiles = []
    for grey in (0, 255):
        line = rolling.Line(rolling.scorer_of(backbone), tile_of)
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


def test_a_tile_without_web_teaches_nothing(line, clean, rolling) -> None:
    everything = (Interval(0, rolling.COLUMNS),)
    verdicts = [line.judge(clean(n), masked=everything) for n in range(8)]
    assert all(v.profile is None and v.score_map.self_judged for v in verdicts)
    assert all(np.isnan(v.score_map.scores).all() for v in verdicts)
    later = [line.judge(clean(n)) for n in range(8, 20)]
    assert any(not v.score_map.self_judged for v in later)


def test_unbounded_features_keep_the_scale_of_their_article(
    unbounded_backbone, tile_of, clean, rolling
) -> None:
    line = rolling.Line(rolling.scorer_of(unbounded_backbone), tile_of)
    scales = []
    for n in range(40):
        pixels = clean(n) if n < 20 else rolling.other_article(clean(n))
        news = line.judge(pixels).profile
        profile = RollingState.from_bytes(news.profile).profile if news is not None else None
        scales += [profile.scale.factor] if profile is not None else []
    distinct = {tuple(one.tolist()) for one in scales}
    assert len(scales) > 10
    assert len(distinct) == 2


def test_figures_tell_how_far_the_profile_has_moved(line, clean) -> None:
    verdicts = [line.judge(clean(n)) for n in range(8)]
    verdicts += [line.judge((0.9 * clean(n)).astype(np.uint8)) for n in range(8, 40)]
    assert verdicts[5].figures == {"profile_step": 0.0, "profile_drift": 0.0}
    last = verdicts[-1]
    assert last.figures["profile_drift"] == last.score_map.profile_drift > 0
    assert 0 < last.figures["profile_step"] < last.figures["profile_drift"]
