from dataclasses import replace

import numpy as np
import pytest

from kernels.compiled import usable_paths
from streamer.config import Config
from streamer.message import Halo, Interval
from streamer.scoring.fca import FcaFast
from streamer.scoring.profile import TextureProfile
from streamer.scoring.tile_scorer import ScoringPolicy, TileScorer, open_tile_scorer
from streamer.scoring.web_profile import learn_web_profile


def scorer_of(backbone, settings: Config, geometry, **sections: object) -> TileScorer:
    changed = Config.model_validate(settings.model_dump() | sections)
    return open_tile_scorer(backbone, changed, geometry, "w1")


@pytest.fixture
def scorer(backbone, settings, geometry) -> TileScorer:
    return scorer_of(backbone, settings, geometry)


@pytest.fixture
def lonely(backbone, settings, geometry) -> TileScorer:
    return scorer_of(backbone, settings, geometry, profile={"mode": "per_tile"})


def flawed(pixels: np.ndarray) -> np.ndarray:
    """With a hole of 16 x 24 pixels in lines 56..71, columns 136..159."""
    pixels = pixels.copy()
    pixels[56:72, 136:160] = 255
    return pixels


def test_score_map_is_that_of_the_core(lonely, web, tile_of) -> None:
    halo = Halo(top=16, bottom=24, left=8, right=16)
    tile = tile_of(web(144, 256), 5, line_count=100, first_column=64, column_count=228, halo=halo)
    result = lonely.score(tile).score_map
    assert result.scores.shape == (13, 29)
    assert (result.roll, result.camera, result.lane, result.sequence) == ("roll", "cam0", 0, 5)
    assert (result.first_line, result.line_count) == (640, 100)
    assert (result.first_column, result.column_count, result.stride) == (64, 228, 8)
    assert (result.captured_ns, result.worker) == (1005, "w1")
    assert result.model_digest == "b10c"
    whole = lonely.score(tile_of(tile.pixels)).score_map
    np.testing.assert_array_equal(result.scores, whole.scores[2:15, 1:30])


def test_scored_time_is_that_of_the_clock(backbone, settings, geometry, web, tile_of) -> None:
    policy = ScoringPolicy.of(settings, geometry, backbone.spec, "w1")
    ticking = TileScorer(backbone, policy, now_ns=lambda: 42)
    assert ticking.score(tile_of(web(128, 256))).score_map.scored_ns == 42


def test_a_flaw_is_above_the_alarm_level_and_kept_as_evidence(lonely, web, tile_of) -> None:
    clean = lonely.score(tile_of(web(128, 256))).score_map
    assert clean.scores.max() < clean.alarm_level
    assert clean.evidence is None
    tile = tile_of(flawed(web(128, 256)))
    found = lonely.score(tile).score_map
    row, column = np.unravel_index(found.scores.argmax(), found.scores.shape)
    assert found.scores.max() > found.alarm_level
    assert 6 <= row <= 9
    assert 16 <= column <= 20
    np.testing.assert_array_equal(found.evidence, tile.pixels)
    assert not np.shares_memory(found.evidence, tile.pixels)


def test_masked_columns_have_no_score_and_give_no_alarm(lonely, web, tile_of) -> None:
    masked = (Interval(110, 180),)
    tile = tile_of(flawed(web(128, 256)), masked=masked)
    result = lonely.score(tile).score_map
    columns = np.flatnonzero(np.isnan(result.scores).all(axis=0))
    assert columns.tolist() == list(range(13, 23))
    assert np.isfinite(np.delete(result.scores, columns, axis=1)).all()
    assert result.masked == masked


def test_a_tile_without_web_is_scored_as_nothing(scorer, web, tile_of) -> None:
    result = scorer.score(tile_of(web(128, 256), masked=(Interval(0, 256),))).score_map
    assert np.isnan(result.scores).all()
    assert result.evidence is None
    # It does not count as the lane's bootstrap either.
    assert scorer.score(tile_of(web(128, 256, 1), 9)).profile is None


def test_smallest_tile_and_below(lonely, web, tile_of) -> None:
    assert lonely.score(tile_of(web(72, 72))).score_map.scores.shape == (9, 9)
    for size in ((64, 256), (256, 64)):
        with pytest.raises(ValueError, match="tile must hold 9 x 9 features, got"):
            lonely.score(tile_of(web(*size)))


@pytest.mark.parametrize("mode", ["per_tile", "fixed"])
def test_nan_of_the_engine_is_an_error_and_the_worker_goes_on(
    mode, backbone, settings, geometry, web, tile_of
) -> None:
    scorer = scorer_of(backbone, settings, geometry, profile={"mode": mode})
    backbone.broken = True
    with pytest.raises(RuntimeError, match="features must be finite"):
        scorer.score(tile_of(web(128, 256)))
    backbone.broken = False
    assert np.isfinite(scorer.score(tile_of(web(128, 256))).score_map.scores).all()


def test_bootstrap_is_judged_by_itself_then_by_the_lane(scorer, lonely, web, tile_of) -> None:
    # 0.15 m are 300 lines: 3 tiles of 128.
    tiles = [tile_of(web(128, 256, seed), seed) for seed in range(6)]
    verdicts = [scorer.score(tile) for tile in tiles]
    for tile, verdict in zip(tiles[:3], verdicts[:3], strict=True):
        alone = lonely.score(tile).score_map
        np.testing.assert_array_equal(verdict.score_map.scores, alone.scores)
        assert verdict.score_map.profile_digest == alone.profile_digest
    assert [verdict.profile is not None for verdict in verdicts] == [False] * 3 + [True] + [
        False
    ] * 2
    news = verdicts[3].profile
    assert (news.roll, news.camera, news.lane, news.sequence) == ("roll", "cam0", 0, 3)
    assert {v.score_map.profile_digest for v in verdicts[3:]} == {news.digest}
    assert [v.score_map.self_judged for v in verdicts] == [True] * 3 + [False] * 3
    assert lonely.score(tiles[5]).score_map.self_judged


def test_scores_that_are_no_numbers_fail_the_tile(scorer, web, tile_of, monkeypatch) -> None:
    for seed in range(4):
        scorer.score(tile_of(web(128, 256, seed), seed))
    method = type(scorer._method)
    monkeypatch.setattr(
        method, "score", lambda _, features, __: np.full(features.shape[1:], np.inf, np.float32)
    )
    with pytest.raises(ValueError, match="scores must be finite where there is web"):
        scorer.score(tile_of(web(128, 256, 4), 4))


def test_lane_profile_is_that_of_its_bootstrap_tiles(
    scorer, backbone, lesson, web, tile_of
) -> None:
    tiles = [tile_of(web(128, 256, seed), seed) for seed in range(4)]
    news = [scorer.score(tile) for tile in tiles][3].profile
    assert news.digest == learn_web_profile(tiles[:3], backbone, lesson).digest


def test_another_worker_continues_the_lane(backbone, settings, geometry, web, tile_of) -> None:
    first, second = (scorer_of(backbone, settings, geometry) for _ in range(2))
    tiles = [tile_of(web(128, 256, seed), seed) for seed in range(6)]
    verdicts = [first.score(tile) for tile in tiles]
    second.adopt(verdicts[3].profile)
    continued = second.score(tiles[5])
    assert continued.profile is None
    np.testing.assert_array_equal(continued.score_map.scores, verdicts[5].score_map.scores)
    assert continued.score_map.profile_digest == verdicts[5].score_map.profile_digest
    # A tile from before the profile is judged as it was the first time.
    again = second.score(tiles[1]).score_map
    np.testing.assert_array_equal(again.scores, verdicts[1].score_map.scores)


def test_unfit_profiles_are_not_adopted(backbone, settings, geometry, web, tile_of) -> None:
    scorer = scorer_of(backbone, settings, geometry)
    news = [scorer.score(tile_of(web(128, 256, n), n)) for n in range(4)][3].profile
    other = scorer_of(backbone, settings, geometry, scoring={"levels": 8})
    with pytest.raises(ValueError, match="profile must be for levels = 8"):
        other.adopt(news)
    with pytest.raises(ValueError, match="profile must be"):
        other.adopt(replace(news, profile=b"nonsense"))


def test_lanes_learn_apart(scorer, web, tile_of) -> None:
    digests = set()
    for sequence in range(4):
        for lane in (1, 0):
            pixels = web(128, 256, 10 * lane + sequence)
            digests.add(scorer.score(tile_of(pixels, sequence, lane=lane)).score_map.profile_digest)
    # Three tiles by themselves and a profile, in each of two lanes.
    assert len(digests) == 8


def test_a_new_roll_learns_anew(scorer, web, tile_of) -> None:
    for sequence in range(4):
        scorer.score(tile_of(web(128, 256, sequence), sequence))
    assert scorer.score(tile_of(web(128, 256, 9), 9, roll="next")).profile is None
    assert scorer.score(tile_of(web(128, 256, 9), 12, roll="next")).profile is not None


def test_news_survive_a_tile_that_fails(scorer, web, tile_of, monkeypatch) -> None:
    for sequence in range(3):
        scorer.score(tile_of(web(128, 256, sequence), sequence))
    failing = tile_of(web(128, 256, 3), 3)
    with monkeypatch.context() as patch:
        patch.setattr(TileScorer, "_score_map", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            scorer.score(failing)
    assert scorer.score(failing).profile is not None


def test_saved_profile_serves_every_lane_from_the_first_tile(
    backbone, settings, geometry, lesson, web, tile_of, tmp_path
) -> None:
    path = tmp_path / "linen.safetensors"
    saved = learn_web_profile([tile_of(web(128, 256, 77))], backbone, lesson)
    saved.save(path)
    scorer = scorer_of(backbone, settings, geometry, profile={"mode": "fixed", "file": str(path)})
    for lane, sequence in ((0, 0), (3, 17)):
        verdict = scorer.score(tile_of(web(128, 256), sequence, lane=lane))
        assert verdict.profile is None
        assert verdict.score_map.profile_digest == saved.digest
        assert not verdict.score_map.self_judged
        assert verdict.score_map.alarm_level == saved.calibration.alarm_level


def test_a_flaw_that_fills_the_tile_is_found_with_a_saved_profile(
    backbone, settings, geometry, lesson, web, tile_of, tmp_path, lonely
) -> None:
    path = tmp_path / "linen.safetensors"
    learn_web_profile([tile_of(web(128, 256, 77))], backbone, lesson).save(path)
    scorer = scorer_of(backbone, settings, geometry, profile={"mode": "fixed", "file": str(path)})
    flat = tile_of(np.full((128, 256), 255, np.uint8))
    found, alone = scorer.score(flat).score_map, lonely.score(flat).score_map
    assert (found.scores > found.alarm_level).mean() > 0.8
    assert (alone.scores > alone.alarm_level).mean() < 0.5


def test_alarm_level_by_hand_overrules_every_profile(
    backbone, settings, geometry, lesson, web, tile_of, tmp_path
) -> None:
    path = tmp_path / "linen.safetensors"
    learn_web_profile([tile_of(web(128, 256, 77))], backbone, lesson).save(path)
    for profile in ({"mode": "per_tile"}, {"mode": "fixed", "file": str(path)}):
        scorer = scorer_of(
            backbone, settings, geometry, profile=profile, calibration={"alarm_level": 0.75}
        )
        assert scorer.score(tile_of(web(128, 256))).score_map.alarm_level == 0.75


def test_profile_file_that_cannot_be_used_stops_the_start(
    backbone, settings, geometry, lesson, web, tile_of, tmp_path
) -> None:
    path = tmp_path / "linen.safetensors"
    profile = {"mode": "fixed", "file": str(path)}
    with pytest.raises(ValueError, match=r"profile\.file must be a file that can be read, got"):
        scorer_of(backbone, settings, geometry, profile=profile)
    path.write_bytes(b"not a profile")
    with pytest.raises(ValueError, match=r"linen\.safetensors: profile must be a file of"):
        scorer_of(backbone, settings, geometry, profile=profile)
    learn_web_profile([tile_of(web(128, 256))], backbone, lesson).save(path)
    other = settings.scoring.model_copy(update={"window_stride": 1}).model_dump()
    with pytest.raises(ValueError, match="profile must be for window_stride = 1"):
        scorer_of(backbone, settings, geometry, profile=profile, scoring=other)


def test_a_profile_of_narrower_lanes_is_refused(
    backbone, settings, geometry, lesson, web, tile_of, tmp_path
) -> None:
    path = tmp_path / "pooled.safetensors"
    tiles = [tile_of(web(512, 512, seed), lane=seed) for seed in (0, 1)]
    learn_web_profile(tiles, backbone, replace(lesson, pools_lanes=True)).save(path)
    sections = {"profile": {"mode": "fixed", "file": str(path)}}
    half = settings.tiles.model_copy(update={"columns": geometry.columns // 2}).model_dump()
    scorer_of(backbone, settings, geometry, tiles=half, **sections)
    whole = half | {"columns": geometry.columns}
    with pytest.raises(
        ValueError, match=r"levels of at most 1 lanes .* got 'levels of lanes \[0, 1"
    ):
        scorer_of(backbone, settings, geometry, tiles=whole, **sections)


def test_unbounded_features_are_scaled_by_the_lane(
    unbounded_backbone, settings, geometry, web, tile_of
) -> None:
    scorer = scorer_of(unbounded_backbone, settings, geometry)
    verdicts = [scorer.score(tile_of(web(128, 256, n), n)) for n in range(5)]
    profile = TextureProfile.from_bytes(verdicts[3].profile.profile)
    assert (profile.scale.factor > 1 / 6).any()
    assert np.isfinite(verdicts[4].score_map.scores).all()


def test_exact_method_works_the_same_way(backbone, settings, geometry, web, tile_of) -> None:
    scoring = {"method": "fca", "patch_size": 5}
    scorer = scorer_of(backbone, settings, geometry, scoring=scoring)
    verdicts = [scorer.score(tile_of(flawed(web(128, 256, n)), n)) for n in range(4)]
    assert verdicts[3].profile is not None
    assert all(v.score_map.scores.max() > v.score_map.alarm_level for v in verdicts)


def test_colour_and_16_bit_tiles_are_scored(lonely, web, tile_of) -> None:
    grey = web(128, 256)
    eight = lonely.score(tile_of(grey)).score_map.scores
    sixteen = lonely.score(tile_of(grey.astype(np.uint16) * 257)).score_map.scores
    colour = lonely.score(tile_of(np.stack([grey] * 3, axis=2))).score_map.scores
    np.testing.assert_allclose(sixteen, eight, atol=0.02)
    np.testing.assert_allclose(colour, eight, atol=0.02)


def test_warm_up_runs_the_engine_and_leaves_no_trace(scorer, backbone) -> None:
    for shape, bits in (((128, 256), 8), ((128, 256, 3), 16)):
        before = backbone.calls
        scorer.warm_up(shape, bits)
        assert backbone.calls == before + 1
    assert scorer._lanes == {}


def test_description_names_backbone_engine_method_and_kernel(scorer) -> None:
    assert scorer.description.startswith("blocks on torch:cpu, fca_fast on ")


def test_description_names_the_kernel_that_runs_for_these_windows(scorer, monkeypatch) -> None:
    for path in (*usable_paths(), "reference"):
        monkeypatch.setenv("LINESCAN_KERNEL", path)
        assert scorer.description.endswith(f"fca_fast on {path}")
    monkeypatch.delenv("LINESCAN_KERNEL")
    scorer._method = FcaFast(13, 16, 2, 1.0)
    assert scorer.description.endswith("fca_fast on reference")
