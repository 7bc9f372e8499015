"""Brightness with a rolling profile: light that drifts is followed, stains and bars are found."""

from collections.abc import Callable

import numpy as np
import pytest

from streamer.config import Config
from streamer.message import Interval, LineBlock
from streamer.scoring.rolling_state import RollingState
from streamer.scoring.tile_scorer import TileScorer, open_tile_scorer
from streamer.tiling import Origin, TileGrid, cut, finish, start_tiling
from streamer.web import WebGeometry

LINES, COLUMNS = 128, 256
GEOMETRY = WebGeometry(COLUMNS, 4.0, 4.0, 60.0)
TILE_M = 0.512
PROFILE = {"mode": "rolling", "bootstrap_m": 2.0, "refresh_m": 1.0, "window_m": 8.0}
BOOTSTRAP_TILES = 4


@pytest.fixture
def scorer_of(backbone) -> Callable[..., TileScorer]:
    def make(tile_lines: int = LINES, brightness: str = "on", **profile) -> TileScorer:
        scoring = {"levels": 16, "sigma_blur": 1.0, "brightness": brightness}
        sections = {
            "tiles": {"lines": tile_lines, "columns": COLUMNS},
            "profile": PROFILE | {"change_m": 2.0} | profile,
            "scoring": scoring,
        }
        return open_tile_scorer(backbone, Config.model_validate(sections), GEOMETRY, "w1")

    return make


def even(seed: int, lines: int = LINES) -> np.ndarray:
    """A weave under light that falls off to the right."""
    y, x = np.mgrid[0:lines, 0:COLUMNS]
    weave = (110 + 40 * np.sin(y * 0.9) * np.sin(x * 0.7)) * (1 - 0.4 * x / COLUMNS)
    return (weave + np.random.default_rng(seed).normal(0, 8, weave.shape)).clip(0, 255)


def shaded(pixels: np.ndarray, gain: float, lines: slice, columns: slice) -> np.ndarray:
    changed = pixels.copy()
    changed[lines, columns] *= gain
    return changed


def judge(scorer: TileScorer, tile_of: Callable, webs: list[np.ndarray], **changes):
    tiles = [tile_of(web.clip(0, 255).astype("u1"), n, **changes) for n, web in enumerate(webs)]
    return [scorer.score(tile) for tile in tiles]


def peaks(verdicts) -> list[float]:
    """In units of the alarm level."""
    maps = [v.score_map for v in verdicts]
    return [
        float((np.nanmax(m.scores) - m.background) / (m.alarm_level - m.background)) for m in maps
    ]


WHOLE = slice(None)
STAIN = (slice(32, 96), slice(96, 160))


def test_a_lamp_that_fades_slowly_does_not_alarm_and_a_stain_does(scorer_of, tile_of) -> None:
    tiles = round(50 / TILE_M)
    webs = [(1 - 0.1 * n / tiles) * even(n) for n in range(tiles)]
    webs.append(shaded(0.9 * even(tiles), 0.93, *STAIN))
    found = peaks(judge(scorer_of(), tile_of, webs))
    assert max(found[BOOTSTRAP_TILES:-1]) < 1
    assert found[-1] > 1
    fixed = peaks(judge(scorer_of(mode="fixed"), tile_of, webs))
    assert min(fixed[-20:]) > 1
    blind = peaks(judge(scorer_of(brightness="off"), tile_of, webs))
    assert blind[-1] < 1


def test_a_bar_that_fills_a_tile_is_found_and_not_learnt(scorer_of, tile_of) -> None:
    webs = [even(n) for n in range(16)]
    webs[12] = shaded(webs[12], 0.94, WHOLE, WHOLE)
    verdicts = judge(scorer_of(), tile_of, webs)
    bar = verdicts[12].score_map
    assert (bar.scores > bar.alarm_level).mean() > 0.9
    found = peaks(verdicts)
    assert max(found[BOOTSTRAP_TILES:12] + found[13:]) < 1
    assert {v.score_map.article_line for v in verdicts} == {0}


def test_a_stain_that_comes_every_metre_stays_a_stain(scorer_of, tile_of) -> None:
    webs = [even(n) if n % 2 else shaded(even(n), 0.93, *STAIN) for n in range(80)]
    webs[:BOOTSTRAP_TILES] = [even(n) for n in range(BOOTSTRAP_TILES)]
    found = peaks(judge(scorer_of(), tile_of, webs))[BOOTSTRAP_TILES:]
    assert min(found[::2]) > 1
    assert max(found[1::2]) < 1


def test_a_step_of_the_lamp_is_seen_and_then_a_new_article(scorer_of, tile_of) -> None:
    webs = [even(n) * (1 if n < 12 else 0.9) for n in range(40)]
    verdicts = judge(scorer_of(), tile_of, webs)
    found = peaks(verdicts)
    assert min(found[12:16]) > 1
    assert {v.score_map.article_line for v in verdicts[15:]} == {12 * LINES}
    assert max(found[24:]) < 1


def test_brightness_does_not_change_what_is_known_of_the_texture(scorer_of, tile_of) -> None:
    webs = [even(n) for n in range(20)]
    both = [
        [v.score_map for v in judge(scorer_of(brightness=one), tile_of, webs)]
        for one in ("on", "off")
    ]
    for lit, plain in zip(*both, strict=True):
        # Two detectors share the wanted false alarms, so each level is a little higher.
        assert lit.background == plain.background
        assert plain.alarm_level <= lit.alarm_level < 1.3 * plain.alarm_level
        assert (lit.scores >= plain.scores).all()
    assert any((lit.scores > plain.scores).any() for lit, plain in zip(*both, strict=True))


def test_another_worker_follows_the_same_light(scorer_of, tile_of) -> None:
    webs = [(1 - 0.004 * n) * even(n) for n in range(20)]
    webs[9] = shaded(webs[9], 0.9, *STAIN)
    webs += [0.8 * even(n) for n in range(20, 32)]
    tiles = [tile_of(web.clip(0, 255).astype("u1"), n) for n, web in enumerate(webs)]
    first = scorer_of()
    verdicts = [first.score(tile) for tile in tiles]
    made = [v.profile for v in verdicts if v.profile is not None]
    assert len({v.score_map.article_line for v in verdicts}) == 2
    for state in made:
        second = scorer_of()
        second.adopt(state)
        for tile, before in zip(tiles[state.sequence :], verdicts[state.sequence :], strict=True):
            again = second.score(tile)
            np.testing.assert_array_equal(again.score_map.scores, before.score_map.scores)
            assert again.score_map.profile_digest == before.score_map.profile_digest
            assert again.profile is None or again.profile.digest == before.profile.digest


@pytest.mark.parametrize("tile_lines", [64, 256])
def test_other_tiles_follow_the_same_light(scorer_of, tile_lines: int) -> None:
    web = np.concatenate([(1 - 0.003 * n) * even(n) for n in range(16)])
    web = shaded(web, 0.9, slice(1500, 1560), slice(64, 128)).clip(0, 255).astype("u1")
    digests = []
    for size in (128, tile_lines):
        scorer = scorer_of(size)
        state = start_tiling(
            Origin("roll", "cam0", "c0ffee"), TileGrid(COLUMNS, size, COLUMNS, 96, 8, 16, 72)
        )
        state, rows = cut(state, LineBlock("cam0", 0, web, len(web), 1))
        for row in (*rows, *finish(state)[1]):
            for tile in row.tiles:
                scorer.score(tile)
        (lane,) = scorer._rolling._lanes.values()
        digests.append(lane.state.profile.digest)
    assert digests[0] == digests[1]


def test_masked_columns_teach_nothing(scorer_of, tile_of) -> None:
    masked = (Interval(96, 168),)
    medians = []
    for grey in (20, 220):
        webs = [even(n) for n in range(10)]
        for web in webs:
            web[:, 112:152] = grey
        verdicts = judge(scorer_of(), tile_of, webs, masked=masked)
        made = [v.profile for v in verdicts if v.profile is not None]
        profile = RollingState.from_bytes(made[-1].profile).profile
        medians.append(profile.brightness.median.numpy())
    np.testing.assert_array_equal(medians[0], medians[1])


def test_what_is_remembered_of_the_light_is_bounded(scorer_of, tile_of) -> None:
    sizes = {}
    for brightness in ("off", "on"):
        verdicts = judge(scorer_of(brightness=brightness), tile_of, [even(n) for n in range(40)])
        sizes[brightness] = [len(v.profile.profile) for v in verdicts if v.profile is not None]
    assert max(sizes["on"][9:]) < 1.1 * min(sizes["on"][9:])
    assert max(sizes["on"]) < 3 * max(sizes["off"])


def test_bands_that_are_learnt_once_know_the_light_too(scorer_of, tile_of) -> None:
    webs = [even(n) for n in range(10)]
    webs[8] = shaded(webs[8], 0.93, *STAIN)
    verdicts = judge(scorer_of(mode="fixed", band_features=8), tile_of, webs)
    found = peaks(verdicts)
    assert [found[n] > 1 for n in range(BOOTSTRAP_TILES, 10)] == [n == 8 for n in range(4, 10)]
