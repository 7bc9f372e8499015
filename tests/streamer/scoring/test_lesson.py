from streamer.config import Config
from streamer.message import Halo
from streamer.scoring.fca import FcaFast
from streamer.scoring.features import Edges
from streamer.scoring.lesson import Lesson


def test_lesson_is_what_is_configured(backbone, geometry) -> None:
    settings = Config.model_validate(
        {
            "scoring": {"patch_size": 5},
            "calibration": {
                "false_alarms_per_100m": 7.0,
                "alarm_level": 0.25,
                "tail": "gpd",
                "lanes": "pooled",
            },
        }
    )
    lesson = Lesson.of(settings, geometry, backbone.spec)
    assert isinstance(lesson.method, FcaFast)
    assert lesson.spec is backbone.spec
    assert (lesson.target.stride, lesson.target.block) == (8, 5)
    assert lesson.target.geometry == geometry
    assert lesson.target.false_alarms_per_100m == 7.0
    assert lesson.alarm_level == 0.25
    assert lesson.target.tail == "gpd"
    assert lesson.pools_lanes
    assert not lesson.brightness


def test_brightness_is_learnt_where_it_is_asked_for(backbone, geometry) -> None:
    settings = Config.model_validate({"scoring": {"brightness": "on"}})
    assert Lesson.of(settings, geometry, backbone.spec).brightness


def test_a_side_without_its_whole_halo_is_the_edge_of_the_web(lesson) -> None:
    # Windows of 9 reach 8 features, the blur 2, and the receptive field 12 pixels.
    assert lesson.edges(Halo(92, 91, 0, 112)) == Edges(
        top=False, bottom=True, left=True, right=False
    )
    assert lesson.edges(Halo()) == Edges()
