import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config import Config
from streamer.scoring.rolling_plan import SPARE_TILES, PrototypeRule, RollingPlan
from streamer.web import WebGeometry

GEOMETRY = WebGeometry(256, 0.5, 0.5, 60.0)


def plan_of(**profile: object) -> RollingPlan:
    tiles = {"lines": 128, "columns": 256}
    return RollingPlan.of(
        Config.model_validate({"tiles": tiles, "profile": {"mode": "rolling", **profile}}), GEOMETRY
    )


def test_metres_become_whole_tiles_and_whole_segments() -> None:
    # 0.2 m are 400 lines: 4 tiles of 128 = 512 lines, a segment.
    plan = plan_of(refresh_m=0.2, bootstrap_m=0.6, window_m=1.0, delay_m=0.01, change_m=0.3)
    assert (plan.refresh_tiles, plan.bootstrap_segments, plan.segments) == (4, 3, 4)
    assert (plan.delay_segments, plan.change_lines) == (1, 600)


def test_defaults_are_bands_of_eight_and_no_delay() -> None:
    plan = plan_of()
    assert (plan.band_width, plan.delay_segments, plan.own_reference) == (8, 0, False)
    assert plan_of(band_features=0).band_width is None
    assert plan_of(band_features=16).band_width == 16
    assert plan.prototypes == PrototypeRule(1, 0.2)
    assert plan_of(prototypes=3, prototype_share=0.3).prototypes == PrototypeRule(3, 0.3)


@given(first=st.integers(0, 1000), refresh=st.integers(1, 9), bootstrap=st.integers(1, 9))
def test_a_bootstrap_ends_where_a_segment_does_and_has_its_full_length(
    first: int, refresh: int, bootstrap: int
) -> None:
    plan = RollingPlan(refresh, bootstrap, 4)
    end = plan.bootstrap_end(first)
    assert end % refresh == 0
    assert bootstrap * refresh <= end - first < (bootstrap + 1) * refresh
    assert plan.replay_tiles >= end - first + SPARE_TILES


def test_what_is_counted_before_a_new_article_can_be_replayed() -> None:
    # 6 m are 12000 lines: 94 tiles that teach nothing, so that no state is made of them.
    plan = plan_of(refresh_m=0.2, bootstrap_m=0.2, window_m=1.0, change_m=6.0)
    assert plan.change_tiles == 94
    learnt_before, rest_of_segment = plan.refresh_tiles, plan.refresh_tiles
    assert plan.replay_tiles >= learnt_before + plan.change_tiles + rest_of_segment + SPARE_TILES


def test_a_plan_that_never_learns_is_refused() -> None:
    with pytest.raises(ValueError, match="refresh_tiles must be > 0, got 0"):
        RollingPlan(0, 1, 1)
    with pytest.raises(ValueError, match="bootstrap_segments and segments must be > 0, got 0"):
        RollingPlan(1, 1, 0)
