from dataclasses import replace

import pytest

from streamer.message import ProfileState
from streamer.scoring.features import fixed_scale
from streamer.scoring.lesson import Lesson
from streamer.scoring.rolling_lanes import RollingLanes
from streamer.scoring.rolling_plan import RollingPlan
from streamer.scoring.rolling_state import RollingState

PLAN = RollingPlan(2, 1, 4)


@pytest.fixture
def lanes(lesson, backbone) -> RollingLanes:
    return RollingLanes(PLAN, lesson, fixed_scale(backbone.spec))


def message(lane: int = 0, roll: str = "roll", **fields: int) -> ProfileState:
    state = RollingState(**fields)
    return ProfileState(roll, "cam0", lane, state.since, "digest", state.to_bytes(), 0)


def test_each_lane_learns_for_itself(lanes, web, tile_of) -> None:
    one = tile_of(web(128, 256), lane=2)
    lane = lanes.of(one)
    assert lanes.of(replace(one, sequence=7)) is lane
    assert lanes.of(replace(one, lane=0)) is not lane
    assert lanes.of(replace(one, camera="cam1")) is not lane


def test_a_state_waits_for_the_lanes_next_tile(lanes, web, tile_of) -> None:
    known = lanes.of(tile_of(web(128, 256)))
    lanes.adopt(message(since=6, article_line=768))
    lanes.adopt(message(1, since=8, article_line=512))
    assert known.state.since == 0
    assert lanes.of(tile_of(web(128, 256), 6)) is known
    assert (known.state.since, known.state.article_line, known.next_sequence) == (6, 768, 6)
    assert lanes.of(tile_of(web(128, 256), 8, lane=1)).state.article_line == 512


def test_one_roll_is_remembered_at_a_time(lanes, web, tile_of) -> None:
    lanes.adopt(message(since=6))
    lanes.adopt(message(roll="next", since=9))
    assert lanes.of(tile_of(web(128, 256), 9, roll="next")).state.since == 9
    assert lanes.of(tile_of(web(128, 256), 6)).state.since == 0


def test_other_methods_have_no_rolling_profile(settings, geometry, backbone) -> None:
    exact = settings.model_copy(
        update={"scoring": settings.scoring.model_copy(update={"method": "fca"})}
    )
    lesson = Lesson.of(exact, geometry, backbone.spec)
    rule = "scoring.method must be fca_fast for references per band, got fca"
    with pytest.raises(ValueError, match=rule):
        RollingLanes(PLAN, lesson, None)
