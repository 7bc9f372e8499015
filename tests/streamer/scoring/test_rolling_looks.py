"""A rolling profile of several prototypes on webs of several looks."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from streamer.scoring.rolling_state import RollingState
from streamer.web import WebGeometry

METRE = WebGeometry(256, 1.0, 1.0, 60.0)  # 8 tiles of 128 lines, a segment, are 1.02 m
BOOTSTRAP_TILES = 32


@pytest.fixture
def scorer(backbone, rolling) -> Callable:
    def make(prototypes: int, **profile):
        wanted = {"bootstrap_m": 4.0, "prototypes": prototypes} | profile
        return rolling.scorer_of(backbone, METRE, **wanted)

    return make


@pytest.fixture
def striped(clean, rolling) -> Callable[..., np.ndarray]:
    """Tile n of a web that shows one weave and another, each for `lines` lines."""

    def tile(n: int, lines: int) -> np.ndarray:
        plain = clean(n)
        place = n * rolling.LINES + np.arange(rolling.LINES)
        other = (place // lines) % 2 == 1
        return np.where(other[:, None], rolling.other_article(plain), plain)

    return tile


@pytest.mark.parametrize("lines", [1024, 256])
def test_a_web_of_two_looks_is_quiet_and_inspected(
    scorer, tile_of, striped, rolling, lines: int
) -> None:
    """Each for a metre, and both in every segment."""
    ones, twos = (rolling.Line(scorer(count), tile_of) for count in (1, 2))
    told = []
    for n in range(80):
        maps = [one.judge(striped(n, lines)).score_map for one in (ones, twos)]
        told += [maps] if n >= BOOTSTRAP_TILES else []
    assert max(rolling.peak(two) for _, two in told) < 1
    # One median fits one look, or lies between: at this level it would alarm all the time.
    loud = [np.nanmax(one.scores) > two.alarm_level for one, two in told]
    assert np.mean(loud) > 0.4
    holed = [rolling.with_hole(striped(n, lines)) for n in range(80, 88)]
    found = [[rolling.peak(one.judge(web).score_map) for web in holed] for one in (ones, twos)]
    assert min(found[1]) > 1
    assert np.median(found[1]) > 1.5 * np.median(found[0])


def test_a_defect_every_metre_never_becomes_a_look(scorer, tile_of, clean, rolling) -> None:
    line = rolling.Line(scorer(3), tile_of)
    peaks = []
    for n in range(BOOTSTRAP_TILES + 80):
        bad = n % 8 == 3
        found = rolling.peak(line.judge(rolling.with_hole(clean(n)) if bad else clean(n)).score_map)
        peaks += [found] if bad and n >= BOOTSTRAP_TILES else []
    assert min(peaks) > 1
    assert len(peaks) == 10


def test_another_worker_continues_with_the_same_prototypes(
    scorer, tile_of, striped, rolling
) -> None:
    first = scorer(2)
    tiles = [tile_of(striped(n, 256), n) for n in range(BOOTSTRAP_TILES + 20)]
    verdicts = [first.score(tile) for tile in tiles]
    made = [v.profile for v in verdicts if v.profile is not None]
    assert len(made) == 3
    profile = RollingState.from_bytes(made[-1].profile).profile
    assert profile.reference.shape == (4, 2, 4, 81)
    assert not torch.equal(profile.reference[:, 0], profile.reference[:, 1])
    for state in made:
        second = scorer(2)
        second.adopt(state)
        for tile, before in zip(tiles[state.sequence :], verdicts[state.sequence :], strict=True):
            again = second.score(tile).score_map
            np.testing.assert_array_equal(again.scores, before.score_map.scores)
            assert again.profile_digest == before.score_map.profile_digest
    for other in (1, 3):
        with pytest.raises(ValueError, match=f"must have {other} prototypes per band, got"):
            scorer(other).adopt(made[0])


def test_what_is_remembered_grows_with_the_prototypes_and_not_with_time(
    scorer, tile_of, striped, rolling
) -> None:
    sizes: dict[int, list[int]] = {}
    for count in (1, 2):
        line = rolling.Line(scorer(count, bootstrap_m=1.0, window_m=2.0), tile_of)
        news = [line.judge(striped(n, 256)).profile for n in range(64)]
        sizes[count] = [len(one.profile) for one in news if one is not None]
    assert max(sizes[2][2:]) < 1.1 * min(sizes[2][2:])
    assert max(sizes[2]) < 2.5 * max(sizes[1])
